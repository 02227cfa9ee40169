import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAddress, type Target } from '../../src/core/address.ts';
import type { GrantId } from '../../src/core/grants/grant.ts';
import type { MenuEffect, MenuEvent, Waiting } from '../../src/core/phone/dialogue.ts';
import type { Digit } from '../../src/core/phone/link.ts';
import { MENU_LIMITS, Menu, type MenuLimits } from '../../src/core/phone/menu.ts';
import { millis, minutes } from '../../src/core/time.ts';
import { address, anyText, service } from '../support/core-arbitraries.ts';

/** Small, so that streams of a bearable length reach each of them. */
const LIMITS: MenuLimits = { ...MENU_LIMITS, digits: 80, ahead: 5, moments: 2, mistakes: 3, offers: 4 };

const ANSWERS = {
  verify: ['verified', 'denied', 'failed'],
  propose: ['proposed', 'unfit', 'failed'],
  'find-claim': ['proposed', 'no-claim', 'unfit', 'failed'],
  grant: ['granted', 'failed'],
  'list-open': ['open', 'failed'],
  close: ['closed', 'failed'],
} as const satisfies Partial<Record<MenuEffect['kind'], readonly MenuEvent['kind'][]>>;

type Awaited = keyof typeof ANSWERS;
const isRequest = (effect: MenuEffect): effect is Extract<MenuEffect, { kind: Awaited }> =>
  Object.hasOwn(ANSWERS, effect.kind);

const digit = fc.constantFrom<Digit>(...([...'0123456789*#'] as Digit[]));
const duration = fc.oneof(fc.nat(10_000_000), fc.double()).map(millis);

const event: fc.Arbitrary<MenuEvent> = fc.oneof(
  { weight: 8, arbitrary: digit.map((one): MenuEvent => ({ kind: 'digit', digit: one })) },
  {
    weight: 4,
    arbitrary: fc.constantFrom<MenuEvent>({ kind: 'played' }, { kind: 'silence' }),
  },
  fc.constantFrom<MenuEvent>(
    { kind: 'began' },
    { kind: 'unfit' },
    { kind: 'no-claim' },
    { kind: 'failed' },
    { kind: 'closed' },
    { kind: 'timed-out' },
  ),
  fc
    .record({ waiting: fc.constantFrom<Waiting[]>('request', 'code', 'nothing'), needsClaim: fc.boolean() })
    .map((about): MenuEvent => ({ kind: 'verified', ...about })),
  fc.boolean().map((isLast): MenuEvent => ({ kind: 'denied', isLast })),
  fc
    .record({
      target: address as fc.Arbitrary<Target>,
      services: fc.array(anyText(9).map(service), { maxLength: 3 }),
      ttl: duration,
    })
    .map((offer): MenuEvent => ({ kind: 'proposed', offer })),
  duration.map((ttl): MenuEvent => ({ kind: 'granted', ttl })),
  fc
    .array(
      fc.record({
        id: anyText(8).map((text) => text as GrantId),
        target: address as fc.Arbitrary<Target>,
        remaining: duration,
      }),
      { maxLength: 3 },
    )
    .map((grants): MenuEvent => ({ kind: 'open', grants })),
);

/** Keys that lead somewhere, so that streams come further than the login. */
const phrase = fc.constantFrom<string>('1001#1234#', '1203*0*113*7#', '2402913', '3', '4', '1', '2', '*', '1*#');

/** One step of a stream: an event of any kind, the answer that is due (if there is one), or keys. */
const step = fc.oneof(
  { weight: 3, arbitrary: event.map((one) => ({ any: one })) },
  { weight: 5, arbitrary: fc.tuple(fc.nat(5), event).map(([choice, one]) => ({ choice, one })) },
  { weight: 3, arbitrary: phrase.map((keys) => ({ keys })) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

const keys = (text: string): Step => ({ keys: text });
/** The first answer of those that are due: yes; where none is, all is heard. */
const yes: Step = { choice: 0, one: { kind: 'played' } };
const TOURS: readonly Step[][] = [
  [keys('1001#1234#'), yes],
  [keys('1203*0*113*7#'), yes, yes, keys('1'), yes],
  [keys('2'), yes, yes, keys('1'), yes],
  [keys('3'), yes, yes, keys('1'), yes],
];

/** Streams of steps, with some of the ways through the menu in them. */
const stream = (longest: number): fc.Arbitrary<Step[]> =>
  fc
    .array(fc.oneof({ weight: 6, arbitrary: step.map((one) => [one]) }, fc.constantFrom(...TOURS)), {
      maxLength: longest,
      size: 'max',
    })
    .chain((steps) => fc.boolean().map((isIn) => [...(isIn ? (TOURS[0] ?? []) : []), ...steps.flat()]));

const ANSWER: Readonly<Record<string, MenuEvent>> = {
  verified: { kind: 'verified', waiting: 'request', needsClaim: false },
  denied: { kind: 'denied', isLast: false },
  proposed: {
    kind: 'proposed',
    offer: { target: parseAddress('203.0.113.7'), services: [service('sip')], ttl: minutes(60) },
  },
  granted: { kind: 'granted', ttl: minutes(60) },
  open: {
    kind: 'open',
    grants: [{ id: 'AAAAAAAA' as GrantId, target: parseAddress('203.0.113.7'), remaining: minutes(5) }],
  },
};

/** Performs nothing and watches everything: what has to hold of any stream whatever. */
class Watch {
  readonly menu: Menu;
  awaited: Awaited | undefined;
  isOver = false;
  effects = 0;
  grants = 0;
  readonly #own = parseAddress('198.51.100.20');
  #isVerified = false;
  #needsClaim = false;
  /** What would be opened, and whether the reading of its address has begun. */
  #offer: { target: Target; isRead: boolean } | undefined;

  constructor(knowsAddress: boolean) {
    this.menu = new Menu({ address: knowsAddress ? this.#own : null }, LIMITS);
  }

  take(event: MenuEvent): void {
    const isAnswer = this.awaited !== undefined && (ANSWERS[this.awaited] as readonly string[]).includes(event.kind);
    if (isAnswer) this.awaited = undefined;
    if (isAnswer && event.kind === 'verified') {
      this.#isVerified = true;
      this.#needsClaim = event.needsClaim;
    }
    if (isAnswer && event.kind === 'proposed') this.#offer = { target: event.offer.target, isRead: false };
    const effects = this.menu.handle(event);
    if (this.isOver || event.kind === 'hung-up') expect(effects).toEqual([]);
    expect(effects.length).toBeLessThanOrEqual(2);
    this.effects += effects.length;
    for (const effect of effects) this.#effect(effect, event);
  }

  #effect(effect: MenuEffect, event: MenuEvent): void {
    if (effect.kind === 'hang-up') this.isOver = true;
    if (isRequest(effect)) {
      expect(this.awaited).toBeUndefined();
      this.awaited = effect.kind;
      expect(effect.kind === 'verify' || this.#isVerified).toBe(true);
      expect(effect.kind === 'propose' && this.#needsClaim).toBe(false);
    }
    if (effect.kind === 'grant') {
      expect(event).toEqual({ kind: 'digit', digit: '1' });
      expect(this.#offer?.isRead).toBe(true);
      this.#offer = undefined;
      this.grants++;
    }
    if (effect.kind === 'play' && this.#offer !== undefined) {
      const { target } = this.#offer;
      this.#offer.isRead ||= effect.prompts.some((one) => 'address' in one && one.address === target);
    }
  }
}

function run(watch: Watch, steps: readonly Step[]): void {
  watch.take({ kind: 'began' });
  for (const one of steps) {
    if ('any' in one) watch.take(one.any);
    else if ('keys' in one) for (const key of one.keys) watch.take({ kind: 'digit', digit: key as Digit });
    else {
      const due = watch.awaited === undefined ? ['played'] : ANSWERS[watch.awaited];
      const kind = due[one.choice % due.length] ?? 'played';
      watch.take(ANSWER[kind] ?? (one.one.kind === kind ? one.one : ({ kind } as MenuEvent)));
    }
  }
}

describe('any stream of events', () => {
  it('throws nothing, grants nothing unproved and unheard, asks one thing at a time, and stays within bounds', () => {
    let [grants, ends] = [0, 0];
    fc.assert(
      fc.property(fc.boolean(), stream(120), (knows, steps) => {
        const watch = new Watch(knows);
        run(watch, steps);
        expect(watch.effects).toBeLessThan(8 * LIMITS.digits);
        grants += watch.grants;
        if (watch.isOver) ends++;
      }),
      { numRuns: 800 },
    );
    // That the streams come far enough to mean something.
    expect(grants).toBeGreaterThan(20);
    expect(ends).toBeGreaterThan(100);
  });

  it('comes to an end by itself where nobody presses anything more', () => {
    fc.assert(
      fc.property(fc.boolean(), stream(60), (knows, steps) => {
        const watch = new Watch(knows);
        run(watch, steps);
        for (let times = 0; times < 40 && !watch.isOver; times++) {
          watch.take({ kind: 'played' });
          watch.take({ kind: 'silence' });
        }
        expect(watch.isOver).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('comes to an end however long digits are pressed', () => {
    fc.assert(
      fc.property(fc.array(digit, { minLength: 1, maxLength: 20 }), fc.nat(5), (digits, choice) => {
        const watch = new Watch(true);
        watch.take({ kind: 'began' });
        for (let n = 0; n < 3 * LIMITS.digits && !watch.isOver; n++) {
          run(watch, [{ choice, one: { kind: 'played' } }]);
          watch.take({ kind: 'digit', digit: digits[n % digits.length] ?? '1' });
        }
        expect(watch.isOver).toBe(true);
      }),
    );
  });

  it('does nothing any more after a hang-up, wherever it comes', () => {
    fc.assert(
      fc.property(stream(40), stream(20), (before, after) => {
        const watch = new Watch(true);
        run(watch, before);
        watch.take({ kind: 'hung-up' });
        watch.isOver = true;
        run(watch, after);
      }),
    );
  });
});
