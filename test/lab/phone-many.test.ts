/** Many callers at once, and callers who leave: by a real Asterisk, with the port that opens or not. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { PromptName } from '#dist/core/phone/prompts.js';
import { eventually } from '../support/lab/lab.js';
import type { Driver } from '../support/phone/pbx.js';
import { needsAsterisk, PhoneLab, type Telephone } from '../support/phone/phone-lab.js';

const CALLERS = Array.from({ length: 20 }, (_, index) => {
  const account = String(2001 + index);
  return { account, pin: `9081${account}`, address: `10.77.0.${101 + index}` };
});
type Caller = (typeof CALLERS)[number] & { readonly telephone: Telephone };

const typed = ({ address }: Caller) => `1${address.replaceAll('.', '*')}#`;

/** Where a caller leaves, who has been asked for the account. */
const STEPS: readonly [step: string, digits: (caller: Caller) => string, until?: PromptName][] = [
  ['when asked for the account', () => ''],
  ['within the account', () => '20'],
  ['when asked for the PIN', ({ account }) => `${account}#`, 'enter-pin'],
  ['within the PIN', ({ account }) => `${account}#90`],
  ['while the PIN is looked at', (caller) => login(caller)],
  ['in the menu', (caller) => login(caller), 'menu-end'],
  ['within an address', (caller) => `${login(caller)}110*77`],
  ['while it is looked at', (caller) => login(caller) + typed(caller)],
  ['as it is read back', (caller) => login(caller) + typed(caller), 'offer-address'],
  ['when asked for a yes', (caller) => login(caller) + typed(caller), 'offer-choices'],
  ['when asked for a code', (caller) => `${login(caller)}2`, 'enter-code'],
  ['within a code', (caller) => `${login(caller)}2402`],
  ['when nothing is open', (caller) => `${login(caller)}3`, 'nothing-open'],
];

function login({ account, pin }: Caller): string {
  return `${account}#${pin}#`;
}

/** Calls, listens to the first question, presses, and listens. */
async function callAndPress({ telephone }: Caller, digits: string, until?: PromptName): Promise<void> {
  await telephone.call();
  await telephone.hears('enter-account');
  await telephone.press(digits);
  if (until !== undefined) await telephone.hears(until);
}

describe.each<Driver>(['ari', 'ami'])('by %s', (driver) => {
  let phones: PhoneLab;
  let callers: Caller[];

  beforeAll(async () => {
    const numbers = CALLERS.map(({ account: name }) => ({ name, password: 'phone-secret' }));
    phones = (await PhoneLab.start(driver, { phones: numbers })) as PhoneLab;
    if (phones === undefined) return;
    for (const { account, pin } of CALLERS) await phones.daemon.addUser(`user-${account}`, { account, pin });
    callers = await Promise.all(
      CALLERS.map(async (caller) => {
        const { account, address } = caller;
        await phones.lab.laptop.addAddress(`${address}/24`);
        return { ...caller, telephone: await phones.telephone(account) };
      }),
    );
  });
  afterAll(() => phones?.remove());
  beforeEach(async (context) => {
    needsAsterisk(context);
    await phones.clear();
  });

  const isOpen = ({ address }: Caller) => phones.isOpen(phones.lab.laptop, 'ipv4', address);

  it('what is typed ahead answers the questions to come, but confirms nothing that was not heard', async () => {
    const caller = callers[0] as Caller;
    await callAndPress(caller, `${login(caller)}${typed(caller)}1`, 'offer-choices');
    expect(await isOpen(caller)).toBe(false);
    await caller.telephone.press('1');
    await eventually(() => isOpen(caller), Boolean);
  });

  it('a caller who hangs up, at whichever step, leaves nothing behind', async () => {
    const leaving = STEPS.map(async ([step, digits, until], index) => {
      const caller = callers[index] as Caller;
      await expect(callAndPress(caller, digits(caller), until), step).resolves.toBeUndefined();
      await caller.telephone.hangUp();
    });
    const last = callers[STEPS.length]?.telephone as Telephone;
    await Promise.all([...leaving, last.call().then(() => last.hangUp())]);
    await phones.quiet();
    expect(await phones.daemon.grants()).toEqual([]);
    await eventually(
      async () => (await phones.asterisk.cli('core show channels count')).output,
      (output) => output.startsWith('0 active channels'),
    );
    // And nobody is the worse for it.
    const caller = callers[5] as Caller;
    await callAndPress(caller, login(caller), 'menu-end');
  });

  it('of twenty calls at once each lets in its own address', async () => {
    await Promise.all(callers.map((caller) => callAndPress(caller, login(caller) + typed(caller), 'offer-choices')));
    expect((await phones.phone()).calls).toBe(20);
    expect(await Promise.all(callers.map(isOpen))).not.toContain(true);
    await Promise.all(callers.map(({ telephone }) => telephone.press('1').then(() => telephone.hears('granted'))));
    expect(await Promise.all(callers.map(isOpen))).not.toContain(false);
    const grants = (await phones.daemon.grants()).map(({ user, address, method }) => `${user} ${address} ${method}`);
    expect(grants.sort()).toEqual(CALLERS.map(({ account, address }) => `user-${account} ${address} phone`));
  });

  it('what was pressed is written nowhere', async () => {
    await phones.wroteNone(...CALLERS.map(({ pin }) => pin));
  });
});
