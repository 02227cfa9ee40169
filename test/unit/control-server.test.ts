import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ControlClient } from '../../src/cli/client.ts';
import { ControlServer } from '../../src/control/server.ts';
import { MemoryLog, tempDir } from '../support/control-rig.ts';
import { FakeGateway, journalView, statusView } from '../support/fake-gateway.ts';

let dir: ReturnType<typeof tempDir>;
let socket: string;
let gateway: FakeGateway;
let log: MemoryLog;
const servers: ControlServer[] = [];

beforeEach(() => {
  dir = tempDir();
  socket = join(dir.path, 'control.sock');
  gateway = new FakeGateway();
  log = new MemoryLog();
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
  dir.remove();
});

function makeServer(options: { socket?: string; group?: string } = {}): ControlServer {
  const server = new ControlServer({ socket, gateway, version: '0.1.0', log, ...options });
  servers.push(server);
  return server;
}

const mode = (path: string) => statSync(path).mode & 0o7777;
const status = () => new ControlClient(socket).call('status', {});

describe('the socket file', () => {
  it('is of mode 0660 in the end and never wider on the way, whatever the umask', async () => {
    const before = process.umask(0);
    try {
      const modes = new Set<number>();
      let done = false;
      const started = makeServer()
        .start()
        .finally(() => {
          done = true;
        });
      while (!done) {
        if (existsSync(socket)) modes.add(mode(socket));
        await new Promise((resolve) => setImmediate(resolve));
      }
      await started;
      expect(mode(socket)).toBe(0o660);
      expect([...modes].filter((each) => (each & ~0o660) !== 0)).toEqual([]);
      expect(process.umask()).toBe(0);
    } finally {
      process.umask(before);
    }
  });

  it.skipIf(process.getuid?.() !== 0)('belongs to its group where there is one', async () => {
    const gid = Number(/^daemon:[^:]*:(\d+):/m.exec(readFileSync('/etc/group', 'utf8'))?.[1]);
    await makeServer({ group: 'daemon' }).start();
    expect(statSync(socket).gid).toBe(gid);
  });

  it('does without a group that does not exist', async () => {
    await makeServer({ group: 'no-such-group' }).start();
    expect(mode(socket)).toBe(0o660);
  });

  it('is gone when the server has stopped, and can be had again', async () => {
    const server = makeServer();
    await server.start();
    await server.stop();
    expect(existsSync(socket)).toBe(false);
    await server.start();
    expect(await status()).toEqual(statusView());
  });
});

describe('its directory', () => {
  it('is made with mode 0755, whatever the umask', async () => {
    const before = process.umask(0o077);
    try {
      socket = join(dir.path, 'run', 'control.sock');
      await makeServer().start();
      expect(mode(join(dir.path, 'run'))).toBe(0o755);
    } finally {
      process.umask(before);
    }
  });

  it('keeps its mode where it is there already', async () => {
    mkdirSync(join(dir.path, 'run'), { mode: 0o700 });
    socket = join(dir.path, 'run', 'control.sock');
    await makeServer().start();
    expect(mode(join(dir.path, 'run'))).toBe(0o700);
  });
});

describe('what lies there already', () => {
  it('a live daemon is not pushed aside', async () => {
    await makeServer().start();
    await expect(makeServer().start()).rejects.toMatchObject({ code: 'SP_CONTROL_BUSY' });
    expect(await status()).toEqual(statusView());
  });

  it('something else that listens is not pushed aside either', async () => {
    const other = createServer((connection) => connection.destroy());
    await new Promise<void>((resolve) => other.listen(socket, resolve));
    await expect(makeServer().start()).rejects.toMatchObject({ code: 'SP_CONTROL_BUSY' });
    await new Promise((resolve) => other.close(resolve));
  });

  it('the socket of a dead daemon is replaced', async () => {
    leaveStaleSocket(socket);
    await makeServer().start();
    expect(await status()).toEqual(statusView());
  });

  it('a file is left alone', async () => {
    writeFileSync(socket, 'precious');
    await expect(makeServer().start()).rejects.toMatchObject({ code: 'SP_CONTROL_SOCKET' });
    expect(readFileSync(socket, 'utf8')).toBe('precious');
  });

  it('a path that would be cut off is refused', async () => {
    const long = makeServer({ socket: join(dir.path, 'x'.repeat(120)) });
    await expect(long.start()).rejects.toMatchObject({
      code: 'SP_CONTROL_SOCKET',
      message: expect.stringMatching(/107 bytes/),
    });
  });

  it('a path through a file is refused in words', async () => {
    writeFileSync(join(dir.path, 'file'), '');
    const server = makeServer({ socket: join(dir.path, 'file', 'control.sock') });
    await expect(server.start()).rejects.toMatchObject({
      code: 'SP_CONTROL_SOCKET',
      message: expect.stringMatching(/is a file/),
    });
  });
});

describe('bytes that are not for it', () => {
  it('random bytes never stop it', async () => {
    await makeServer().start();
    for (let round = 0; round < 150; round++) await throwAt(randomBytes(1 + Math.floor(Math.random() * 4000)));
    const head = 'POST /v1/allow HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
    for (let round = 0; round < 50; round++) {
      await throwAt(Buffer.concat([Buffer.from(`${head}Content-Length: 64\r\n\r\n`), randomBytes(64)]));
      await throwAt(Buffer.concat([Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n`), randomBytes(64)]));
    }
    expect(await status()).toEqual(statusView());
    expect(gateway.asked).toEqual([['status']]);
  });

  it('is answered as every refusal is', async () => {
    await makeServer().start();
    const answer = await throwAt(Buffer.from('hello there\r\n\r\n'));
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({ error: { code: 'SP_REQUEST_INVALID' } });
  });

  it('headers without end are refused', async () => {
    await makeServer().start();
    expect(await throwAt(Buffer.from(`GET / HTTP/1.1\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`))).toMatch(
      /^HTTP\/1\.1 431 /,
    );
  });

  it('half a request holds up nobody else', async () => {
    await makeServer().start();
    const slow = await open();
    slow.write('GET /v1/status HTTP/1.1\r\nHo');
    expect(await status()).toEqual(statusView());
    slow.destroy();
  });
});

describe('following the journal', () => {
  it('brings each event to each follower, as it is', async () => {
    await makeServer().start();
    const stop = new AbortController();
    const streams = await Promise.all([1, 2].map(() => new ControlClient(socket).follow(stop.signal)));
    const events = [journalView({ seq: 7, detail: 'zeile\n"zwei"' }), journalView({ seq: 8, address: '2001:db8::7' })];
    for (const event of events) gateway.tell(event);
    for (const stream of streams) {
      const iterator = stream[Symbol.asyncIterator]();
      expect([(await iterator.next()).value, (await iterator.next()).value]).toEqual(events);
    }
    stop.abort();
    await vi.waitFor(() => expect(gateway.followers.size).toBe(0));
  });

  it('cuts off a follower that does not read, and the others go on', async () => {
    await makeServer().start();
    const deaf = await open();
    deaf.pause();
    deaf.write('GET /v1/journal/follow HTTP/1.1\r\nHost: x\r\n\r\n');
    await vi.waitFor(() => expect(gateway.followers.size).toBe(1));
    const event = journalView({ detail: 'x'.repeat(100_000) });
    for (let i = 0; i < 40; i++) gateway.tell(event);
    await vi.waitFor(() => expect(gateway.followers.size).toBe(0));
    expect(log.lines.map(({ level }) => level)).toContain('warn');
    expect(await status()).toEqual(statusView());
    deaf.destroy();
  });

  it('an event that does not fit is left out, and the stream goes on', async () => {
    await makeServer().start();
    const stop = new AbortController();
    const stream = (await new ControlClient(socket).follow(stop.signal))[Symbol.asyncIterator]();
    gateway.tell({ ...journalView(), at: 7 } as never);
    gateway.tell(journalView({ seq: 9 }));
    expect((await stream.next()).value).toEqual(journalView({ seq: 9 }));
    expect(log.lines.map(({ level }) => level)).toContain('error');
    stop.abort();
  });

  it('ends when the server stops, and says so', async () => {
    const server = makeServer();
    await server.start();
    const stream = (await new ControlClient(socket).follow(new AbortController().signal))[Symbol.asyncIterator]();
    const next = stream.next();
    next.catch(() => {});
    await server.stop();
    await expect(next).rejects.toMatchObject({ code: 'SP_DAEMON_STOPPED' });
    expect(gateway.followers.size).toBe(0);
  });
});

describe('stopping', () => {
  it('lets a request under way finish', async () => {
    const server = makeServer();
    await server.start();
    const waiting: ((value: unknown) => void)[] = [];
    gateway.answer('status', () => new Promise((resolve) => waiting.push(resolve)));
    const answer = status();
    await vi.waitFor(() => expect(gateway.asked).toHaveLength(1));
    const stopped = server.stop();
    for (const finish of waiting) finish(statusView());
    expect(await answer).toEqual(statusView());
    await stopped;
  });

  it('does not wait for ever: not for a request, not for a connection that says nothing', async () => {
    const server = makeServer();
    await server.start();
    gateway.answer('status', () => new Promise(() => {}));
    const hanging = request({ socketPath: socket, path: '/v1/status' }).on('error', () => {});
    hanging.end();
    const silent = await open();
    await vi.waitFor(() => expect(gateway.asked).toHaveLength(1));
    await server.stop();
    expect(existsSync(socket)).toBe(false);
    silent.destroy();
  }, 6000);

  it('is nothing where it never started', async () => {
    await makeServer().stop();
  });
});

async function open(): Promise<Socket> {
  const connection = connect(socket);
  connection.on('error', () => {});
  await new Promise<void>((resolve) => connection.once('connect', () => resolve()));
  return connection;
}

/** Sends bytes, half-closes, and resolves with all that came back when the connection is over. */
async function throwAt(bytes: Buffer): Promise<string> {
  const connection = await open();
  let text = '';
  connection.on('data', (piece: Buffer) => {
    text += piece.toString('latin1');
  });
  connection.end(bytes);
  await new Promise<void>((resolve) => connection.once('close', () => resolve()));
  return text;
}

/** A socket file whose listener is gone, as kill -9 leaves it. */
function leaveStaleSocket(path: string): void {
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', script]);
  expect(existsSync(path)).toBe(true);
}
