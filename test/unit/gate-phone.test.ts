import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseAddress } from '../../src/core/address.ts';
import { SallyportError } from '../../src/core/errors.ts';
import { encodePairing, type PairingCode } from '../../src/core/pairing.ts';
import { hours, minutes, seconds } from '../../src/core/time.ts';
import type { User } from '../../src/core/user.ts';
import type { FakeCall } from '../support/fake-pbx.ts';
import { ANNA, knockOf, LAPTOP, OWN, type RigOptions } from '../support/gate-rig.ts';
import { SSH, SSH_AND_WEB, target } from '../support/grants.ts';
import { CARL, DORA, ERIK, kept, type PhoneRig, PIN, phoneRig } from '../support/phone-rig.ts';

const CODE = '402913' as PairingCode;
const OTHER = parseAddress('203.0.113.9');
const GRANTED = 'Access granted, for 1h';
const WRONG = 'Login incorrect.';
const FAILED = 'That did not work. Please try again later.';

let rig: PhoneRig;

async function started(options: RigOptions = {}): Promise<void> {
  rig = phoneRig(options);
  await rig.start();
}

beforeEach(() => started());
afterEach(async () => {
  await rig.desk.stop();
  rig.doorkeeper.stop();
  rig.guard.stop();
  vi.useRealTimers();
});

const login = async (user = CARL, pin = PIN, about = {}): Promise<FakeCall> => {
  const call = await rig.pbx.dial(about);
  await call.reply(`${user.account}#`);
  await call.reply(`${pin}#`);
  return await call.listen();
};
const knock = async (user: User, source = LAPTOP, code?: PairingCode) => {
  await rig.doorkeeper.knocks([{ ...knockOf(user, source), payload: code ? encodePairing(code) : new Uint8Array() }]);
  await rig.settle();
};
const refusals = () => rig.store.events.filter(({ event }) => event === 'attempt.refused');
const grants = () => [...rig.ledger.all()].map(({ user, target, method }) => `${user?.name} ${target} ${method}`);

describe('by phone', () => {
  it('an address that is typed is read back, confirmed and let in', async () => {
    const call = await login();
    await call.reply('1');
    await call.reply('203*0*113*7#');
    await call.listen();
    expect(call.last).toContain('203.0.113.7 It may use ssh for 1h');
    expect(rig.firewall.open).toEqual([]);
    await call.press('1');
    expect(rig.firewall.open).toEqual(['ssh 203.0.113.7']);
    expect(call.last).toContain(GRANTED);
  });

  it('a grant is in the records with its method, its user, and the caller id as a remark alone', async () => {
    const call = await login(CARL, PIN, { callerId: '+15550123' });
    await call.reply('1');
    await call.reply('203*0*113*7#');
    await call.reply('1');
    const [grant] = rig.ledger.all();
    expect(grant).toMatchObject({ method: 'phone', user: { id: CARL.id, name: 'carl' }, note: 'caller +15550123' });
    expect(rig.store.events).toContainEqual(
      expect.objectContaining({ event: 'grant.opened', user: 'carl', method: 'phone', address: LAPTOP }),
    );
  });

  it('a grant is for the services and the time of its user', async () => {
    await started({ users: [{ ...CARL, services: SSH_AND_WEB, ttl: minutes(30) }] });
    const call = await login();
    await call.reply('1');
    await call.reply('203*0*113*7#');
    await call.reply('1');
    expect(rig.firewall.open).toEqual(['ssh 203.0.113.7', 'web 203.0.113.7']);
    expect(call.last).toContain('Access granted, for 30m');
    await rig.clock.advance(minutes(30));
    expect(rig.firewall.open).toEqual([]);
  });

  it('the strikes of an address are cleared along with it', async () => {
    const call = await login();
    await call.reply('1');
    await call.reply('203*0*113*7#');
    await call.reply('1');
    expect(rig.cleared).toEqual([LAPTOP]);
  });

  it.each(['127*0*0*1', '0*0*0*0', '224*0*0*1', OWN.replaceAll('.', '*')])('%s is never let in', async (typed) => {
    const call = await login();
    await call.reply('1');
    await call.reply(`${typed}#`);
    await call.listen();
    expect(call.said.join(' ')).toContain('That is not an address that can be let in.');
    expect(rig.ledger.size).toBe(0);
  });

  it('a softphone’s own address is offered and let in, and a /64 of it where that is configured', async () => {
    await started({ ipv6Prefix: 64 });
    const call = await login(CARL, PIN, { address: parseAddress('2001:db8::7') });
    expect(call.last).toContain('press 4');
    await call.reply('4');
    await call.reply('1');
    expect(grants()).toEqual(['carl 2001:db8::/64 phone']);
  });

  it.each([
    ['of a call that has none', undefined],
    ['that is the host’s own', OWN],
    ['that is loopback', parseAddress('127.0.0.1')],
  ])('an own address is not offered: one %s', async (_, address) => {
    const call = await login(CARL, PIN, address === undefined ? {} : { address });
    expect(call.last).not.toContain('press 4');
    await call.reply('4');
    expect(rig.ledger.size).toBe(0);
  });

  it('what is open is told and closed, one’s own alone', async () => {
    await started({ users: [CARL, DORA, ANNA] });
    await knock(ANNA, OTHER);
    await knock(CARL);
    const call = await login();
    await call.reply('3');
    await call.listen();
    expect(call.last).toContain('203.0.113.7 for another 1h');
    await call.press('1');
    await call.listen();
    expect(grants()).toEqual([`anna ${OTHER} knock`]);
    expect(rig.store.events.at(-1)).toMatchObject({ event: 'grant.revoked', user: 'carl', detail: 'by phone' });
  });

  it('nothing is open for whom nothing is', async () => {
    await knock(CARL);
    const call = await login(DORA, '271828');
    await call.reply('3');
    await call.listen();
    expect(call.said.join(' ')).toContain('Nothing is open for you.');
  });

  it('what the packet filter does not take is not told to be open', async () => {
    const call = await login();
    await call.reply('1');
    await call.reply('203*0*113*7#');
    rig.firewall.fault = new SallyportError('SP_FIREWALL_FAILED', { problem: 'no memory' });
    await call.reply('1');
    expect(call.last).toContain(FAILED);
    expect(rig.ledger.size).toBe(0);
  });

  it('opens although the disk is full', async () => {
    const call = await login();
    await call.reply('1');
    await call.reply('203*0*113*7#');
    rig.store.fault = () => new SallyportError('SP_STORE_FULL', { directory: '/state' });
    await call.reply('1');
    expect([rig.firewall.open, call.last]).toEqual([['ssh 203.0.113.7'], expect.stringContaining(GRANTED)]);
  });
});

describe('a pairing code', () => {
  it('opens for the address of the knock that brought it, once its user says it', async () => {
    await knock(CARL, LAPTOP, CODE);
    expect([rig.firewall.open, rig.store.told]).toEqual([[], ['claim.made']]);
    const call = await login();
    await call.reply('2');
    await call.reply(CODE);
    await call.listen();
    expect(call.last).toContain('203.0.113.7 It may use ssh for 1h');
    await call.press('1');
    expect([grants(), rig.claims.list()]).toEqual([[`carl ${LAPTOP} phone`], []]);
  });

  it('opens an IPv6 address without typing', async () => {
    await knock(CARL, parseAddress('2001:db8::7'), CODE);
    const call = await login();
    await call.reply('2');
    await call.reply(CODE);
    await call.reply('1');
    expect(rig.firewall.open).toEqual(['ssh 2001:db8::7']);
  });

  it('is none to anybody else', async () => {
    await knock(CARL, LAPTOP, CODE);
    const call = await login(DORA, '271828');
    await call.reply('2');
    await call.reply(CODE);
    await call.listen();
    expect(call.said.join(' ')).toContain('No request with that code is waiting.');
    expect([rig.ledger.size, rig.claims.list().length]).toEqual([0, 1]);
  });

  it('is none after five minutes, not even one that was read back before', async () => {
    await knock(CARL, LAPTOP, CODE);
    await rig.clock.advance(minutes(4.9));
    const call = await login();
    await call.reply('2');
    await call.reply(CODE);
    await call.listen();
    expect(call.last).toContain('203.0.113.7');
    await rig.clock.advance(seconds(7));
    await call.press('1');
    expect([rig.ledger.size, call.last]).toEqual([0, expect.stringContaining(FAILED)]);
  });

  it('that a second claim clashed with opens for nobody, not even if it was read back before', async () => {
    await knock(CARL, LAPTOP, CODE);
    const call = await login();
    await call.reply('2');
    await call.reply(CODE);
    await call.listen();
    await knock(CARL, OTHER, CODE);
    await call.press('1');
    expect([rig.ledger.size, call.last]).toEqual([0, expect.stringContaining(FAILED)]);
    expect(rig.store.told).toContain('claim.refused');
  });

  it('may be knocked for again while it is read back', async () => {
    await knock(CARL, LAPTOP, CODE);
    const call = await login();
    await call.reply('2');
    await call.reply(CODE);
    await call.listen();
    await knock(CARL, LAPTOP, CODE);
    await call.press('1');
    expect(grants()).toEqual([`carl ${LAPTOP} phone`]);
    expect(rig.store.told.filter((event) => event === 'claim.made')).toHaveLength(1);
  });

  it('is in no log and no journal', async () => {
    await knock(CARL, LAPTOP, CODE);
    await knock(DORA, OTHER, CODE);
    expect(inspect([rig.store.kept, rig.log.lines], { depth: 9, maxArrayLength: null })).not.toContain(CODE);
  });

  it('that cannot be read opens nothing', async () => {
    const payload = encodePairing(CODE).with(8, 0x00);
    await rig.doorkeeper.knocks([{ ...knockOf(CARL), payload }]);
    await rig.settle();
    expect([rig.firewall.open, rig.store.told]).toEqual([[], ['claim.refused']]);
  });
});

describe('a user with approval by phone', () => {
  it('is let in by a knock and a yes, and by neither alone', async () => {
    await knock(DORA);
    expect(rig.firewall.open).toEqual([]);
    expect(rig.store.events).toMatchObject([
      { event: 'claim.made', user: 'dora', address: LAPTOP, method: 'knock', detail: 'waits 5m for a call' },
    ]);
    const call = await login(DORA, '271828');
    expect(call.last).toContain('To allow the request that is waiting, press 2.');
    await call.reply('2');
    await call.listen();
    expect(call.last).toContain('203.0.113.7');
    await call.press('1');
    expect(grants()).toEqual([`dora ${LAPTOP} phone`]);
  });

  it('hears that no request waits, and may knock in the same call', async () => {
    const call = await login(DORA, '271828');
    expect(call.last).toContain('No request is waiting.');
    await knock(DORA);
    await call.reply('2');
    await call.listen();
    expect(call.last).toContain('203.0.113.7');
    await call.press('1');
    expect(grants()).toEqual([`dora ${LAPTOP} phone`]);
  });

  it('is let in by a pairing code, with another request waiting or not', async () => {
    await knock(DORA, LAPTOP, CODE);
    const paired = await login(DORA, '271828');
    expect(paired.last).not.toContain('No request is waiting.');
    await paired.reply('2');
    await paired.reply(CODE);
    await paired.reply('1');
    await knock(DORA, LAPTOP);
    await knock(DORA, OTHER, CODE);
    const both = await login(DORA, '271828');
    await both.reply('2');
    await both.reply('2');
    await both.reply(CODE);
    await both.reply('1');
    expect(grants()).toEqual([`dora ${LAPTOP} phone`, `dora ${OTHER} phone`]);
  });

  it('allows what was read back, whoever knocks meanwhile', async () => {
    await knock(DORA);
    const call = await login(DORA, '271828');
    await call.reply('2');
    await call.listen();
    await knock(DORA, OTHER);
    await call.press('1');
    expect(grants()).toEqual([`dora ${LAPTOP} phone`]);
  });

  it('has what was opened early taken out again', async () => {
    const early = { id: 'ABCDEFGH' as never, services: SSH };
    await rig.firewall.change({
      present: [
        { scope: SSH[0] as never, target: LAPTOP, until: (rig.clock.monotonic() + 1e6) as never, comment: null },
      ],
      absent: [],
      answered: [],
    });
    await rig.doorkeeper.knocks([{ ...knockOf(DORA), early }]);
    await rig.settle();
    expect([rig.firewall.open, rig.ledger.size]).toEqual([[], 0]);
  });

  it('keeps what is open, and is not asked twice for one address', async () => {
    rig.change({ ...DORA, approval: 'none' });
    await knock(DORA);
    rig.change(DORA);
    await knock(DORA);
    await knock(DORA);
    expect(grants()).toEqual([`dora ${LAPTOP} knock`]);
    expect(rig.store.told).toEqual(['grant.opened', 'claim.made']);
  });

  it('whose sequence is drawn anew has no claim of the old one', async () => {
    await knock(DORA);
    rig.change({ ...DORA, sequenceId: 99 });
    const call = await login(DORA, '271828');
    expect(call.last).toContain('No request is waiting.');
  });

  it('has nothing to say yes to once an operator revokes the claim, whose address was read back or not', async () => {
    await knock(DORA);
    await knock(DORA, OTHER);
    const call = await login(DORA, '271828');
    await call.reply('2');
    await call.listen();
    expect(call.last).toContain(OTHER);
    const dropped = rig.claimDesk.revoke(({ address }) => address === OTHER, 'by an operator');
    expect(dropped).toMatchObject([{ user: { name: 'dora' }, address: OTHER }]);
    await rig.settle();
    expect(rig.store.events.at(-1)).toMatchObject({ event: 'claim.revoked', user: 'dora', address: OTHER });
    await call.press('1');
    expect([call.last, grants()]).toEqual([expect.stringContaining(FAILED), []]);
    expect(rig.claims.list()).toMatchObject([{ address: LAPTOP }]);
    rig.claimDesk.revoke(({ user }) => user.id === DORA.id, 'by an operator');
    await rig.settle();
    expect([rig.claims.list(), rig.details('claim.revoked')]).toEqual([[], ['by an operator', 'by an operator']]);
    expect((await login(DORA, '271828')).last).toContain('No request is waiting.');
  });

  it('opens nothing where nobody can say yes, and the journal says why', async () => {
    await started({ hasPhone: false });
    await knock(DORA);
    expect(rig.firewall.open).toEqual([]);
    expect(rig.details('claim.made')).toEqual(['waits 5m for a call, but the configuration has no phone section']);
  });
});

describe('a stolen PIN alone', () => {
  const CALLED: User = { ...ERIK, pinHash: kept(PIN) };
  const APPROVED: User = { ...DORA, pinHash: kept(PIN) };

  it.each([APPROVED, CALLED])('opens nothing where approval is by $approval', async (user) => {
    await started({ users: [user] });
    for (const keys of ['1203*0*113*7#1', '41', '2000000']) {
      const call = await login(user, PIN, { address: OTHER });
      expect(call.last).not.toMatch(/press [14]/);
      await call.press(keys);
      for (let n = 0; n < 3; n++) await call.reply('1');
      await call.hangUp();
    }
    expect([rig.firewall.open, rig.ledger.size]).toEqual([[], 0]);
  });

  it.each<User['approval']>(['phone', 'callback'])(
    'lets in no address once approval is by %s, although the menu of this call asks for it',
    async (approval) => {
      const call = await login(CARL, PIN, { address: OTHER });
      rig.change({ ...CARL, approval });
      await call.reply('1');
      await call.reply('203*0*113*7#');
      await call.listen();
      expect(call.said.join(' ')).toContain('That is not an address that can be let in.');
      const other = await login(CARL);
      expect(other.last).not.toContain('press 1');
      expect(rig.ledger.size).toBe(0);
    },
  );

  it('lets in no own address once there is an approval', async () => {
    const call = await login(CARL, PIN, { address: OTHER });
    rig.change({ ...CARL, approval: 'phone' });
    await call.reply('4');
    await call.listen();
    expect(call.last).toContain('That is not an address that can be let in.');
    await call.reply('1');
    expect(rig.ledger.size).toBe(0);
  });
});

describe('who does not know the PIN', () => {
  const attempt = async (account: string, pin: string, about = {}) => {
    const call = await rig.pbx.dial(about);
    await call.reply(`${account}#`);
    await call.reply(`${pin}#`);
    await rig.clock.advance(seconds(3));
    return await call.listen();
  };

  it('hears the same words as who has no account', async () => {
    const [wrong, unknown] = [await attempt('1001', '111111'), await attempt('7777', '111111')];
    expect(wrong.said).toEqual(unknown.said);
    expect(wrong.said.join(' ')).toContain(WRONG);
    expect(rig.scrypt.tries).toBe(2);
  });

  it('is told to the journal by the name of the account alone, where there is one', async () => {
    await attempt('1001', '111111', { callerId: '15550199' });
    await attempt('7777', '222222');
    expect(refusals()).toMatchObject([
      { user: 'carl', method: 'phone', detail: 'a wrong PIN; caller 15550199' },
      { user: null, method: 'phone', detail: 'an unknown account' },
    ]);
  });

  it('has three tries in a call', async () => {
    const call = await rig.pbx.dial();
    for (const pin of ['111111', '222222', '333333']) {
      await call.reply('1001#');
      await call.reply(`${pin}#`);
      await rig.clock.advance(seconds(10));
    }
    await call.listen();
    expect([call.isUp, refusals().length]).toEqual([false, 3]);
  });

  it('is locked out after ten, with an alarm, and then the right PIN does not help', async () => {
    for (let n = 0; n < 10; n++) {
      const call = await attempt('1001', `11111${n}`);
      await rig.clock.advance(seconds(20));
      await call.hangUp();
    }
    expect(rig.store.events.filter(({ event }) => event === 'alarm.raised')).toMatchObject([
      { user: 'carl', method: 'phone', detail: expect.stringContaining('locked out') },
    ]);
    expect(rig.log.messages('warn').join('\n')).toContain('alarm.raised');
    const call = await attempt('1001', PIN);
    await rig.clock.advance(seconds(20));
    await call.listen();
    expect(call.said.join(' ')).toContain(WRONG);
    expect(refusals().at(-1)?.detail).toBe('the account is locked out');
    await call.hangUp();
    await rig.clock.advance(hours(2));
    expect((await login()).last).toContain('press 1');
  });

  it('is forgiven with a new PIN', async () => {
    for (let n = 0; n < 10; n++) {
      const call = await attempt('1001', `11111${n}`);
      await rig.clock.advance(seconds(20));
      await call.hangUp();
    }
    const changed = { ...CARL, pinHash: kept('606060') };
    rig.change(changed);
    rig.pins.forgive(changed);
    const call = await attempt('1001', '606060');
    await rig.clock.advance(seconds(20));
    await call.listen();
    expect(call.last).toContain('press 1');
  });

  it('is counted although they hang up before the verdict', async () => {
    let release = (): void => undefined;
    rig.scrypt.held = new Promise((resolve) => {
      release = resolve;
    });
    const call = await rig.pbx.dial();
    await call.reply('1001#');
    await call.reply('111111#');
    await call.hangUp();
    release();
    await rig.settle();
    expect(refusals()).toHaveLength(1);
  });

  it('gets nothing by giving the right PIN and hanging up', async () => {
    let release = (): void => undefined;
    rig.scrypt.held = new Promise((resolve) => {
      release = resolve;
    });
    const call = await rig.pbx.dial();
    await call.reply('1001#');
    await call.reply(`${PIN}#`);
    await call.hangUp();
    const { length } = call.said;
    release();
    await rig.clock.advance(seconds(30));
    expect([call.said.length, refusals(), rig.ledger.size]).toEqual([length, [], 0]);
  });

  it('of an account without a PIN is never let in', async () => {
    rig.change({ ...CARL, pinHash: null });
    const call = await attempt('1001', '000000');
    expect(call.said.join(' ')).toContain(WRONG);
  });
});

describe('a user who is changed or removed in the middle of a call', () => {
  const readBack = async () => {
    const call = await login();
    await call.reply('1');
    await call.reply('203*0*113*7#');
    return await call.listen();
  };

  it.each<[string, () => void]>([
    ['is removed', () => rig.people.remove(CARL)],
    ['has a new PIN', () => rig.change({ ...CARL, pinHash: kept('606060') })],
    ['has another account', () => rig.change({ ...CARL, account: '1009' })],
    ['has other services', () => rig.change({ ...CARL, services: SSH_AND_WEB })],
    ['has another time', () => rig.change({ ...CARL, ttl: minutes(5) })],
    ['has an approval by phone', () => rig.change({ ...CARL, approval: 'phone' })],
    ['has an approval by a call-back', () => rig.change({ ...CARL, approval: 'callback' })],
  ])('opens nothing that was read back before: who %s', async (_, change) => {
    const call = await readBack();
    change();
    await call.press('1');
    expect([rig.ledger.size, call.last]).toEqual([0, expect.stringContaining(FAILED)]);
  });

  it('hears nothing of what is open', async () => {
    await knock(CARL);
    const call = await login();
    rig.people.remove(CARL);
    await call.reply('3');
    await call.listen();
    expect(call.said.join(' ')).not.toContain('203.0.113.7');
  });

  it('may go on where nothing has changed that matters', async () => {
    const call = await readBack();
    rig.change({ ...CARL, maxAddresses: 2 });
    await call.press('1');
    expect(grants()).toEqual([`carl ${LAPTOP} phone`]);
  });
});

describe('calls', () => {
  it('do not disturb each other: twenty at once', async () => {
    const calls = await Promise.all(Array.from({ length: 20 }, () => rig.pbx.dial()));
    for (const keys of ['1001#', `${PIN}#`]) for (const call of calls) await call.reply(keys);
    await rig.clock.advance(seconds(15));
    for (const [n, call] of calls.entries()) {
      await call.reply('1');
      await call.reply(`198*51*100*${100 + n}#`);
      await call.reply('1');
    }
    const last = calls.map((call) => call.last.includes('Access granted'));
    expect(last).toEqual(calls.map(() => true));
    expect([...rig.ledger.all()].map((grant) => grant.target).sort()).toEqual(
      [115, 116, 117, 118, 119].map((n) => target(`198.51.100.${n}`)),
    );
  });

  it('are bounded in number: a call too many is not answered', async () => {
    const calls = await Promise.all(Array.from({ length: 33 }, () => rig.pbx.dial()));
    expect(calls.map((call) => call.isUp)).toEqual([...Array.from({ length: 32 }, () => true), false]);
    await calls[0]?.hangUp();
    expect((await rig.pbx.dial()).isUp).toBe(true);
    expect(rig.desk.health().calls).toBe(32);
  });

  it('are bounded in length', async () => {
    const call = await login();
    for (let n = 0; n < 100 && call.isUp; n++) {
      await rig.clock.advance(seconds(2));
      await call.press('3');
      await call.listen();
    }
    expect(call.isUp).toBe(false);
    expect(rig.desk.health().calls).toBe(0);
  });

  it('end with silence', async () => {
    const call = await rig.pbx.dial();
    for (let n = 0; n < 4; n++) {
      await call.listen();
      await rig.clock.advance(seconds(10));
    }
    await call.listen();
    expect([call.isUp, rig.desk.health().calls]).toEqual([false, 0]);
  });

  it('that the PBX lost are over, and the next one is answered', async () => {
    const calls = await Promise.all([login(), login(DORA, '271828')]);
    for (const call of calls) call.end();
    await rig.settle();
    expect(rig.desk.health().calls).toBe(0);
    expect((await login()).last).toContain('press 1');
  });

  it('end at every step without a trace', async () => {
    for (const keys of [
      [],
      ['1001#'],
      ['1001#', `${PIN}#`],
      ['1001#', `${PIN}#`, '1'],
      ['1001#', `${PIN}#`, '1', '203*0*113*7#'],
    ]) {
      const call = await rig.pbx.dial();
      for (const part of keys) await call.reply(part);
      await call.hangUp();
      await rig.clock.advance(minutes(4));
      expect([rig.desk.health().calls, rig.ledger.size]).toEqual([0, 0]);
    }
  });

  it('are told good-bye in time, before the 180 s of the dialplan are over, however busy the caller is', async () => {
    const call = await rig.pbx.dial();
    for (let n = 0; n < 33; n++) {
      await call.reply('*');
      await rig.clock.advance(seconds(5));
    }
    expect([call.isUp, call.said.some((words) => words.includes('Goodbye'))]).toEqual([true, false]);
    await rig.clock.advance(seconds(6));
    expect([call.isUp, call.last]).toEqual([true, 'Goodbye.']);
    await call.listen();
    expect([call.isUp, rig.desk.health().calls]).toEqual([false, 0]);
  });

  it('are hung up in time though good-bye is never heard to its end', async () => {
    const call = await rig.pbx.dial();
    for (let n = 0; n < 34; n++) {
      await call.reply('*');
      await rig.clock.advance(seconds(5));
    }
    expect(call.last).toBe('Goodbye.');
    await rig.clock.advance(seconds(9));
    expect([call.isUp, rig.desk.health().calls]).toEqual([false, 0]);
  });

  it('do not hear the end of sounds that a digit has cut off', async () => {
    const call = await rig.pbx.dial();
    await call.press('1');
    const before = call.said.length;
    call.playedLate(1);
    await rig.clock.advance(seconds(1));
    expect(call.said).toHaveLength(before);
  });

  it('take digits typed ahead', async () => {
    const call = await rig.pbx.dial();
    await call.press(`1001#${PIN}#1203*0*113*7#`);
    await call.listen();
    expect(call.last).toContain('203.0.113.7');
    await call.press('1');
    expect(grants()).toEqual([`carl ${LAPTOP} phone`]);
  });

  it('are ended when the gateway stops, and the link with them', async () => {
    const call = await login();
    await rig.desk.stop();
    expect([call.isUp, rig.pbx.isStopped]).toEqual([false, true]);
  });
});

describe('what is pressed', () => {
  it('is in no log, no journal and no record', async () => {
    const call = await rig.pbx.dial({ callerId: '15550123' });
    for (const keys of ['31415926#', '271828182#', '1001#', `${PIN}9#`]) {
      await call.reply(keys);
      await rig.clock.advance(seconds(10));
    }
    await call.reply('1001#');
    await call.reply(`${PIN}#`);
    await rig.clock.advance(seconds(15));
    await call.reply('1');
    await call.reply('203*0*113*7#');
    await call.reply('1');
    const trace = inspect([rig.store.kept, rig.log.lines], { depth: 9, maxArrayLength: null });
    expect(grants()).toEqual([`carl ${LAPTOP} phone`]);
    for (const digits of ['31415926', '271828182', PIN, '203*0*113*7']) expect(trace).not.toContain(digits);
  });
});
