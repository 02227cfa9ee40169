import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { PhoneConfig } from '../../src/config/config.ts';
import { probeAmi } from '../../src/phone/setup/ami-probe.ts';
import { probeAri } from '../../src/phone/setup/ari-probe.ts';

const servers: Server[] = [];
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

async function portOf(server: Server): Promise<number> {
  servers.push(server);
  server.on('connection', (socket: Socket) => {
    socket.on('error', () => undefined);
    sockets.push(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** What a peer does that Asterisk never does. */
const raw = async (speak: (socket: Socket) => void) => await portOf(createServer(speak));
const ariAt = (port: number): PhoneConfig['ari'] => ({
  url: `http://127.0.0.1:${port}`,
  app: 'sallyport',
  username: 'sallyport',
  passwordFile: '',
});
const amiAt = (port: number): PhoneConfig['ami'] => ({
  host: '127.0.0.1',
  port,
  username: 'sallyport',
  secretFile: '',
  userEvents: false,
});

describe('what answers in place of ARI', () => {
  const web = async (listener: RequestListener) => await probeAri(ariAt(await portOf(createHttpServer(listener))), 'p');

  it.each([
    ['a web page', 200, '<html>It works!</html>'],
    ['other JSON', 200, '{"version":"1"}'],
    ['half of an answer', 200, '{"system":{"ver'],
    ['a redirection', 302, ''],
    ['a page that is not there', 404, '{"message":"no"}'],
  ])('%s is not taken for it', async (_, status, body) => {
    const found = await web((_request, response) => {
      response.writeHead(status, { location: 'http://192.0.2.1/' }).end(body);
    });
    expect(found).toMatchObject({ unreachable: `what answers there is not ARI (status ${status})`, login: false });
  });

  it.each([
    ['hangs up', (socket: Socket) => socket.destroy()],
    ['speaks nonsense', (socket: Socket) => socket.end('\u0000\u0001\r\n\r\n')],
    ['says nothing', () => undefined],
  ])('that %s is told within seconds', async (_, speak) => {
    const found = await probeAri(ariAt(await raw(speak)), 'p');
    expect(found.unreachable).toEqual(expect.any(String));
  });
});

describe('what answers in place of AMI', () => {
  it.each([
    ['hangs up', (socket: Socket) => socket.destroy()],
    ['is another service', (socket: Socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n')],
    ['never ends a line', (socket: Socket) => socket.write('x'.repeat(2 << 20))],
    ['says nothing', () => undefined],
    ['hangs up in the middle of the login', (socket: Socket) => socket.end('Asterisk Call Manager/11.0.0\r\nRespon')],
  ])('that %s is told within seconds', async (_, speak) => {
    const found = await probeAmi(amiAt(await raw(speak)), 's'.repeat(20));
    expect(found).toMatchObject({ unreachable: expect.any(String), login: false, actions: [] });
  });

  it('is understood however its bytes are split, and whatever events come between', async () => {
    const said =
      'Asterisk Call Manager/11.0.0\r\nEvent: FullyBooted\r\nStatus: x\r\n\r\nResponse: Success\r\nMessage: Authentication accepted\r\n\r\n' +
      'Event: X\r\n\r\nResponse: Success\r\nAGI: Add an AGI command.  (Priv: agi,all)\r\nPing: Keepalive.  (Priv: <none>)\r\n\r\n';
    const port = await raw((socket) => {
      for (const byte of said) socket.write(byte);
    });
    expect(await probeAmi(amiAt(port), 's'.repeat(20))).toEqual({
      unreachable: null,
      version: '11.0.0',
      login: true,
      actions: ['AGI', 'Ping'],
    });
  });
});
