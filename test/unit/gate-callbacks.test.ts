import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseAddress } from '../../src/core/address.ts';
import { encodePairing, type PairingCode } from '../../src/core/pairing.ts';
import { hours, minutes, seconds } from '../../src/core/time.ts';
import { knockOf, LAPTOP, OWN } from '../support/gate-rig.ts';
import { CARL, DORA, ERIK, kept, type PhoneRig, phoneRig } from '../support/phone-rig.ts';

const ERIKS_PIN = '951413';
const OTHER = parseAddress('203.0.113.9');

let rig: PhoneRig;

beforeEach(async () => {
  rig = phoneRig();
  await rig.start();
});
afterEach(async () => {
  await rig.desk.stop();
  rig.doorkeeper.stop();
  rig.guard.stop();
  vi.useRealTimers();
});

const knock = async (user = ERIK, source = LAPTOP, payload: Uint8Array = new Uint8Array()) => {
  await rig.doorkeeper.knocks([{ ...knockOf(user, source), payload }]);
  await rig.settle();
};
const grants = () => [...rig.ledger.all()].map(({ user, target, method }) => `${user?.name} ${target} ${method}`);
const alarms = () => rig.store.events.filter(({ event }) => event === 'alarm.raised');

describe('a user with approval by call-back', () => {
  it('is rung at their number when their knock comes, and nothing is open yet', async () => {
    await knock();
    expect(rig.pbx.ringing).toEqual([{ ring: expect.any(String), number: ERIK.number }]);
    expect(rig.firewall.open).toEqual([]);
    expect(rig.details('claim.made')).toEqual(['waits 5m for an answer to a call']);
  });

  it('hears the address, and lets it in by the PIN', async () => {
    await knock();
    const call = await rig.pbx.pickUp();
    expect(call.last).toContain('203.0.113.7');
    await call.listen();
    expect(call.last).toContain('It may use ssh for 1h');
    await call.reply(`${ERIKS_PIN}#`);
    expect(grants()).toEqual([`erik ${LAPTOP} phone`]);
    await call.listen();
    expect([call.last, call.isUp]).toEqual([expect.stringContaining('Access granted, for 1h'), false]);
    expect([rig.claims.list(), rig.details('claim.unanswered')]).toEqual([[], []]);
  });

  it('closes everything of theirs by 9, with an alarm, and is left in peace for an hour', async () => {
    rig.change({ ...ERIK, approval: 'none' });
    await knock(ERIK, OTHER);
    await knock(CARL, OTHER);
    rig.change(ERIK);
    await knock();
    const call = await rig.pbx.pickUp();
    await call.reply('9');
    await rig.clock.advance(seconds(4));
    await call.listen();
    expect(grants()).toEqual([`carl ${OTHER} knock`]);
    expect(alarms()).toMatchObject([{ user: 'erik', address: LAPTOP, method: 'phone' }]);
    expect(rig.log.messages('warn').join()).toContain('alarm.raised');
    expect(rig.claims.list()).toEqual([]);
    await knock();
    expect(rig.pbx.ringing).toEqual([]);
    await rig.clock.advance(hours(1));
    await knock();
    expect(rig.pbx.ringing).toHaveLength(1);
  });

  it.each([
    ['busy', 'the number is busy'],
    ['unanswered', 'nobody picked up'],
    ['unreachable', 'the number cannot be reached'],
  ] as const)('is told of in the journal where the number is %s', async (why, detail) => {
    await knock();
    await rig.pbx.fail(why);
    expect(rig.store.events.at(-1)).toMatchObject({ event: 'claim.unanswered', user: 'erik', address: LAPTOP, detail });
    expect(rig.firewall.open).toEqual([]);
    // Whoever missed the call can call.
    expect(rig.claims.list()).toHaveLength(1);
  });

  it('who says nothing lets nobody in', async () => {
    await knock();
    const call = await rig.pbx.pickUp();
    for (let n = 0; n < 4; n++) {
      await call.listen();
      await rig.clock.advance(seconds(9));
    }
    await call.listen();
    expect([call.isUp, rig.ledger.size]).toEqual([false, 0]);
    expect(rig.details('claim.unanswered')).toEqual(['somebody picked up and did not say yes']);
  });

  it('who does not know the PIN lets nobody in, and is counted at the account', async () => {
    await knock();
    const call = await rig.pbx.pickUp();
    for (const pin of ['111111#', '222222#', '333333#']) {
      await call.reply(pin);
      await rig.clock.advance(seconds(15));
    }
    await call.listen();
    expect([call.isUp, rig.ledger.size]).toEqual([false, 0]);
    expect(rig.details('attempt.refused')).toEqual(['a wrong PIN', 'a wrong PIN', 'a wrong PIN']);
  });

  it('who hangs up right after the PIN has said yes or nothing, and the journal agrees', async () => {
    await knock();
    const call = await rig.pbx.pickUp();
    await call.listen();
    const pressed = call.press(`${ERIKS_PIN}#`);
    call.end();
    await pressed;
    await rig.clock.advance(seconds(20));
    expect(rig.details('claim.unanswered')).toHaveLength(rig.ledger.size === 0 ? 1 : 0);
  });

  it('is not rung again while it rings or while they are asked, however often it is knocked', async () => {
    await knock();
    await knock();
    await knock(ERIK, OTHER);
    expect(rig.pbx.ringing).toHaveLength(1);
    const call = await rig.pbx.pickUp();
    await knock();
    expect(rig.pbx.ringing).toEqual([]);
    await call.reply(`${ERIKS_PIN}#`);
    await call.listen();
    expect(grants()).toEqual([`erik ${LAPTOP} phone`]);
    await knock(ERIK, OTHER);
    expect(rig.pbx.ringing).toHaveLength(1);
  });

  it('is rung six times an hour at most, and the journal says so once', async () => {
    for (let n = 0; n < 9; n++) {
      await knock();
      if (rig.pbx.ringing.length > 0) await rig.pbx.fail('unanswered');
      await rig.clock.advance(minutes(1));
    }
    const details = rig.details('claim.unanswered');
    expect(details.filter((detail) => detail === 'nobody picked up')).toHaveLength(6);
    expect(details.filter((detail) => detail === 'not rung: too many calls within an hour')).toHaveLength(1);
    await rig.clock.advance(hours(1));
    await knock();
    expect(rig.pbx.ringing).toHaveLength(1);
  });

  it('of which the PBX tells nothing any more can be rung again', async () => {
    await knock();
    await rig.clock.advance(minutes(2));
    expect(rig.details('claim.unanswered')).toEqual(['the number cannot be reached']);
    rig.pbx.ringing.length = 0;
    await knock();
    expect(rig.pbx.ringing).toHaveLength(1);
  });

  it('without a number is not rung; the claim waits for a call', async () => {
    rig.change({ ...ERIK, number: null });
    await knock();
    expect([rig.pbx.ringing, rig.details('claim.unanswered')]).toEqual([[], ['there is no number to ring']]);
    expect(rig.claims.list()).toHaveLength(1);
  });

  it('can call as well, where the ring was missed', async () => {
    await knock();
    await rig.pbx.fail('unanswered');
    const call = await rig.pbx.dial();
    await call.reply('1003#');
    await call.reply(`${ERIKS_PIN}#`);
    await call.reply('2');
    await call.reply('1');
    expect(grants()).toEqual([`erik ${LAPTOP} phone`]);
  });

  it('is not rung for a pairing code: that says how it is to be confirmed', async () => {
    await knock(ERIK, LAPTOP, encodePairing('402913' as PairingCode));
    expect([rig.pbx.ringing, rig.claims.list().length]).toEqual([[], 1]);
  });

  it('who has no account is asked all the same, and locked out all the same', async () => {
    rig.change({ ...ERIK, account: null });
    await knock();
    const call = await rig.pbx.pickUp();
    await call.reply(`${ERIKS_PIN}#`);
    expect(grants()).toEqual([`erik ${LAPTOP} phone`]);
  });
});

describe('who picks up', () => {
  it.each<[string, () => void]>([
    ['the user was removed', () => rig.people.remove(ERIK)],
    ['the sequence was drawn anew', () => rig.change({ ...ERIK, sequenceId: 88 })],
  ])('is asked nothing where %s meanwhile', async (_, change) => {
    await knock();
    change();
    const call = await rig.pbx.pickUp();
    expect([call.isUp, call.said]).toEqual([false, []]);
  });

  it.each<[string, () => void]>([
    ['the user was removed', () => rig.people.remove(ERIK)],
    ['the sequence was drawn anew', () => rig.change({ ...ERIK, sequenceId: 88 })],
    ['the PIN is another', () => rig.change({ ...ERIK, pinHash: kept('606060') })],
  ])('lets nobody in where %s after they had picked up', async (_, change) => {
    await knock();
    const call = await rig.pbx.pickUp();
    change();
    await call.reply(`${ERIKS_PIN}#`);
    await rig.clock.advance(seconds(20));
    await call.listen();
    expect(rig.ledger.size).toBe(0);
  });

  it('for a ring that is none of ours is hung up', async () => {
    const call = await rig.pbx.pickUp();
    expect(call.isUp).toBe(false);
  });

  it('cannot be the host itself: such a knock is no claim', async () => {
    await knock(ERIK, OWN);
    await knock(DORA, OWN);
    expect([rig.pbx.ringing, rig.claims.list(), rig.store.told]).toEqual([
      [],
      [],
      ['attempt.refused', 'attempt.refused'],
    ]);
  });
});

describe('the number of a user', () => {
  it('is in no log and no journal', async () => {
    await knock();
    const call = await rig.pbx.pickUp();
    await call.reply('9#');
    await call.listen();
    expect(inspect([rig.store.kept, rig.log.lines], { depth: 9, maxArrayLength: null })).not.toContain(ERIK.number);
  });
});
