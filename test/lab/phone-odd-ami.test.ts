/** What becomes of the link where what answers is no healthy AMI: a scripted peer stands in for what Asterisk never does. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CallId, PhoneNumber } from '#dist/core/phone/link.js';
import { PhoneThread } from '#dist/phone/phone-thread.js';
import { eventually } from '../support/lab/lab.js';
import { Told } from '../support/phone/pbx.js';
import { type AmiMisdeed, amiMessage, ScriptedAmi } from '../support/phone/scripted-ami.js';

let directory: string;
let ami: ScriptedAmi;
let told: Told;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sallyport-ami-'));
  const secretFile = join(directory, 'ami.secret');
  await writeFile(secretFile, 'ami-secret\n', { mode: 0o600 });
  ami = new ScriptedAmi();
  told = linkTo({ port: await ami.open(), secretFile });
});

afterEach(async () => {
  await told.link.stop();
  await ami.close();
  await rm(directory, { recursive: true, force: true });
});

function linkTo(config: { host?: string; port: number; secretFile: string }): Told {
  const ari = { url: '', app: '', username: '', passwordFile: '' };
  const ami = { host: '127.0.0.1', username: 'sallyport', userEvents: true, ...config };
  return new Told(new PhoneThread({ driver: 'ami', ari, ami }), '');
}

async function connected(): Promise<void> {
  await told.start();
  await told.becomes('connected');
}

const start = (id: string, more: [string, string][] = []) =>
  amiMessage([
    ['Event', 'AsyncAGIStart'],
    ['Channel', 'SIP/9-1'],
    ['ChannelState', '6'],
    ['CallerIDNum', '+49 (0) 12'],
    ['Uniqueid', id],
    ...more,
  ]);

async function begins(id: string): Promise<void> {
  const known = told.calls.length;
  await ami.say(start(id));
  await eventually(
    () => told.calls.length,
    (count) => count === known + 1,
  );
}

test.each<[AmiMisdeed, 'refused' | 'unreachable']>([
  ['reset', 'unreachable'],
  ['silence', 'unreachable'],
  ['html', 'refused'],
  ['login-silence', 'unreachable'],
  ['login-follows', 'unreachable'],
  ['login-half', 'unreachable'],
])('%s: the link is %s, and connects as soon as that is mended', async (misdeed, state) => {
  ami.misdeed = misdeed;
  await told.start();
  await told.becomes(state);
  expect(told.link.health().detail).not.toBeNull();
  ami.misdeed = undefined;
  await told.becomes('connected', 12_000);
});

test('a peer that stays connected and answers nothing is noticed within 15 s', async () => {
  await connected();
  await begins('1.1');
  ami.misdeed = 'ping-silence';
  await told.becomes('unreachable', 15_000);
  expect(told.hungUp).toEqual(['1.1']);
});

test('odd events make no call, grant nothing and crash nothing', async () => {
  await connected();
  for (const event of oddEvents()) await ami.say(event);
  await begins('1.1');
  expect(told.calls).toEqual([{ id: '1.1', callerId: '+49012', address: null, ring: null }]);
  expect(told.digits('1.1' as CallId)).toBe('');
  expect(told.link.health().state).toBe('connected');
});

test('headers that are sent twice are nobody’s: a forged one changes nothing', async () => {
  await connected();
  const forged: [string, string][] = [
    ['CallerIDNum', '4711'],
    ['Channel', 'PJSIP/1001-00000001'],
  ];
  await ami.say(start('1.1', forged));
  await ami.say(start('1.2', [['CallerIDNum', '4711']]));
  await eventually(
    () => told.calls.length,
    (count) => count > 0,
  );
  expect(told.calls).toEqual([{ id: '1.2', callerId: null, address: null, ring: null }]);
});

test('half an event before a drop is not glued to what the next connection says', async () => {
  await connected();
  await ami.say(start('1.1').slice(0, 40));
  ami.drop();
  await told.becomes('unreachable');
  await told.becomes('connected');
  await begins('1.2');
  expect(told.calls.map(({ id }) => id)).toEqual(['1.2']);
});

test('20,000 events at once neither grow the memory nor hold the link up', async () => {
  await connected();
  await begins('1.1');
  const before = process.memoryUsage().rss;
  const flood = amiMessage([
    ['Event', 'UserEvent'],
    ['UserEvent', 'SallyportAuthorize'],
    ['Account', '1001'],
    ['Address', '192.0.2.1'],
    ['Pad', 'x'.repeat(500)],
  ]);
  for (let n = 0; n < 200; n++) await ami.say(flood.repeat(100));
  await begins('1.2');
  expect(told.link.health().state).toBe('connected');
  expect(process.memoryUsage().rss - before).toBeLessThan(150 << 20);
  expect(told.authorizations).not.toHaveLength(0);
  expect(told.authorizations.filter((one) => !('fault' in one))).toEqual([]);
});

test('what goes to AMI has no line break of anybody else’s making', async () => {
  await connected();
  await begins('1.2');
  const id = '1.2' as CallId;
  told.play(id, 'digits/1\r\nAction: Command', '../x', 'a b', 'digits/2"', 'digits/3');
  told.link.ring('r1', '1001\r\nAction: Quit' as PhoneNumber);
  told.link.ring('r2\r\nAction: Quit', '1001' as PhoneNumber);
  told.link.hangUp(id);
  await eventually(
    () => ami.actions.filter((action) => action.includes('HANGUP')).length,
    (count) => count === 1,
  );
  expect(ami.actions.join()).toContain('digits/3');
  expect(ami.actions.join()).not.toMatch(/digits\/[12]|Quit|\.\.|a b|Action: Command/);
  expect(told.rings).toHaveLength(2);
});

test('a host that is not this machine is refused', async () => {
  const away = linkTo({ host: '203.0.113.7', port: 5038, secretFile: join(directory, 'ami.secret') });
  await away.start();
  await away.becomes('refused');
  expect(away.link.health().detail).toContain('only this machine');
  await away.link.stop();
});

function oddEvents(): (string | Buffer)[] {
  const ids = ['', '1.1', 'x'.repeat(10_000), '../..', '\u0000', '%%%'];
  const names = ['AsyncAGIExec', 'AsyncAGIEnd', 'OriginateResponse', 'AsyncAGI', '__proto__', 'constructor', ''];
  const headers = names.flatMap((name) =>
    ids.map((id): [string, string][] => [
      ['Event', name],
      ['Uniqueid', id],
      ['Channel', id],
      ['CommandID', `${id}-1`],
      ['Result', '200%20result%3D49%0A'],
      ['Response', 'Failure'],
    ]),
  );
  const texts = headers.map(amiMessage);
  const starts = ['', '1.9'].map((id) =>
    amiMessage([
      ['Event', 'AsyncAGIStart'],
      ['Uniqueid', id],
    ]),
  );
  return [
    ...texts,
    ...starts,
    ': \r\n\r\n',
    '\r\n\r\n\r\n',
    'Response: Success\r\n\r\n',
    Buffer.alloc(5000, 0xfe),
    '\r\n\r\n',
  ];
}
