import type { PhoneConfig } from '../config/config.js';
import { AmiConnection } from './ami-connection.js';
import { probeAmi } from './ami-probe.js';
import { AmiSession } from './ami-session.js';
import { toError } from './deadline.js';
import { readPassword } from './password.js';
import { type PbxDriver, PbxError, type PbxSession, type SessionEvents } from './session.js';

/**
 * Asterisk by AMI: the dialplan hands calls over by AGI(agi:async). Which calls an earlier process left behind cannot be asked
 * with the rights we have. They end by themselves, since each is given seconds only and we renew them.
 */
export class AmiDriver implements PbxDriver {
  readonly #config: PhoneConfig['ami'];
  #last: AmiSession | undefined;

  constructor(config: PhoneConfig['ami']) {
    this.#config = config;
  }

  async connect(events: SessionEvents): Promise<PbxSession> {
    const password = await readPassword(this.#config.secretFile);
    await probeAmi(this.#config);
    const session = new AmiSession(events, this.#config);
    try {
      const connection = await AmiConnection.open(this.#config, password, {
        onEvent: (event) => session.receive(event),
        onClosed: () => session.closed(),
      });
      await sweep(connection, this.#last?.left ?? []);
      await session.open(connection);
      this.#last = session;
      return session;
    } catch (error) {
      session.close();
      throw error instanceof PbxError ? error : new PbxError('unreachable', `AMI: ${toError(error).message}`, error);
    }
  }
}

/** Hangs up what the connection before this one left: its callers hear silence. */
async function sweep(connection: AmiConnection, channels: readonly string[]): Promise<void> {
  for (const channel of channels) {
    const action = { action: 'AGI', channel, command: 'HANGUP', commandid: 'left' };
    await connection.action(action).catch((error: unknown) => {
      // One that has ended meanwhile is no error.
      if (error instanceof PbxError) throw error;
    });
  }
}
