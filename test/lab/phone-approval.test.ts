/** Claims and their yes by a real Asterisk: pairing, approval, call-back; what is stolen alone opens nothing. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually, steps } from '../support/lab/lab.js';
import type { Driver } from '../support/phone/pbx.js';
import { needsAsterisk, PhoneLab, type Telephone } from '../support/phone/phone-lab.js';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const ALICE = 'udp/21234,tcp/28111,udp/24711';
const BOB = 'udp/22345,udp/27111,udp/23711';
const CAROL = 'udp/23456,udp/26111,udp/22711';
const DAVE = 'udp/24567,tcp/25111,udp/21711';
const [ALICES_PIN, BOBS_PIN, CAROLS_PIN, DAVES_PIN] = ['48392155', '71625390', '33091462', '60718253'];

describe.each<Driver>(['ari', 'ami'])('by %s', (driver) => {
  let phones: PhoneLab;
  let desk: Telephone;
  const codes: string[] = [];
  const laptops: ChildProcess[] = [];

  beforeAll(async () => {
    phones = (await PhoneLab.start(driver)) as PhoneLab;
    if (phones === undefined) return;
    await phones.daemon.addUser('alice', { knock: ALICE, account: '1001', pin: ALICES_PIN });
    await phones.daemon.addUser('bob', { knock: BOB, approval: 'callback', number: '1001', pin: BOBS_PIN });
    await phones.daemon.addUser('carol', { knock: CAROL, approval: 'phone', account: '1003', pin: CAROLS_PIN });
    await phones.daemon.addUser('dave', { knock: DAVE, approval: 'phone', account: '1004', pin: DAVES_PIN });
    desk = await phones.telephone('1001', { register: true });
  });
  afterAll(async () => {
    for (const laptop of laptops) laptop.kill('SIGKILL');
    await phones?.remove();
  });
  beforeEach(async (context) => {
    needsAsterisk(context);
    await phones.clear();
  });

  /** `sallyport pair` on the laptop: the code that it shows, and whether it saw the port open in the end. */
  async function pair(family: 'ipv4' | 'ipv6'): Promise<{ code: string; saw: () => boolean }> {
    const { laptop, gateway } = phones.lab;
    const args = [MAIN, 'pair', gateway[family], '--wait', 'tcp/22', '--json'];
    const child = spawn('ip', ['netns', 'exec', laptop.namespace, process.execPath, ...args], {
      env: { ...process.env, SALLYPORT_PORTS: ALICE },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    laptops.push(child);
    const events: { code?: string; open?: boolean }[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => events.push(JSON.parse(line)));
    const code = await eventually(
      () => events[0]?.code ?? '',
      (shown) => shown !== '',
    );
    codes.push(code);
    return { code, saw: () => events.at(-1)?.open === true };
  }

  it.each(['ipv4', 'ipv6'] as const)('the code that the laptop shows lets it in over %s', async (family) => {
    const { laptop } = phones.lab;
    const { code, saw } = await pair(family);
    expect(await phones.isOpen(laptop, family)).toBe(false);
    await desk.login('1001', ALICES_PIN);
    await desk.press(`2${code}`);
    await desk.hears('offer-choices');
    expect(await phones.isOpen(laptop, family)).toBe(false);
    await desk.press('1');
    await phones.opens(laptop, family);
    expect(await phones.daemon.grantFor(laptop[family])).toMatchObject({ user: 'alice', method: 'phone' });
    await eventually(saw, Boolean, 10_000);
  });

  it('a stolen knock alone opens nothing, and its code is no use to another account', async () => {
    const { laptop } = phones.lab;
    const { code } = await pair('ipv4');
    await laptop.knock(phones.lab.gateway.ipv4, steps(CAROL));
    await phones.told('claim.made', 'carol', 'a call');
    await desk.login('1003', CAROLS_PIN);
    await desk.hears('menu-waiting');
    // Not hers to confirm: what waits for her is another request.
    await desk.press('2');
    await desk.hears('offer-choices');
    await desk.press('*');
    await desk.hears('cancelled');
    await desk.press(`2${code}`);
    await desk.hears('no-claim');
    expect(await phones.daemon.grants()).toEqual([]);
    expect(await phones.isOpen(laptop)).toBe(false);
  });

  it('a stolen PIN alone finds no request to confirm', async () => {
    await desk.login('1001', ALICES_PIN);
    await desk.press('2000000');
    await desk.hears('no-claim');
    expect(await phones.daemon.grants()).toEqual([]);
  });

  it('a stolen PIN alone opens nothing: neither an address that is typed nor that of the softphone', async () => {
    const { laptop, phone } = phones.lab;
    for (const [keys, more] of [
      ['1', `${laptop.ipv4.replaceAll('.', '*')}#11`],
      ['4', '11*'],
    ] as const) {
      await desk.login('1004', DAVES_PIN);
      await desk.hears('none-waiting');
      await desk.hears('menu-end');
      expect(await desk.said()).not.toContain('sallyport/menu-address');
      expect(await desk.said()).not.toContain('sallyport/menu-own-address');
      await desk.press(keys);
      await desk.hears('not-a-choice');
      await desk.press(more);
      await desk.ended();
      expect(await desk.said()).not.toContain('sallyport/granted');
    }
    expect(await phones.daemon.grants()).toEqual([]);
    expect([await phones.isOpen(laptop), await phones.isOpen(phone)]).toEqual([false, false]);
  });

  it('a knock that waits for a yes is let in by a call', async () => {
    const { laptop, gateway } = phones.lab;
    await laptop.knock(gateway.ipv4, steps(CAROL));
    await desk.login('1003', CAROLS_PIN);
    await desk.hears('menu-waiting');
    expect(await phones.isOpen(laptop)).toBe(false);
    await desk.press('2');
    await desk.hears('offer-choices');
    await desk.press('1');
    await phones.opens(laptop);
  });

  it('a call-back that is picked up and hung up, or not picked up, opens nothing', async () => {
    const { laptop, gateway } = phones.lab;
    await desk.tell('whenCalled', { what: 'answer' });
    await Promise.all([desk.isCalled(), laptop.knock(gateway.ipv4, steps(BOB))]);
    await desk.hears('callback-choices');
    await desk.hangUp();
    await phones.told('claim.unanswered', 'bob', 'did not say yes');
    await desk.tell('whenCalled', { what: 'ring' });
    await Promise.all([desk.isCalled(), laptop.knock(gateway.ipv4, steps(BOB))]);
    await phones.told('claim.unanswered', 'bob', 'nobody picked up');
    expect(await phones.daemon.grants()).toEqual([]);
    expect(await phones.isOpen(laptop)).toBe(false);
  });

  it('9 closes everything of the user, and raises an alarm', async () => {
    const { laptop, stranger, gateway } = phones.lab;
    await desk.tell('whenCalled', { what: 'answer' });
    await Promise.all([desk.isCalled(), laptop.knock(gateway.ipv4, steps(BOB))]);
    await desk.hears('callback-choices');
    await desk.press(`${BOBS_PIN}#`);
    await phones.opens(laptop);
    await desk.ended();
    await phones.quiet();
    await Promise.all([desk.isCalled(), stranger.knock(gateway.ipv4, steps(BOB))]);
    await desk.hears('callback-choices');
    await desk.press('9');
    await desk.hears('callback-closed');
    await desk.ended();
    await eventually(
      () => phones.isOpen(laptop),
      (isOpen) => !isOpen,
    );
    expect(await phones.isOpen(stranger)).toBe(false);
    await phones.told('alarm.raised', 'bob', 'the request was not theirs');
    expect(await phones.daemon.grants()).toEqual([]);
  });

  it('what was pressed, and the codes, are written nowhere', async () => {
    expect(codes).toHaveLength(3);
    await phones.wroteNone(ALICES_PIN, BOBS_PIN, CAROLS_PIN, DAVES_PIN, ...codes);
  });
});
