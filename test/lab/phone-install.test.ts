/** Setting a real Asterisk up for the menu, and being told what is wrong with it. */
import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AsteriskServer } from '../../scripts/lib/asterisk-server.mjs';
import { eventually } from '../support/lab/lab.js';
import { asteriskFolder } from '../support/phone/asterisk.js';
import { consoleProgram, registerApp } from '../support/phone/pbx-tools.js';
import { freePorts } from '../support/phone/ports.js';
import { SipPhone } from '../support/phone/sip-phone.mjs';

const MAIN = join(import.meta.dirname, '../../dist/main.js');
const DIALPLAN = `[general]
static=yes
[phone]
exten => 600,1,Answer()
 same => n,Echo()
exten => 601,1,UserEvent(Other,Account: 1)
 same => n,UserEvent(SallyportAuthorize,Account: 1001)
`;

interface CheckJson {
  readonly id: string;
  readonly state: string;
  readonly seen: string;
  readonly fix: string | null;
}

const { folder, ...missing } = asteriskFolder();
let directory: string;
let ports: Awaited<ReturnType<typeof freePorts>>;
let asterisk: AsteriskServer;
let phone: SipPhone;

beforeAll(async () => {
  if (folder === undefined) return;
  directory = await mkdtemp(join(tmpdir(), 'sallyport-pbx-'));
  ports = await freePorts();
  mkdirSync(join(directory, 'bin'));
  writeFileSync(join(directory, 'bin', 'asterisk'), consoleProgram(folder));
  chmodSync(join(directory, 'bin', 'asterisk'), 0o755);
  for (const driver of ['ari', 'ami', 'events']) writeFileSync(configOf(driver), configText(driver));
  asterisk = new AsteriskServer({
    ...ports,
    folder,
    directory,
    dialplan: DIALPLAN,
    ariUsers: [],
    amiUsers: [],
    files: { 'http.conf': '[general]\nservername=Asterisk\n' },
  });
  await asterisk.start();
  phone = new SipPhone({ server: '127.0.0.1', serverPort: ports.sipPort, user: '1001', password: 'phone-secret' });
  await phone.open();
  await phone.register();
});
beforeEach((context) => {
  if (folder === undefined) context.skip((missing as { reason: string }).reason);
});
afterAll(async () => {
  phone?.close();
  await asterisk?.stop();
  if (directory !== undefined) await rm(directory, { recursive: true, force: true });
});

describe('an Asterisk that has never heard of the menu', () => {
  it('is told apart from one that is set up', async () => {
    const found = await checks('ari');
    expect(found.status).toBe(1);
    expect(found.states).toMatchObject({ secret: 'failed', extension: 'failed', sounds: 'failed', logger: 'ok' });
    expect(found.of('secret').fix).toContain('sallyport phone install --reload');
  });

  it('is set up by one command, while it runs, without a warning', async () => {
    const before = asterisk.output.length;
    const { status, out } = await cli('install', 'ari', '--context', 'phone', '--reload');
    expect([status, out]).toEqual([0, expect.stringContaining('Asterisk has taken it')]);
    expect(asterisk.output.slice(before)).not.toMatch(/WARNING|ERROR/);
    const { states, status: isGood } = await checks('ari');
    expect(states).toEqual({
      secret: 'ok',
      reach: 'ok',
      login: 'ok',
      rights: 'ok',
      app: 'skipped',
      extension: 'ok',
      outside: 'ok',
      sounds: 'ok',
      logger: 'ok',
    });
    expect(isGood).toBe(0);
  });

  it('comes up with it the next time without a warning about our files', async () => {
    await asterisk.stop();
    await asterisk.launch();
    await phone.register();
    expect(asterisk.output).not.toMatch(/sallyport.*(WARNING|ERROR)|(WARNING|ERROR).*sallyport/);
    expect((await checks('ari')).status).toBe(0);
  });
});

describe('a call to 864, over ARI,', () => {
  it('hears that nobody is there, and is hung up, where no gateway runs', async () => {
    const call = phone.call('864');
    await call.answered;
    expect(await call.ended).toBe('them');
    expect(call.heard).toBeGreaterThan(10);
  });

  it('reaches the application, over its time limit, with nothing else said', async () => {
    const app = await registerApp(ports.httpPort, secretOf('ari'));
    const call = phone.call('864');
    await eventually(
      async () => app.heard(),
      (heard) => heard.includes('"type":"StasisStart"'),
    );
    expect(app.heard()).toMatch(/"application":"sallyport"/);
    expect((await checks('ari')).states.app).toBe('ok');
    await call.hangUp();
    app.close();
  });
});

it.each(['1001', '*1001#', '+1001'])('the gateway rings %s as one of the phones would', async (number) => {
  await asterisk.cli(`dialplan add extension ${number},1,Dial(PJSIP/1001) into phone`);
  void asterisk.cli(`channel originate Local/${number}@sallyport-ring/n application Playback hello-world`);
  const call = await phone.nextCall();
  expect(await call.ended).toBe('them');
});

describe('phone test finds', () => {
  it.each([
    ['a user who may not write', 'rights', 'read_only = no', 'read_only = yes'],
    ['another password', 'login', /password = .*/, 'password = something-else'],
  ] as const)('%s', async (_, id, from, to) => {
    await withChanged('sallyport/ari.conf', from, to, async () => {
      await asterisk.cli('module reload res_ari.so');
      const found = await checks('ari');
      expect([found.status, found.of(id).state]).toEqual([1, 'failed']);
      expect(found.of(id).fix).toContain('sallyport phone install');
    });
    await asterisk.cli('module reload res_ari.so');
  });

  it('a log that keeps digits', async () => {
    await withChanged('logger.conf', 'console => ', 'full.log => verbose,dtmf\nconsole => ', async () => {
      const found = (await checks('ari')).of('logger');
      expect(found).toMatchObject({ state: 'failed', seen: expect.stringMatching(/logger\.conf:\d+: full\.log/) });
    });
  });

  it('a recording that is missing, and one that is in another format', async () => {
    const sounds = join(directory, 'data', 'sounds', 'en', 'sallyport');
    const wav = readFileSync(join(sounds, 'granted.wav'));
    rmSync(join(sounds, 'granted.wav'));
    expect((await checks('ari')).of('sounds').seen).toContain('1 are missing');
    writeFileSync(join(sounds, 'granted.ulaw'), '');
    expect((await checks('ari')).of('sounds').state).toBe('ok');
    rmSync(join(sounds, 'granted.ulaw'));
    writeFileSync(join(sounds, 'granted.wav'), wav);
  });

  it('an extension that is in the files and not loaded', async () => {
    await asterisk.cli('dialplan remove context sallyport');
    expect((await checks('ari')).of('extension').seen).toContain('not loaded');
    await asterisk.cli('dialplan reload');
    expect((await checks('ari')).of('extension').state).toBe('ok');
  });

  it('an Asterisk that is frozen, and one that is not there', async () => {
    asterisk.freeze();
    try {
      expect((await checks('ari')).of('reach')).toMatchObject({ seen: expect.stringContaining('no answer within') });
    } finally {
      asterisk.thaw();
    }
    await asterisk.stop();
    expect((await checks('ari')).of('reach')).toMatchObject({ seen: expect.stringContaining('ECONNREFUSED') });
    await asterisk.launch();
    await phone.register();
  });
});

describe('a call to 864, over AMI,', () => {
  beforeAll(async () => {
    if (folder === undefined) return;
    expect((await cli('install', 'ami', '--reload')).status).toBe(0);
  });

  it('is what phone test finds in order', async () => {
    const { status, states } = await checks('ami');
    expect([status, states.rights, states.extension]).toEqual([0, 'ok', 'ok']);
  });

  it('is handed to whoever has our login, and to nobody else’s eyes a number in an argument', async () => {
    const manager = await loggedIn();
    const call = phone.call('864', { name: 'x,Account: 9999' });
    expect(await manager.hears('Event: AsyncAGIStart')).not.toContain('Event: Newchannel');
    await call.hangUp();
    manager.close();
  });

  it('hears that nobody is there, and is hung up, where no gateway takes it in time', async () => {
    const call = phone.call('864');
    expect(await call.ended).toBe('them');
    expect(call.heard).toBeGreaterThan(10);
  });

  it('is what phone test finds wanting where the user may not call back, or may do too much', async () => {
    await withChanged('sallyport/manager.conf', 'write = agi,originate', 'write = agi', async () => {
      await asterisk.cli('manager reload');
      expect((await checks('ami')).of('rights')).toMatchObject({ state: 'failed', seen: 'it may not: Originate' });
    });
    await withChanged('sallyport/manager.conf', 'write = agi,originate', 'write = all', async () => {
      await asterisk.cli('manager reload');
      expect((await checks('ami')).of('rights').state).toBe('warning');
    });
    await asterisk.cli('manager reload');
  });
});

it('the user events that are for us come through where they are wanted, and no others; phone test sees it', async () => {
  expect((await checks('events')).of('user-events').seen).toContain('no class user');
  expect((await cli('install', 'events', '--reload')).status).toBe(0);
  const { status, of } = await checks('events');
  expect([status, of('user-events').state]).toEqual([0, 'ok']);
  const manager = await loggedIn();
  await asterisk.cli('channel originate Local/601@phone application Wait 1');
  expect(await manager.hears('\r\nAccount: 1001\r\n')).not.toMatch(/Newchannel|UserEvent: Other/);
  manager.close();
});

it('no secret is in what the commands said', async () => {
  const secrets = ['ari', 'ami'].map(secretOf);
  expect(secrets.every((secret) => secret.length === 40)).toBe(true);
  for (const secret of secrets) expect(said.join('\n')).not.toContain(secret);
});

/** A connection to AMI with our login, and everything that is said there. */
async function loggedIn() {
  const socket = connect(ports.amiPort, '127.0.0.1');
  let heard = '';
  socket.on('data', (bytes) => {
    heard += String(bytes);
  });
  const hears = (what: string) =>
    eventually(
      async () => heard,
      (text) => text.includes(what),
    );
  socket.write(`Action: Login\r\nUsername: sallyport\r\nSecret: ${secretOf('ami')}\r\n\r\n`);
  await hears('Authentication accepted');
  return { hears, close: () => socket.destroy() };
}

const said: string[] = [];

function cli(
  command: 'install' | 'test',
  driver: string,
  ...options: string[]
): Promise<{ status: number; out: string }> {
  const argv = [
    MAIN,
    'phone',
    command,
    '--config',
    configOf(driver),
    '--asterisk-dir',
    join(directory, 'etc'),
    ...options,
  ];
  const env = { PATH: `${join(directory, 'bin')}:${process.env.PATH}` };
  return new Promise((resolve) => {
    execFile(process.execPath, argv, { env, timeout: 60_000 }, (error, stdout, stderr) => {
      said.push(stdout, stderr);
      resolve({ status: error === null ? 0 : Number(error.code), out: stdout + stderr });
    });
  });
}

async function checks(driver: string) {
  const { status, out } = await cli('test', driver, '--json');
  const { checks: found } = JSON.parse(out) as { checks: CheckJson[] };
  const of = (id: string) => found.find((check) => check.id === id) ?? { id, state: 'absent', seen: out, fix: null };
  return { status, of, states: Object.fromEntries(found.map(({ id, state }) => [id, state])) };
}

function secretOf(driver: string): string {
  return readFileSync(join(directory, 'secrets', `${driver}.secret`), 'utf8').trim();
}

function configOf(driver: string): string {
  return join(directory, `${driver}.yaml`);
}

function configText(driver: string): string {
  const secrets = join(directory, 'secrets');
  const isEvents = driver === 'events';
  return `version: 1
services: {ssh: [tcp/22]}
phone:
  driver: ${isEvents ? 'ami' : driver}
  ari: {url: "http://127.0.0.1:${ports.httpPort}", password_file: ${secrets}/ari.secret}
  ami: {port: ${ports.amiPort}, secret_file: ${secrets}/ami.secret, user_events: ${isEvents}}
control: {socket: ${directory}/control.sock}
`;
}

async function withChanged(name: string, from: string | RegExp, to: string, run: () => Promise<void>): Promise<void> {
  const path = join(directory, 'etc', name);
  const before = readFileSync(path, 'utf8');
  writeFileSync(path, before.replace(from, to));
  try {
    expect(readFileSync(path, 'utf8')).not.toBe(before);
    await run();
  } finally {
    writeFileSync(path, before);
  }
}
