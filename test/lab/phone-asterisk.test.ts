/** The tests' own Asterisk and telephone: what the tests of the phone stand on. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AsteriskServer } from '../../scripts/lib/asterisk-server.mjs';
import { eventually } from '../support/lab/lab.js';
import { asteriskFolder } from '../support/phone/asterisk.js';
import { freePorts } from '../support/phone/ports.js';
import { SipPhone } from '../support/phone/sip-phone.mjs';

const DIALPLAN = `[phone]
exten => 1,1,Answer()
 same => n,Read(TYPED,hello-world,20,,1,30)
 same => n,Verbose(0,typed \${TYPED})
 same => n,Hangup()
`;

const { folder, reason } = asteriskFolder();
let directory: string;
let asterisk: AsteriskServer;
let phone: SipPhone;

beforeAll(async () => {
  if (folder === undefined) return;
  directory = await mkdtemp(join(tmpdir(), 'sallyport-pbx-'));
  const ports = await freePorts();
  asterisk = new AsteriskServer({ folder, directory, dialplan: DIALPLAN, ...ports });
  await asterisk.start();
  phone = new SipPhone({ server: '127.0.0.1', serverPort: ports.sipPort, user: '1001', password: 'phone-secret' });
  await phone.open();
});

afterAll(async () => {
  phone?.close();
  await asterisk?.stop();
  if (directory !== undefined) await rm(directory, { recursive: true, force: true });
});

test('a phone registers, calls, types and hears what is played', async (context) => {
  if (folder === undefined) return context.skip(reason);
  expect(await phone.register()).toBe(200);
  const call = phone.call('1');
  await call.answered;
  await call.press('19283746#');
  expect(await call.ended).toBe('them');
  // A thread of its own writes to its console, which may be after the call is over.
  await eventually(
    () => asterisk.output,
    (output) => output.includes('typed 19283746'),
  );
});

test('a phone is called, answers and hears what is played', async (context) => {
  if (folder === undefined) return context.skip(reason);
  await phone.register();
  const { code, output } = await asterisk.cli('channel originate PJSIP/1001 application Playback hello-world');
  expect([code, output]).toEqual([0, '']);
  const call = await phone.nextCall();
  expect(await call.ended).toBe('them');
  expect(call.heard).toBeGreaterThan(10);
});
