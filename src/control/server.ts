import { buildApp, type ControlApp } from './app.js';
import type { GatewayApi } from './contract/gateway.js';
import type { ControlLog } from './log.js';
import { listenOnSocket } from './socket.js';

/** How long requests under way may go on when the server stops, in milliseconds. */
const STOP_LIMIT = 2000;

export interface ControlServerOptions {
  /** The path of the Unix socket. */
  readonly socket: string;
  readonly gateway: GatewayApi;
  readonly version: string;
  readonly log: ControlLog;
  /** Who may connect beside the owner, where the group exists. */
  readonly group?: string;
}

/** The control API on its Unix socket. */
export class ControlServer {
  readonly #options: ControlServerOptions;
  #running: ControlApp | undefined;

  constructor(options: ControlServerOptions) {
    this.#options = options;
  }

  /** Resolves when the socket takes requests. @throws SP_CONTROL_BUSY, SP_CONTROL_SOCKET */
  async start(): Promise<void> {
    if (this.#running) return;
    const { socket, gateway, version, log, group = 'sallyport' } = this.#options;
    const running = await buildApp({ gateway, version, log });
    try {
      await listenOnSocket(running.app.server, socket, group, log);
    } catch (error) {
      await running.app.close();
      throw error;
    }
    running.app.server.on('error', (error) => log.error({ err: error }, 'the control socket failed'));
    this.#running = running;
    log.info({ socket }, 'control API listening');
  }

  /** Takes no more requests, ends those who follow the journal, and waits for the rest for two seconds at most. */
  async stop(): Promise<void> {
    const running = this.#running;
    if (!running) return;
    this.#running = undefined;
    running.followers.end();
    const { server } = running.app;
    const bound = setTimeout(() => server.closeAllConnections(), STOP_LIMIT);
    try {
      await running.app.close();
    } finally {
      clearTimeout(bound);
    }
  }
}
