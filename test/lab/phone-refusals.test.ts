/** Callers who are not let in: by a real Asterisk, with the port that stays closed. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/lab/lab.js';
import type { Driver } from '../support/phone/pbx.js';
import { needsAsterisk, PhoneLab, type Telephone } from '../support/phone/phone-lab.js';

const [PIN, WRONG, LOCKED_PIN] = ['48392155', '48392156', '90117734'];
const CALLERS = Array.from({ length: 13 }, (_, index) => String(2001 + index));
/** The limit of failures within an hour. */
const FAILURES = 10;
/** Three questions, eight seconds of silence after each. */
const SILENCE = 45_000;
/** One PIN after the other is hashed, on a machine that has other work. */
const PINS_LOOKED_AT = 30_000;

describe.each<Driver>(['ari', 'ami'])('by %s', (driver) => {
  let phones: PhoneLab;
  let callers: Telephone[];
  let silent: Telephone;

  beforeAll(async () => {
    const numbers = CALLERS.map((name) => ({ name, password: 'phone-secret' }));
    phones = (await PhoneLab.start(driver, { phones: numbers })) as PhoneLab;
    if (phones === undefined) return;
    await phones.daemon.addUser('alice', { account: '1001', pin: PIN });
    await phones.daemon.addUser('carol', { account: '1003', pin: LOCKED_PIN });
    const all = await Promise.all(CALLERS.map((user) => phones.telephone(user)));
    [silent, ...callers] = all as [Telephone, ...Telephone[]];
    // It takes its time, in which the others call.
    await silent.call();
  });
  afterAll(() => phones?.remove());
  beforeEach(needsAsterisk);

  /** Gives account and PIN, each when asked. */
  async function logIn(caller: Telephone, account: string, pin: string): Promise<void> {
    await caller.hears('enter-account');
    await caller.press(`${account}#`);
    await caller.hears('enter-pin');
    await caller.press(`${pin}#`);
  }

  it('a wrong PIN and an unknown account sound the same, three times, and open nothing', async () => {
    const [one, other] = callers as [Telephone, Telephone];
    const heard = await Promise.all(
      [one, other].map(async (caller, index) => {
        await caller.call();
        for (let tries = 0; tries < 3; tries++) {
          await logIn(caller, index === 0 ? '1001' : '7777', WRONG);
          await caller.hears('login-incorrect');
        }
        await caller.hears('goodbye');
        await caller.ended();
        return await caller.said();
      }),
    );
    expect(heard[0]).toEqual(heard[1]);
    expect(await phones.daemon.grants()).toEqual([]);
    await phones.told('attempt.refused', 'alice', 'a wrong PIN');
  });

  it('addresses that are none, or nobody’s, are refused in words, and nothing is opened', async () => {
    const caller = callers[2] as Telephone;
    await caller.call();
    await logIn(caller, '1001', PIN);
    await caller.hears('menu-end');
    await caller.press('1');
    const own = phones.lab.gateway.ipv4.replaceAll('.', '*');
    for (const typed of ['256*1*1*1', '1*2*3', '0*0*0*0', '127*0*0*1', '*'.repeat(15), own]) {
      await caller.hears('enter-address');
      await caller.press(`${typed}#`);
      await caller.hears('address-unfit');
    }
    // That was one too many.
    await caller.hears('goodbye');
    await caller.ended();
    expect(await caller.said()).not.toContain('sallyport/offer-address');
    expect(await phones.daemon.grants()).toEqual([]);
    expect(await phones.daemon.eventsNamed('grant.opened')).toEqual([]);
  });

  it('ten failures lock an account out, with an alarm, and then the right PIN does not help', async () => {
    const guessing = callers.slice(2, 2 + FAILURES - 1);
    await Promise.all(guessing.map((caller) => caller.login('1003', WRONG)));
    const ofCarol = async (event: string) =>
      (await phones.daemon.eventsNamed(event)).filter(({ user }) => user === 'carol').length;
    await eventually(
      () => ofCarol('attempt.refused'),
      (count) => count === FAILURES - 1,
      PINS_LOOKED_AT,
    );
    expect(await ofCarol('alarm.raised')).toBe(0);
    const [last] = callers as [Telephone];
    await last.login('1003', WRONG);
    await phones.told('alarm.raised', 'carol', 'locked out of the phone for an hour');
    for (const caller of [...guessing, last]) await caller.hangUp();

    const carol = callers[1 + FAILURES] as Telephone;
    await carol.login('1003', LOCKED_PIN);
    await carol.hears('login-incorrect', PINS_LOOKED_AT);
    await phones.told('attempt.refused', 'carol', 'the account is locked out');
    expect(await ofCarol('alarm.raised')).toBe(1);
    expect(await phones.daemon.grants()).toEqual([]);
    await carol.hangUp();
  });

  it('who says nothing is asked three times, bidden good-bye and hung up', async () => {
    await silent.hears('goodbye', SILENCE);
    await silent.ended();
    const account = 'sallyport/enter-account';
    expect(await silent.said()).toEqual([account, account, account, 'vm-goodbye']);
    await phones.quiet();
  });

  it('what was pressed is written nowhere', async () => {
    await phones.wroteNone(PIN, WRONG, LOCKED_PIN);
  });
});
