/** A real Asterisk that dies, freezes, refuses or is flooded: the gateway says so, and knocks are answered all the while. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/lab/lab.js';
import type { Driver } from '../support/phone/pbx.js';
import { needsAsterisk, PhoneLab, type Telephone } from '../support/phone/phone-lab.js';

const FLOOD = fileURLToPath(new URL('../support/phone/ami-flood.mjs', import.meta.url));
const ALICE = 'udp/21234,tcp/28111,udp/24711';
const PIN = '48392155';
const [REATTACHED, NOTICED] = [5000, 15_000];
/** AMI cannot hang up what an earlier connection left: it ends by itself. */
const ALONE = 40_000;
const EVENTS = 20_000;
const MANAGERS = [
  // Reads everything, so that the flood comes to the gateway, too, if anything lets it.
  { name: 'sallyport', password: 'ami-secret', read: 'all', write: 'agi,originate' },
  { name: 'other', password: 'other-secret', read: '', write: 'user' },
];

describe.each<Driver>(['ari', 'ami'])('by %s', (driver) => {
  let phones: PhoneLab;
  let desk: Telephone;

  beforeAll(async () => {
    phones = (await PhoneLab.start(driver, { amiUsers: MANAGERS }, { userEvents: driver === 'ami' })) as PhoneLab;
    if (phones === undefined) return;
    await phones.daemon.addUser('alice', { knock: ALICE, account: '1001', pin: PIN });
    desk = await phones.telephone('1001');
  });
  afterAll(() => phones?.remove());
  beforeEach(needsAsterisk);

  async function callWorks(): Promise<void> {
    await desk.login('1001', PIN);
    await desk.hears('menu-end');
    await desk.hangUp();
    await phones.quiet();
  }

  it('killed and started again: knocks are served, it is back within 5 s, and calls work', async () => {
    await desk.call();
    await phones.asterisk.kill();
    const { detail } = await phones.becomes('unreachable');
    expect(detail).toContain('Asterisk');
    await phones.quiet();
    await phones.servesKnock(ALICE);
    await phones.asterisk.launch();
    await phones.becomes('connected', REATTACHED);
    await callWorks();
  });

  it('restarted: knocks are served, it is back within 5 s, and calls work', async () => {
    await desk.call();
    await phones.asterisk.stop();
    await phones.becomes('unreachable');
    await phones.servesKnock(ALICE);
    await phones.asterisk.launch();
    await phones.becomes('connected', REATTACHED);
    await callWorks();
  });

  it('frozen: noticed within 15 s, knocks are served before and after that, and it is back within 5 s', async () => {
    await desk.call();
    await desk.hears('enter-account');
    phones.asterisk.freeze();
    try {
      const noticed = phones.becomes('unreachable', NOTICED);
      await Promise.all([noticed, phones.servesKnock(ALICE)]);
      await phones.quiet();
      await phones.servesKnock(ALICE);
    } finally {
      phones.asterisk.thaw();
    }
    await phones.becomes('connected', REATTACHED);
    await desk.ended(ALONE);
    await callWorks();
  });

  it('flooded with 20,000 user events: the call goes on, a knock is served, nothing is opened and little is written', async () => {
    await desk.call();
    await desk.hears('enter-account');
    const { namespace } = phones.lab.gateway;
    const flood = spawn('ip', ['netns', 'exec', namespace, process.execPath, FLOOD, '5038', 'other', 'other-secret']);
    let told = '';
    flood.stdout.on('data', (text) => {
      told += text;
    });
    try {
      await phones.servesKnock(ALICE);
      await desk.press(`1001#${PIN}#`);
      await desk.hears('menu-end');
      await eventually(
        () => Number(told.trim().split('\n').at(-1)),
        (count) => count >= EVENTS,
        60_000,
      );
    } finally {
      flood.stdin.end();
    }
    const [status] = await once(flood, 'close');
    expect(status).toBe(0);
    expect((await phones.phone()).state).toBe('connected');
    expect(await phones.daemon.grants()).toEqual([]);
    const { length } = await phones.daemon.eventsNamed('attempt.refused');
    expect(length).toBeLessThan(EVENTS / 20);
    if (driver === 'ami') expect(length).toBeGreaterThan(0);
    await desk.press('3');
    await desk.hears('nothing-open');
    await desk.hangUp();
    await phones.quiet();
  });

  it('a wrong password: status says so in words, and knocks are served', async () => {
    await phones.daemon.kill();
    await phones.writeSecret('not-the-secret-77');
    await phones.daemon.launch();
    const { detail } = await phones.becomes('refused');
    expect(detail).toContain('"sallyport" with its password');
    const { stdout } = await phones.daemon.cli('status');
    expect(stdout).toContain('with its password');
    await phones.servesKnock(ALICE);
    expect((await phones.phone()).state).toBe('refused');
    await phones.wroteNone('not-the-secret-77');
  });

  it('what was pressed is written nowhere', async () => {
    await phones.wroteNone(PIN);
  });
});
