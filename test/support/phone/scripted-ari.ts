/** An ARI that does what a healthy Asterisk never does: answers wrongly, late or not at all, and says odd things. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export type Misdeed =
  | 'reset'
  | 'silence'
  | 'html'
  /** Pings well, and then its description of itself is one of these. */
  | 'docs-reset'
  | 'docs-silence'
  | 'docs-html'
  /** All well but the web socket. */
  | 'socket-refused'
  | 'socket-silence'
  | 'socket-garbage';

/** With a `misdeed`, or as a stage: `upstream` answers what is asked of ARI, and web sockets are ours to speak on. */
export class ScriptedAri {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #speaking: Socket[] = [];
  misdeed: Misdeed | undefined;
  /** Requests that came. */
  asked = 0;

  /** @param upstream where a real ARI describes itself */
  constructor(upstream: string, authorization: string) {
    this.#server = createServer((request, response) => {
      this.asked++;
      if (this.#misbehave(request, response)) return;
      // Where the real one is gone by then, there is no answer.
      this.#pass(upstream, authorization, request, response).catch(() => response.destroy());
    });
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket)).on('error', () => undefined);
      if (this.misdeed === 'reset') socket.resetAndDestroy();
    });
    this.#server.on('upgrade', (request, socket: Socket) => this.#upgrade(request, socket));
  }

  async open(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  /** Web sockets that listen. */
  get listeners(): number {
    return this.#speaking.length;
  }

  /** Sends a text frame, or any bytes. */
  say(what: string | Buffer): void {
    for (const socket of this.#speaking) socket.write(typeof what === 'string' ? frame(Buffer.from(what)) : what);
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #misbehave(request: IncomingMessage, response: ServerResponse): boolean {
    const isDocs = request.url?.includes('api-docs') ?? false;
    const how = this.misdeed?.startsWith('docs-') ? (isDocs ? this.misdeed.slice(5) : '') : this.misdeed;
    if (how === 'reset') request.socket.resetAndDestroy();
    else if (how === 'html') response.setHeader('content-type', 'text/html').end('<html>It works!</html>');
    return how === 'reset' || how === 'html' || how === 'silence';
  }

  async #pass(upstream: string, authorization: string, request: IncomingMessage, response: ServerResponse) {
    const headers = { authorization, host: request.headers.host ?? '' };
    const answer = await fetch(`${upstream}${request.url}`, { method: request.method ?? 'GET', headers });
    const text = await answer.text();
    // What it says of itself names the address it was asked at.
    response.writeHead(answer.status, { 'content-type': 'application/json' });
    response.end(text.replaceAll(new URL(upstream).host, request.headers.host ?? ''));
  }

  #upgrade(request: IncomingMessage, socket: Socket): void {
    if (this.misdeed === 'socket-refused') return void socket.end('HTTP/1.1 500 Oops\r\n\r\n');
    if (this.misdeed === 'socket-silence') return;
    const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash('sha1').update(key).digest('base64');
    const head = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
    socket.write(`${head.join('\r\n')}\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    if (this.misdeed === 'socket-garbage') socket.write(Buffer.alloc(200, 0xff));
    this.#speaking.push(socket);
    socket.on('close', () => this.#speaking.splice(this.#speaking.indexOf(socket), 1));
    // Pings of theirs are answered, so that they think all is well.
    socket.on('data', (data) => {
      if (data[0] === 0x89) socket.write(Buffer.from([0x8a, 0]));
    });
  }
}

/** A text frame, unmasked as a server's is (RFC 6455). */
function frame(payload: Buffer): Buffer {
  const head = Buffer.from([0x81, 126, 0, 0]);
  head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([payload.length < 126 ? Buffer.from([0x81, payload.length]) : head, payload]);
}
