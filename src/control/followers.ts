import type { ServerResponse } from 'node:http';
import { z } from 'zod';
import type { GatewayApi } from './contract/gateway.js';
import { FOLLOW } from './contract/routes.js';
import type { ControlLog } from './log.js';

/** What may wait for a follower that does not read, in bytes; then it is cut off. */
const LONGEST_BACKLOG = 1024 * 1024;

/** Those who follow the journal. */
export class Followers {
  readonly #gateway: Pick<GatewayApi, 'followJournal'>;
  readonly #log: ControlLog;
  readonly #open = new Set<ServerResponse>();

  constructor(gateway: Pick<GatewayApi, 'followJournal'>, log: ControlLog) {
    this.#gateway = gateway;
    this.#log = log;
  }

  /** Answers with every event from now on, until the other side goes or `end` is called. */
  add(response: ServerResponse): void {
    const stop = this.#gateway.followJournal((event) => {
      if (response.writableLength > LONGEST_BACKLOG) {
        this.#log.warn({}, 'a follower of the journal does not read; cut off');
        response.destroy();
        return;
      }
      const line = z.safeEncode(FOLLOW.line, event);
      if (line.success) response.write(`${JSON.stringify(line.data)}\n`);
      else this.#log.error({ err: line.error }, 'an event of the journal does not fit its schema');
    });
    this.#open.add(response);
    response.once('close', () => {
      stop();
      this.#open.delete(response);
    });
    response.writeHead(200, { 'content-type': FOLLOW.type, 'cache-control': 'no-store' });
    response.flushHeaders();
  }

  /** Ends all streams. */
  end(): void {
    for (const response of this.#open) response.end();
  }
}
