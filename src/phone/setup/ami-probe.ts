import { connect, type Socket } from 'node:net';
import type { PhoneConfig } from '../../config/config.js';

const PATIENCE_MS = 3000;
const LONGEST_ANSWER = 1 << 20;

/** What an attempt to use AMI came to. */
export interface AmiFindings {
  /** Null where AMI answered. */
  readonly unreachable: string | null;
  readonly version: string | null;
  readonly login: boolean;
  /** The actions that this user may call. */
  readonly actions: readonly string[];
}

/** Logs in to AMI, asks what may be done there, logs off. Never rejects. */
export async function probeAmi({ host, port, username }: PhoneConfig['ami'], secret: string): Promise<AmiFindings> {
  const nothing: AmiFindings = { unreachable: null, version: null, login: false, actions: [] };
  const socket = connect({ host, port });
  try {
    const talk = new Talk(socket);
    const [, version] = /^Asterisk Call Manager\/(\S+)\r\n/.exec(await talk.until('\r\n')) ?? [];
    if (version === undefined) return { ...nothing, unreachable: 'what answers there is not AMI' };
    const login = await talk.action({ Action: 'Login', Username: username, Secret: secret, Events: 'off' });
    if (!/^Response: Success\r\n/m.test(login)) return { ...nothing, version };
    const known = await talk.action({ Action: 'ListCommands' });
    const actions = [...known.matchAll(/^(\w+): .*\(Priv: /gm)].map(([, name]) => name ?? '');
    socket.write('Action: Logoff\r\n\r\n');
    return { unreachable: null, version, login: true, actions };
  } catch (error) {
    const reason = error instanceof Error ? ('code' in error ? String(error.code) : error.message) : 'unknown error';
    return { ...nothing, unreachable: reason };
  } finally {
    socket.destroySoon();
  }
}

/** One question after the other over a connection; all of it within a few seconds. */
class Talk {
  readonly #socket: Socket;
  #heard = '';
  #failed: Error | undefined;
  #wake: () => void = () => undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.setTimeout(PATIENCE_MS, () => this.#fail(new Error(`no answer within ${PATIENCE_MS / 1000} s`)));
    socket.on('data', (text: string) => {
      this.#heard += text;
      if (this.#heard.length > LONGEST_ANSWER) this.#fail(new Error('it says too much'));
      this.#wake();
    });
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('it hung up')));
  }

  /** The configuration and the file of the secret allow none of what ends a line. */
  async action(headers: Readonly<Record<string, string>>): Promise<string> {
    const lines = Object.entries(headers).map(([key, value]) => `${key}: ${value}\r\n`);
    this.#socket.write(`${lines.join('')}\r\n`);
    for (;;) {
      const message = await this.until('\r\n\r\n');
      if (message.startsWith('Response: ')) return message;
    }
  }

  async until(end: string): Promise<string> {
    for (;;) {
      const at = this.#heard.indexOf(end);
      if (at >= 0) {
        const text = this.#heard.slice(0, at + end.length);
        this.#heard = this.#heard.slice(at + end.length);
        return text;
      }
      if (this.#failed) throw this.#failed;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #fail(error: Error): void {
    this.#failed ??= error;
    this.#wake();
    this.#socket.destroy();
  }
}
