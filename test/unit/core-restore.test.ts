import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KernelElement } from '../../src/core/firewall.ts';
import { formatComment } from '../../src/core/grants/comment.ts';
import { formatDeparted, parseDeparted } from '../../src/core/grants/departed.ts';
import { elementsOf } from '../../src/core/grants/elements.ts';
import type { Grant, GrantRecord } from '../../src/core/grants/grant.ts';
import { HeldTargets } from '../../src/core/grants/held.ts';
import {
  adoptGrants,
  holdDeparted,
  holdRecorded,
  type Lapse,
  restoreGrant,
  type Users,
} from '../../src/core/grants/restore.ts';
import { hours, type Instant, after as later, type Monotonic, millis, minutes, seconds } from '../../src/core/time.ts';
import { address, anyText, service } from '../support/core-arbitraries.ts';
import { EIGHT, FakeClock } from '../support/fake-clock.ts';
import { grantId, grantOf, owner, SSH, SSH_AND_WEB, target } from '../support/grants.ts';

const MAX_TTL = hours(12);
const users = new Map([1, 2, 3].map((id) => [id, owner(id)]));

interface Remains extends Lapse {
  readonly records: readonly GrantRecord[];
  readonly elements: readonly KernelElement[] | null;
  readonly users: Users;
}

/** Restores all that is recorded by what stands at its places, and adopts what nobody knows. */
function restoreGrants({ records, elements, users, ...lapse }: Remains, clock: FakeClock) {
  const live: Grant[] = [];
  const ended: { id: Grant['id']; at: Instant }[] = [];
  for (const record of records.filter((one) => one.ended === null)) {
    const { target, services } = record.grant;
    const own = (elements ?? []).filter((one) => one.target === target && services.some((name) => name === one.scope));
    const grant = restoreGrant(record, own, lapse, clock);
    if (grant.expires > clock.monotonic()) live.push(grant);
    else ended.push({ id: grant.id, at: record.expiresAt });
  }
  const known = new Set(records.map(({ grant }) => grant.id));
  const { adopted, orphaned } = adoptGrants(elements ?? [], (id) => known.has(id), users, lapse, clock);
  return { live: [...live, ...adopted], adopted, orphaned, ended };
}

const remains = (change: Partial<Remains>): Remains => ({
  records: [],
  elements: null,
  isSameBoot: false,
  lastAlive: EIGHT,
  users,
  maxTtl: MAX_TTL,
  ...change,
});

/** A grant with so much time left on these clocks, and its record as it was written a moment ago. */
function recorded(clock: FakeClock, left: number, change: Partial<Grant> = {}): GrantRecord {
  const grant = grantOf({ expires: later(clock.monotonic(), millis(left)), ...change });
  return { grant, expiresAt: (clock.now() + left) as Instant, ended: null };
}

/** The element as it stands in the kernel. */
function inKernel(where: Grant['target'], grants: readonly Grant[]): KernelElement[] {
  return elementsOf(where, grants);
}

const leftOf = (clock: FakeClock, grant: Grant | undefined) => (grant?.expires ?? Number.NaN) - clock.monotonic();

describe('within one boot', () => {
  it('what is left is exactly what was left, wherever the wall clock was set', () => {
    const left = fc.integer({ min: -hours(1), max: MAX_TTL });
    fc.assert(
      fc.property(left, fc.nat(hours(14)), fc.integer({ min: -hours(30), max: hours(30) }), (atStop, off, set) => {
        const clock = new FakeClock();
        const record = recorded(clock, atStop);
        clock.advance(millis(off));
        clock.setWall(millis(set));
        const { live, ended, adopted } = restoreGrants(remains({ records: [record], isSameBoot: true }), clock);
        expect(adopted).toEqual([]);
        if (atStop > off) expect([live, ended]).toEqual([[record.grant], []]);
        else expect([live, ended.map(({ id, at }) => [id, at])]).toEqual([[], [[record.grant.id, record.expiresAt]]]);
      }),
    );
  });

  it("the kernel's timeout is the truth for a grant that has its element to itself", () => {
    const clock = new FakeClock();
    const record = recorded(clock, hours(1), { services: SSH_AND_WEB });
    const elements = inKernel(record.grant.target, [
      { ...record.grant, expires: later(clock.monotonic(), minutes(42)) },
    ]);
    expect(elements).toHaveLength(2);
    for (const isSameBoot of [true, false]) {
      const { live } = restoreGrants(remains({ records: [record], elements, isSameBoot }), clock);
      expect(live.map((grant) => leftOf(clock, grant))).toEqual([minutes(42)]);
    }
  });

  it('a grant that shares an element has the time of its own record, not that of the longest', () => {
    const clock = new FakeClock();
    const short = recorded(clock, minutes(10));
    const long = recorded(clock, minutes(50), { id: grantId(2), user: owner(2) });
    const elements = inKernel(short.grant.target, [short.grant, long.grant]);
    clock.setWall(hours(-1));
    const { live } = restoreGrants(remains({ records: [short, long], elements, isSameBoot: true }), clock);
    expect(live.map((grant) => leftOf(clock, grant))).toEqual([minutes(10), minutes(50)]);
  });

  it('shares with others in one scope only: its own record counts, in whatever order the elements come', () => {
    const clock = new FakeClock();
    const both = recorded(clock, minutes(10), { services: SSH_AND_WEB });
    const ssh = recorded(clock, minutes(50), { id: grantId(2), user: owner(2), services: SSH });
    const elements = inKernel(both.grant.target, [both.grant, ssh.grant]);
    for (const order of [elements, elements.toReversed()]) {
      const { live } = restoreGrants(remains({ records: [both, ssh], elements: order, isSameBoot: true }), clock);
      expect(live.map((grant) => leftOf(clock, grant))).toEqual([minutes(10), minutes(50)]);
    }
  });

  it("the kernel's timeout counts only where every element names the grant alone", () => {
    const clock = new FakeClock();
    const both = recorded(clock, minutes(10), { services: SSH_AND_WEB });
    const ssh = recorded(clock, minutes(50), { id: grantId(2), user: owner(2), services: SSH });
    const lengthened = { ...both.grant, expires: later(clock.monotonic(), minutes(42)) };
    const [shared] = inKernel(both.grant.target, [both.grant, ssh.grant]);
    const [, alone] = inKernel(both.grant.target, [lengthened]);
    if (shared === undefined || alone === undefined) throw new Error('there is no element');
    for (const elements of [
      [shared, alone],
      [alone, shared],
    ]) {
      const { live } = restoreGrants(remains({ records: [both, ssh], elements, isSameBoot: true }), clock);
      expect(live.map((grant) => leftOf(clock, grant))).toEqual([minutes(10), minutes(50)]);
    }
  });

  it('grants whose elements are gone come back with what is left', () => {
    const clock = new FakeClock();
    const record = recorded(clock, minutes(10));
    const { live } = restoreGrants(remains({ records: [record], elements: [], isSameBoot: true }), clock);
    expect(live).toEqual([record.grant]);
  });
});

describe('after a boot', () => {
  const skew = fc.oneof(fc.constantFrom(-hours(1), hours(1), 0), fc.integer({ min: -hours(30), max: hours(30) }));
  const story = fc.record({
    /** What was left of the grant when the daemon was last known to run. */
    left: fc.integer({ min: 1, max: hours(1) }),
    /** From then until the machine went down, and until it was up again. */
    stillUp: fc.nat(seconds(60)),
    down: fc.nat(hours(2)),
    skew,
  });

  function restored({ left, stillUp, down, skew: by }: { left: number; stillUp: number; down: number; skew: number }) {
    const before = new FakeClock({ monotonic: 900_000_000 });
    const record = recorded(before, left);
    const clock = new FakeClock({ now: before.now() + stillUp + down + by, monotonic: 5000 });
    const result = restoreGrants(remains({ records: [record], lastAlive: before.now() }), clock);
    return { clock, record, result };
  }

  it('a wall clock that is wrong, by an hour or by any time, never lengthens a grant', () => {
    fc.assert(
      fc.property(story, (one) => {
        const { clock, result } = restored(one);
        expect(result.live.length + result.ended.length).toBe(1);
        for (const grant of result.live) {
          expect(leftOf(clock, grant)).toBeGreaterThan(0);
          expect(leftOf(clock, grant)).toBeLessThanOrEqual(one.left);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('a wall clock that is right gives exactly what is left', () => {
    fc.assert(
      fc.property(story, (one) => {
        const { clock, record, result } = restored({ ...one, skew: 0 });
        const left = one.left - one.stillUp - one.down;
        if (left > 0) expect(result.live.map((grant) => leftOf(clock, grant))).toEqual([left]);
        else expect(result.ended.map(({ id, at }) => [id, at])).toEqual([[record.grant.id, record.expiresAt]]);
      }),
    );
  });

  it('a wall clock that is ahead shortens, and one that is behind gives what was left when last known to run', () => {
    const ahead = restored({ left: hours(1), stillUp: 0, down: minutes(5), skew: minutes(30) });
    expect(leftOf(ahead.clock, ahead.result.live[0])).toBe(minutes(25));
    const behind = restored({ left: minutes(30), stillUp: 0, down: minutes(5), skew: -hours(1) });
    expect(leftOf(behind.clock, behind.result.live[0])).toBe(minutes(30));
    const lost = restored({ left: minutes(30), stillUp: 0, down: minutes(5), skew: hours(1) });
    expect(lost.result.live).toEqual([]);
  });

  it('no grant has more than it was opened for, nor more than the maximum that holds now', () => {
    const clock = new FakeClock();
    const record = recorded(clock, hours(5), { ttl: hours(2) });
    for (const lastAlive of [null, (EIGHT - hours(9)) as Instant]) {
      const { live } = restoreGrants(remains({ records: [record], lastAlive }), clock);
      expect(live.map((grant) => leftOf(clock, grant))).toEqual([hours(2)]);
    }
    for (const isSameBoot of [true, false]) {
      const { live } = restoreGrants(remains({ records: [record], maxTtl: minutes(20), isSameBoot }), clock);
      expect(live.map((grant) => leftOf(clock, grant))).toEqual([minutes(20)]);
    }
  });

  it("an element that the boot step has put up counts by the kernel's timeout", () => {
    const clock = new FakeClock();
    const record = recorded(clock, minutes(30));
    const elements = inKernel(record.grant.target, [
      { ...record.grant, expires: later(clock.monotonic(), minutes(7)) },
    ]);
    const { live } = restoreGrants(remains({ records: [record], elements }), clock);
    expect(live.map((grant) => leftOf(clock, grant))).toEqual([minutes(7)]);
  });
});

describe('what has ended', () => {
  it('stays ended, also where the kernel still has an element that names it', () => {
    const clock = new FakeClock();
    const record = recorded(clock, minutes(30));
    const ended = { ...record, ended: { at: clock.now(), reason: 'revoked' as const } };
    const elements = inKernel(record.grant.target, [record.grant]);
    expect(restoreGrants(remains({ records: [ended], elements, isSameBoot: true }), clock)).toEqual({
      live: [],
      adopted: [],
      orphaned: [],
      ended: [],
    });
  });
});

describe('held addresses', () => {
  const heldAfter = (grants: GrantRecord[], departed: string, clock: FakeClock) => {
    const held = new HeldTargets();
    for (const grant of grants) holdRecorded(held, grant, clock);
    holdDeparted(held, { departed }, clock);
    return Object.fromEntries([...held.all()].map(([where, until]) => [where, until - clock.monotonic()]));
  };

  it('are held again for what is left of the day after their grants ended or will end', () => {
    const clock = new FakeClock();
    const live = recorded(clock, minutes(30));
    const ended = (n: number, ago: number): GrantRecord => ({
      ...recorded(clock, hours(1), { id: grantId(n), target: target(`203.0.113.${n}`) }),
      ended: { at: (clock.now() - ago) as Instant, reason: 'expired' },
    });
    expect(heldAfter([live, ended(8, hours(20)), ended(9, hours(26))], '', clock)).toEqual({
      '203.0.113.7': hours(25) + minutes(30),
      '203.0.113.8': hours(5),
    });
  });

  it('are what entries let in that were taken away within the last day, too, and never longer than from now on', () => {
    const clock = new FakeClock();
    const departed = formatDeparted([
      { target: target('203.0.113.7'), at: (clock.now() - hours(3)) as Instant },
      { target: target('2001:db8::/48'), at: (clock.now() + hours(9)) as Instant },
      { target: target('203.0.113.8'), at: (clock.now() - hours(99)) as Instant },
    ]);
    expect(heldAfter([], departed, clock)).toEqual({ '203.0.113.7': hours(22), '2001:db8::/48': hours(25) });
  });
});

describe('the list of entries that were taken away', () => {
  it('reads back to the same', () => {
    const one = fc.record({ target: address, at: fc.nat(4_102_444_800_000) as fc.Arbitrary<Instant> });
    fc.assert(
      fc.property(fc.array(one), (departed) => {
        expect(parseDeparted(formatDeparted(departed))).toEqual(departed);
      }),
    );
  });

  it('leaves out what it cannot read, whatever the text', () => {
    fc.assert(
      fc.property(anyText(60), (text) => {
        for (const { at } of parseDeparted(text)) expect(Number.isSafeInteger(at)).toBe(true);
      }),
    );
    expect(parseDeparted(undefined)).toEqual([]);
    expect(parseDeparted('203.0.113.7@5 x@5 203.0.113.8 203.0.113.9@-1 203.0.113.9@5@6 @5  2001:db8::/32@6')).toEqual([
      { target: '203.0.113.7', at: 5 },
      { target: '2001:db8::/32', at: 6 },
    ]);
  });
});

describe('an element without a record', () => {
  const fresh = (clock: FakeClock, change: Partial<Grant> = {}) =>
    grantOf({ openedAt: clock.now(), expires: later(clock.monotonic(), hours(1)), ...change });

  it('is adopted with all that it tells', () => {
    const clock = new FakeClock();
    const grant = fresh(clock, {
      id: grantId(7),
      services: SSH_AND_WEB,
      user: owner(2),
      target: target('2001:db8::7'),
    });
    const elements = inKernel(grant.target, [grant]);
    clock.advance(minutes(20));
    for (const one of elements) Object.assign(one, { until: later(clock.monotonic(), minutes(40)) });
    const { live, adopted, ended } = restoreGrants(
      remains({ elements: elements.toReversed(), isSameBoot: true }),
      clock,
    );
    expect(adopted).toEqual([grant]);
    expect(live).toEqual(adopted);
    expect(ended).toEqual([]);
  });

  it('is adopted for nobody where it never had a user', () => {
    const clock = new FakeClock();
    const grant = fresh(clock, { user: null });
    const { adopted } = restoreGrants(remains({ elements: inKernel(grant.target, [grant]) }), clock);
    expect(adopted).toEqual([grant]);
  });

  it('is to end where its user is gone', () => {
    const clock = new FakeClock();
    const grant = fresh(clock, { user: owner(99) });
    const found = restoreGrants(remains({ elements: inKernel(grant.target, [grant]) }), clock);
    expect(found).toMatchObject({ live: [], adopted: [], orphaned: [{ ...grant, user: null }] });
  });

  it('stands beside the records, each grant once', () => {
    const clock = new FakeClock();
    const known = recorded(clock, minutes(30));
    const lost = fresh(clock, {
      id: grantId(2),
      user: owner(2),
      expires: later(clock.monotonic(), minutes(50)),
      ttl: minutes(50),
    });
    const elements = inKernel(lost.target, [known.grant, lost]);
    const { live, adopted } = restoreGrants(remains({ records: [known], elements, isSameBoot: true }), clock);
    expect(adopted.map(({ id }) => id)).toEqual([lost.id]);
    expect(live).toEqual([known.grant, lost]);
  });

  it('that several share gives each the time of its own comment, never more than is left of it', () => {
    const clock = new FakeClock();
    const short = fresh(clock, { ttl: minutes(10), expires: later(clock.monotonic(), minutes(10)) });
    const long = fresh(clock, { id: grantId(2), user: owner(2) });
    const [element] = inKernel(short.target, [short, long]);
    clock.advance(minutes(4));
    const elements = [{ ...element, until: later(clock.monotonic(), minutes(56)) } as KernelElement];
    const lastAlive = (clock.now() - seconds(30)) as Instant;
    const told = (set: number) => {
      const other = new FakeClock({ now: clock.now() + set, monotonic: clock.monotonic() });
      const { adopted } = restoreGrants(remains({ elements, isSameBoot: true, lastAlive }), other);
      return Object.fromEntries(adopted.map((grant) => [grant.id, leftOf(other, grant)]));
    };
    expect(told(0)).toEqual({ [short.id]: minutes(6), [long.id]: minutes(56) });
    const back = told(-hours(1));
    expect(back[short.id]).toBeLessThanOrEqual(minutes(6) + seconds(30));
    expect(back[long.id]).toBeLessThanOrEqual(minutes(56));
    const ahead = told(minutes(3));
    expect([ahead[short.id], ahead[long.id]]).toEqual([minutes(3), minutes(53)]);
  });

  it('is cut to the maximum that holds now', () => {
    const clock = new FakeClock();
    const grant = fresh(clock);
    const elements = inKernel(grant.target, [grant]);
    const { adopted } = restoreGrants(remains({ elements, maxTtl: minutes(5) }), clock);
    expect(adopted.map((one) => leftOf(clock, one))).toEqual([minutes(5)]);
  });

  it('that would never end, has no comment, or one of somebody else, is not adopted', () => {
    const clock = new FakeClock();
    const comment = formatComment([fresh(clock)]);
    const until = later(clock.monotonic(), minutes(5));
    const element = { scope: service('ssh'), target: target('203.0.113.7'), until, comment };
    const elements = [
      { ...element, until: null },
      { ...element, comment: null },
      { ...element, comment: '' },
      { ...element, comment: 'let in by root' },
      { ...element, comment: `${comment} and more` },
    ];
    expect(restoreGrants(remains({ elements, isSameBoot: true }), clock).live).toEqual([]);
    expect(restoreGrants(remains({ elements: [element], isSameBoot: true }), clock).live).toHaveLength(1);
  });
});

it('a first start finds nothing', () => {
  const clock = new FakeClock({ monotonic: 0 as Monotonic });
  expect(restoreGrants(remains({ lastAlive: null }), clock)).toEqual({
    live: [],
    adopted: [],
    orphaned: [],
    ended: [],
  });
});
