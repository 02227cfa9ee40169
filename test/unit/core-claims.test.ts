import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Address, parseAddress } from '../../src/core/address.ts';
import { CLAIM_LIFE, type Claim, Claims } from '../../src/core/claims.ts';
import { strikeTarget } from '../../src/core/knock/strikes.ts';
import type { PairingCode } from '../../src/core/pairing.ts';
import { millis, minutes } from '../../src/core/time.ts';
import { parseUserName } from '../../src/core/user.ts';
import { FakeClock } from '../support/fake-clock.ts';

const who = (id: number, sequenceId = id) => ({ id, name: parseUserName(`user${id}`), sequenceId });
const [ANNA, BEN] = [who(1), who(2)];
const LAPTOP = parseAddress('203.0.113.7');
const OTHER = parseAddress('203.0.113.8');
const code = (text: string) => text as PairingCode;
const CODE = code('402913');
const nth = (n: number) => parseAddress(`198.51.100.${n}`);

function setUp(limits = { perSource: 5, perUser: 5, inAll: 1000 }) {
  const clock = new FakeClock();
  const claims = new Claims({ clock, limits });
  const addresses = () => claims.list().map(({ address }) => address);
  return { clock, claims, addresses };
}

describe('a claim', () => {
  it('is found by its user and its code, and by nobody else', () => {
    const { claims } = setUp();
    const { claim } = claims.make(ANNA, LAPTOP, CODE);
    expect(claims.withCode(ANNA, '402913')).toBe(claim);
    expect(claims.withCode(BEN, '402913')).toBeUndefined();
    expect(claims.withCode(ANNA, '402914')).toBeUndefined();
    expect(claims.waiting(ANNA)).toEqual([]);
  });

  it('without a code waits for a yes, the latest first', () => {
    const { claims } = setUp();
    claims.make(ANNA, LAPTOP, null);
    claims.make(ANNA, OTHER, null);
    claims.make(BEN, LAPTOP, null);
    expect(claims.waiting(ANNA).map(({ address }) => address)).toEqual([OTHER, LAPTOP]);
  });

  it('waits five minutes and no longer', () => {
    const { claims, clock } = setUp();
    const { claim } = claims.make(ANNA, LAPTOP, CODE);
    clock.advance(millis(minutes(5) - 1));
    expect(claims.isLive(claim as Claim)).toBe(true);
    clock.advance(millis(1));
    expect([claims.isLive(claim as Claim), claims.withCode(ANNA, CODE), claims.list()]).toEqual([false, undefined, []]);
  });

  it('takes the place of the one before for the same user and address', () => {
    const { claims } = setUp();
    const before = claims.make(ANNA, LAPTOP, CODE);
    const { outcome } = claims.make(ANNA, LAPTOP, code('111111'));
    expect(outcome).toBe('made');
    expect(claims.isLive(before.claim as Claim)).toBe(false);
    expect(claims.withCode(ANNA, CODE)).toBeUndefined();
    expect(claims.list()).toHaveLength(1);
  });

  it('made again is the same one, with its whole time', () => {
    const { claims, clock } = setUp();
    const { claim } = claims.make(ANNA, LAPTOP, CODE);
    clock.advance(minutes(4));
    expect(claims.make(ANNA, LAPTOP, CODE).outcome).toBe('renewed');
    clock.advance(minutes(4));
    expect(claims.isLive(claim as Claim)).toBe(true);
  });

  it('is none any more once it has had its answer', () => {
    const { claims } = setUp();
    const { claim } = claims.make(ANNA, LAPTOP, CODE);
    claims.settle(claim as Claim);
    expect([claims.isLive(claim as Claim), claims.list()]).toEqual([false, []]);
  });

  it('by a sequence that is no longer the user’s is none', () => {
    const { claims } = setUp();
    claims.make(ANNA, LAPTOP, CODE);
    claims.make(ANNA, OTHER, null);
    const rotated = who(1, 77);
    expect([claims.withCode(rotated, CODE), claims.waiting(rotated)]).toEqual([undefined, []]);
    expect(claims.make(rotated, LAPTOP, CODE).outcome).toBe('made');
  });

  it('goes with all others of its user', () => {
    const { claims, addresses } = setUp();
    claims.make(ANNA, LAPTOP, CODE);
    claims.make(BEN, OTHER, null);
    claims.make(ANNA, OTHER, null);
    claims.dropAllOf(ANNA.id);
    expect(claims.list().map(({ user }) => user.id)).toEqual([BEN.id]);
    expect(addresses()).toEqual([OTHER]);
  });
});

describe('two claims of one code', () => {
  it.each([
    ['of two users', BEN, LAPTOP],
    ['of one user for two addresses', ANNA, OTHER],
  ])('%s are both void', (_, user, address) => {
    const { claims } = setUp();
    claims.make(ANNA, LAPTOP, CODE);
    const second = user === BEN ? claims.make(user, OTHER, CODE) : claims.make(user, address, CODE);
    expect(second).toEqual({ outcome: 'clashed', claim: null });
    expect(claims.list()).toEqual([]);
  });

  it('leave the code void: a third claim of it is none either', () => {
    const { claims, clock } = setUp();
    claims.make(ANNA, LAPTOP, CODE);
    claims.make(ANNA, OTHER, CODE);
    for (let n = 0; n < 3; n++) {
      clock.advance(minutes(3));
      expect(claims.make(ANNA, OTHER, CODE).outcome).toBe('clashed');
    }
    expect(claims.withCode(ANNA, CODE)).toBeUndefined();
    clock.advance(CLAIM_LIFE);
    expect(claims.make(ANNA, LAPTOP, CODE).outcome).toBe('made');
  });

  it('do not touch claims that wait without one', () => {
    const { claims } = setUp();
    expect(claims.make(ANNA, LAPTOP, null).outcome).toBe('made');
    expect(claims.make(BEN, OTHER, null).outcome).toBe('made');
    expect(claims.list()).toHaveLength(2);
  });
});

describe('claims are bounded', () => {
  it('for each source, a /64 being one', () => {
    const { claims } = setUp({ perSource: 2, perUser: 9, inAll: 99 });
    const six = (n: number) => parseAddress(`2001:db8::${n}`);
    expect([1, 2, 3].map((n) => claims.make(who(n), six(n), null).outcome)).toEqual(['made', 'made', 'too-many']);
    expect(claims.make(who(3), parseAddress('2001:db8:0:1::3'), null).outcome).toBe('made');
    expect([1, 2, 3].map((n) => claims.make(who(n), LAPTOP, null).outcome)).toEqual(['made', 'made', 'too-many']);
  });

  it('for each user, whose oldest gives way', () => {
    const { claims, addresses } = setUp({ perSource: 9, perUser: 2, inAll: 99 });
    for (const n of [1, 2, 3]) claims.make(ANNA, nth(n), null);
    expect(addresses()).toEqual([nth(2), nth(3)]);
  });

  it('in all, void codes included', () => {
    const { claims } = setUp({ perSource: 9, perUser: 9, inAll: 2 });
    claims.make(ANNA, nth(1), CODE);
    claims.make(BEN, nth(2), CODE);
    expect(claims.make(who(3), nth(3), null).outcome).toBe('made');
    expect(claims.make(who(4), nth(4), null).outcome).toBe('too-many');
  });
});

describe('whatever is claimed, in whatever order', () => {
  const LIMITS = { perSource: 3, perUser: 3, inAll: 8 };
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('make' as const),
      user: fc.integer({ min: 1, max: 4 }),
      sequence: fc.integer({ min: 0, max: 1 }),
      address: fc.constantFrom(nth(1), nth(2), LAPTOP, parseAddress('2001:db8::1'), parseAddress('2001:db8::2')),
      code: fc.option(fc.constantFrom(code('000001'), code('000002'), code('000003'))),
    }),
    fc.record({ kind: fc.constant('wait' as const), time: fc.integer({ min: 1, max: minutes(6) }) }),
    fc.record({ kind: fc.constant('settle' as const), which: fc.nat(7) }),
  );

  it('a code finds one claim at most, and only one that nobody else has claimed while it lived', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { claims, clock } = setUp(LIMITS);
        /** All that was ever asked for, with what a clash voids: nothing that a person could not check by eye. */
        const asked: { user: number; address: Address; code: string | null; at: number }[] = [];
        for (const one of steps) {
          if (one.kind === 'wait') clock.advance(millis(one.time));
          if (one.kind === 'settle') {
            const claim = claims.list()[one.which];
            if (claim !== undefined) claims.settle(claim);
          }
          if (one.kind === 'make') {
            claims.make(who(one.user, one.user * 10 + one.sequence), one.address, one.code);
            asked.push({ user: one.user, address: one.address, code: one.code, at: clock.monotonic() });
          }
          const live = claims.list();
          expect(live.length).toBeLessThanOrEqual(LIMITS.inAll);
          const codes = live.flatMap((claim) => claim.code ?? []);
          expect(new Set(codes).size).toBe(codes.length);
          const places = live.map(({ user, address }) => `${user.id} ${address}`);
          expect(new Set(places).size).toBe(places.length);
          for (const claim of live) {
            const { expires, address } = claim;
            expect(expires).toBeGreaterThan(clock.monotonic());
            expect(expires - clock.monotonic()).toBeLessThanOrEqual(CLAIM_LIFE);
            expect(live.filter(({ user }) => user.id === claim.user.id).length).toBeLessThanOrEqual(LIMITS.perUser);
            const neighbours = live.filter((other) => strikeTarget(other.address) === strikeTarget(address));
            expect(neighbours.length).toBeLessThanOrEqual(LIMITS.perSource);
            expect(asked).toContainEqual({
              ...{ user: claim.user.id, address, code: claim.code },
              at: expires - CLAIM_LIFE,
            });
          }
        }
      }),
    );
  });

  it('a code that two claimed at the same time opens for neither of them', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 4 }), (steps, user) => {
        const { claims, clock } = setUp();
        claims.make(who(user), LAPTOP, CODE);
        claims.make(who(user), OTHER, CODE);
        const until = clock.monotonic() + CLAIM_LIFE;
        for (const one of steps) {
          if (one.kind === 'wait') clock.advance(millis(one.time));
          if (clock.monotonic() >= until) return;
          if (one.kind === 'make') claims.make(who(one.user), one.address, one.code === null ? null : CODE);
          expect(claims.list().filter((claim) => claim.code === CODE)).toEqual([]);
        }
      }),
    );
  });
});
