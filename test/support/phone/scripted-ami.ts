/** An AMI that does what a healthy Asterisk never does: answers wrongly, late or not at all, and says odd things. */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

export type AmiMisdeed =
  | 'reset'
  | 'silence'
  | 'html'
  | 'login-silence'
  | 'login-follows'
  | 'login-half'
  | 'ping-silence';

export class ScriptedAmi {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Those that have logged in. */
  readonly #speaking = new Set<Socket>();
  misdeed: AmiMisdeed | undefined;
  /** The only one that it takes; any where there is none. */
  password: string | undefined;
  /** Tries to log in. */
  logins = 0;
  /** The actions that came, without those of logging in and pings. */
  readonly actions: string[] = [];

  constructor() {
    this.#server = createServer((socket) => this.#greet(socket));
  }

  async open(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  /** Says something to whoever has logged in; resolves when it is on its way. */
  async say(what: string | Buffer): Promise<void> {
    await Promise.all([...this.#speaking].map((socket) => new Promise((resolve) => socket.write(what, resolve))));
  }

  /** Ends the connections in the middle of whatever they say. */
  drop(): void {
    for (const socket of this.#speaking) socket.destroy();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #greet(socket: Socket): void {
    this.#sockets.add(socket);
    socket
      .on('error', () => undefined)
      .on('close', () => {
        this.#sockets.delete(socket);
        this.#speaking.delete(socket);
      });
    if (this.misdeed === 'reset') return void socket.resetAndDestroy();
    if (this.misdeed === 'silence') return;
    socket.write(
      this.misdeed === 'html' ? 'HTTP/1.0 400 Bad Request\r\n\r\n<html>' : 'Asterisk Call Manager/11.0.0\r\n',
    );
    let heard = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      const messages = (heard + text).split('\r\n\r\n');
      heard = messages.pop() ?? '';
      for (const message of messages) this.#answer(socket, message);
    });
  }

  #answer(socket: Socket, message: string): void {
    const of = (name: string) => new RegExp(`^${name}: (.*)$`, 'im').exec(message)?.[1] ?? '';
    const action = of('action').toLowerCase();
    const success = `Response: Success\r\nActionID: ${of('actionid')}\r\n\r\n`;
    if (action === 'login') {
      this.logins++;
      if (this.password !== undefined && of('secret') !== this.password)
        return void socket.write(
          success.replace('Success', 'Error').replace(/\r\n$/, 'Message: Authentication failed\r\n\r\n'),
        );
      if (this.misdeed === 'login-silence') return;
      if (this.misdeed === 'login-follows') return void socket.write('Response: Follows\r\nand\r\n\r\nso on\r\n\r\n');
      if (this.misdeed === 'login-half') return void socket.end(success.slice(0, 20));
      this.#speaking.add(socket);
    } else if (action === 'ping') {
      if (this.misdeed === 'ping-silence') return;
    } else if (action !== 'events') {
      this.actions.push(message);
    }
    socket.write(success);
  }
}

/** A message of AMI: `Name: value` a line. */
export function amiMessage(headers: readonly (readonly [name: string, value: string])[]): string {
  return `${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
}
