import Manager from 'asterisk-manager';
import type { PhoneConfig } from '../config/config.js';
import { type AmiMessage, readMessage } from './ami-message.js';
import { within } from './deadline.js';
import { PbxError } from './session.js';

/** Milliseconds in which an action must be answered. */
const ACTION_LIMIT = 3000;
const CONNECT_LIMIT = 3000;

interface AmiTold {
  /** As the library has read it: a header that was sent more than once is a list. */
  onEvent(event: unknown): void;
  onClosed(): void;
}

/** One connection to AMI, made once: the library glues what is left of one connection to the next. */
export class AmiConnection {
  readonly #manager: Manager.AmiManager;
  readonly #told: AmiTold;
  #lastId = 0;
  #isOver = false;

  /**
   * Connects and logs in.
   * @throws PbxError
   */
  static async open(config: PhoneConfig['ami'], password: string, told: AmiTold): Promise<AmiConnection> {
    const { host, port, username } = config;
    const manager = Manager(null, host, username, password, true);
    const connection = new AmiConnection(manager, told);
    try {
      const connected = new Promise<void>((resolve) => manager.connect(port, host, resolve));
      await within(connected, CONNECT_LIMIT, () => unreachable('does not answer'));
      const login = new Promise<void>((resolve, reject) =>
        manager.login((error) => (error ? reject(error) : resolve())),
      );
      await within(login, ACTION_LIMIT, () => unreachable('does not answer'));
      return connection;
    } catch (error) {
      connection.close();
      if (error instanceof PbxError) throw error;
      throw new PbxError('refused', `AMI at ${host}:${port} does not take the user "${username}" with its password`);
    }
  }

  private constructor(manager: Manager.AmiManager, told: AmiTold) {
    this.#manager = manager;
    this.#told = told;
    const onClosed = () => {
      if (!this.#isOver) this.#told.onClosed();
    };
    manager.on('close', onClosed);
    manager.on('end', onClosed);
    manager.on('managerevent', (event) => {
      if (!this.#isOver) this.#told.onEvent(event);
    });
  }

  /**
   * Does something, and gives the answer.
   * @throws PbxError `unreachable` where none comes; an Error with Asterisk's words where it says no
   */
  async action(action: Readonly<Record<string, string>>): Promise<AmiMessage> {
    // The library sends what it gets: a line break would begin a header, or an action, of somebody else's making.
    for (const [name, value] of Object.entries(action)) {
      if (typeof value !== 'string' || /[\r\n\0]/.test(`${name}${value}`))
        throw new Error('no line breaks in an action');
    }
    const actionid = `sallyport-${++this.#lastId}`;
    const answered = new Promise<AmiMessage>((resolve, reject) => {
      this.#manager.action({ ...action, actionid }, (error, answer) => {
        const message = readMessage(error ?? answer);
        if (error || message === undefined) reject(new Error(message?.message ?? 'an answer that is none'));
        else resolve(message);
      });
    });
    try {
      return await within(answered, ACTION_LIMIT, () => unreachable('does not answer any more; is it frozen?'));
    } finally {
      this.#manager.removeAllListeners(actionid);
    }
  }

  close(): void {
    this.#isOver = true;
    this.#manager.disconnect();
  }
}

function unreachable(what: string): PbxError {
  return new PbxError('unreachable', `Asterisk ${what}`);
}
