import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AddressRange, parseAddress, parseTarget, rangeOf } from '../../src/core/address.ts';
import type { KernelElement, KernelRange, RangeContents, SetElement, SetScope } from '../../src/core/firewall.ts';
import { formatComment, parseComment } from '../../src/core/grants/comment.ts';
import { compareElements, HELD_TOLERANCE, isDrift, rangesDiffer } from '../../src/core/grants/drift.ts';
import { elementsOf, isHashTarget, rangesOf } from '../../src/core/grants/elements.ts';
import type { Grant } from '../../src/core/grants/grant.ts';
import { HeldTargets } from '../../src/core/grants/held.ts';
import { ALL, EVERYTHING } from '../../src/core/service.ts';
import { days, hours, after as later, type Monotonic, millis, minutes, seconds } from '../../src/core/time.ts';
import { anyText, service } from '../support/core-arbitraries.ts';
import { EIGHT, FakeClock } from '../support/fake-clock.ts';
import { anyGrant, grantId, grantOf, METHODS, owner, SSH, SSH_AND_WEB, target } from '../support/grants.ts';

const someGrants = (maxLength: number): fc.Arbitrary<Grant[]> =>
  fc.uniqueArray(anyGrant, { maxLength, selector: ({ id }) => id });

describe('the comment of a kernel element', () => {
  it('tells of a grant what it takes to adopt it, to the second', () => {
    const grant = grantOf({ id: grantId(32), user: owner(100), method: 'cli', ttl: millis(90_500) });
    const comment = formatComment([grant]);
    expect(comment).toBe(`sp1 00000010.c.2s.${(EIGHT / 1000).toString(36)}.2j`);
    expect(parseComment(comment)).toEqual([
      { id: '00000010', userId: 100, method: 'cli', openedAt: EIGHT, ttl: seconds(91) },
    ]);
    const anonymous = formatComment([grantOf({ user: null, method: 'console' })]);
    expect(parseComment(anonymous)).toEqual([
      { id: grantId(1), userId: null, method: 'console', openedAt: EIGHT, ttl: hours(1) },
    ]);
    for (const method of METHODS) expect(parseComment(formatComment([grantOf({ method })]))[0]?.method).toBe(method);
  });

  it('reads back to the grants it was made of, those with the most time first', () => {
    fc.assert(
      fc.property(someGrants(3), (grants) => {
        const expected = grants
          .toSorted((a, b) => b.expires - a.expires)
          .map(({ id, user, method, openedAt, ttl }) => ({
            id,
            userId: user?.id ?? null,
            method,
            openedAt: Math.floor(openedAt / 1000) * 1000,
            ttl: Math.ceil(ttl / 1000) * 1000,
          }));
        expect(parseComment(formatComment(grants))).toEqual(expected);
      }),
    );
  });

  it('fits the 127 bytes that the kernel keeps, however many share it, and leaves out those with the least time', () => {
    fc.assert(
      fc.property(someGrants(40), (grants) => {
        const comment = formatComment(grants);
        expect(Buffer.byteLength(comment)).toBeLessThanOrEqual(127);
        expect(comment).toMatch(/^sp1[ .0-9A-Za-z]*$/);
        const told = parseComment(comment).map(({ id }) => id);
        expect(told.length).toBeGreaterThanOrEqual(Math.min(3, grants.length));
        const ends = (isTold: boolean) =>
          grants.filter(({ id }) => told.includes(id) === isTold).map(({ expires }) => expires);
        expect(ends(true)).toHaveLength(told.length);
        expect(Math.min(...ends(true))).toBeGreaterThanOrEqual(Math.max(...ends(false)));
      }),
    );
  });

  it('that is not ours tells of nothing, whatever the text', () => {
    const ours = someGrants(4).map(formatComment);
    const bent = fc
      .tuple(ours, fc.nat(140), fc.nat(3), anyText(3))
      .map(([text, at, cut, inserted]) => text.slice(0, at) + inserted + text.slice(at + cut));
    fc.assert(
      fc.property(
        fc.oneof(
          bent,
          anyText(140),
          ours.map((text) => text.toLowerCase()),
        ),
        (text) => {
          for (const { id, userId, method, openedAt, ttl } of parseComment(text)) {
            expect(id).toMatch(/^[0-9A-HJKMNP-TV-Z]{8}$/);
            expect(METHODS).toContain(method);
            expect([userId ?? 0, openedAt, ttl].every((n) => Number.isSafeInteger(n) && n >= 0)).toBe(true);
          }
        },
      ),
      { numRuns: 500 },
    );
    const one = formatComment([grantOf()]);
    for (const text of [
      '',
      'sp1',
      'sp1 ',
      'sp2 x',
      ` ${one}`,
      `${one} `,
      `${one}\n`,
      `${one} x`,
      one.replace('.k.', '.z.'),
    ]) {
      expect(parseComment(text)).toEqual([]);
    }
    const long = `sp1${' 00000001.k.1.1.1'.repeat(8)}`;
    expect([long.length > 127, parseComment(long)]).toEqual([true, []]);
  });
});

describe('the elements of a target', () => {
  it('are one for each scope, until the longest expiry of those that share it, naming them', () => {
    fc.assert(
      fc.property(someGrants(5), (grants) => {
        const elements = elementsOf(target('203.0.113.7'), grants);
        const scopes = new Set(grants.flatMap(({ services }) => services));
        expect(elements.map((one) => one.scope).sort()).toEqual([...scopes].sort());
        for (const { scope, until, comment, target: where } of elements) {
          const sharing = grants.filter(({ services }) => (services as readonly SetScope[]).includes(scope));
          expect(where).toBe('203.0.113.7');
          expect(until).toBe(Math.max(...sharing.map(({ expires }) => expires)));
          expect(comment).toBe(formatComment(sharing));
        }
      }),
    );
    expect(elementsOf(target('203.0.113.7'), [])).toEqual([]);
  });

  it.each([
    ['203.0.113.7', 128, true],
    ['203.0.113.7', 64, true],
    ['203.0.113.0/28', 128, false],
    ['2001:db8::7', 128, true],
    ['2001:db8::7', 64, false],
    ['2001:db8::/64', 64, true],
    ['2001:db8::/64', 128, false],
    ['2001:db8::/48', 64, false],
  ] as const)('lie in a hash set or an interval set: %s where grants cover a /%i', (text, prefix, isHash) => {
    expect(isHashTarget(parseTarget(text), prefix)).toBe(isHash);
  });
});

describe('the contents of the interval sets', () => {
  const until = (minute: number) => (minute * 60_000) as Monotonic;
  const range = (text: string) => rangeOf(parseTarget(text));

  it('are disjoint within each scope: entries without a time, grants with their longest, held addresses apart', () => {
    const ranges = rangesOf(
      [
        { target: target('203.0.113.0/28'), services: EVERYTHING },
        { target: target('203.0.113.16/28'), services: EVERYTHING },
        { target: target('203.0.113.5'), services: [...SSH, ALL] },
        { target: target('2001:db8::/48'), services: SSH },
      ],
      [
        { target: target('198.51.100.0/24'), services: SSH_AND_WEB, expires: until(10) },
        { target: target('198.51.100.0/25'), services: SSH, expires: until(30) },
      ],
      [{ target: target('198.51.100.0/24'), until: until(99) }],
    );
    expect([...ranges.entries.keys()].sort()).toEqual(['all', 'ssh']);
    expect(ranges.entries.get(ALL)?.map(({ first, last }) => [first, last])).toEqual([
      [range('203.0.113.0/27').first, range('203.0.113.0/27').last],
    ]);
    expect(ranges.entries.get(service('ssh'))).toHaveLength(2);
    expect(ranges.grants).toEqual(
      new Map<SetScope, unknown>([
        [
          service('ssh'),
          [
            { ...range('198.51.100.0/25'), until: until(30) },
            { ...range('198.51.100.128/25'), until: until(10) },
          ],
        ],
        [service('web'), [{ ...range('198.51.100.0/24'), until: until(10) }]],
        ['held', [{ ...range('198.51.100.0/24'), until: until(99) }]],
      ]),
    );
  });

  it('are empty where there is nothing', () => {
    expect(rangesOf([], [], [])).toEqual({ entries: new Map(), grants: new Map() });
  });
});

describe('held addresses', () => {
  const LAPTOP = parseAddress('203.0.113.7');

  it('are held for a day after the grant, written an hour longer so that a renewal need not write again', () => {
    const held = new HeldTargets();
    const at = (time: number) => time as Monotonic;
    expect(held.hold(LAPTOP, at(hours(1)))).toBe(hours(26));
    expect(held.hold(LAPTOP, at(hours(1)))).toBeUndefined();
    expect(held.hold(LAPTOP, at(hours(2)))).toBeUndefined();
    expect(held.hold(LAPTOP, at(hours(2) + 1))).toBe(hours(27) + seconds(1));
    expect(held.hold(LAPTOP, at(minutes(5)))).toBeUndefined();
    expect([...held.all()]).toEqual([[LAPTOP, hours(27) + seconds(1)]]);
    held.prune(at(hours(27)));
    expect([...held.all()]).toHaveLength(1);
    held.prune(at(hours(27) + seconds(1)));
    expect([...held.all()]).toEqual([]);
  });

  it('never end within a day of any grant, and are only ever held longer', () => {
    const grants = fc.array(fc.tuple(fc.constantFrom(LAPTOP, target('10.0.0.0/8')), fc.nat(hours(72))), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(grants, (all) => {
        const held = new HeldTargets();
        const written = new Map<string, number>();
        for (const [where, expires] of all) {
          const until = held.hold(where, expires as Monotonic);
          if (until !== undefined) {
            expect(until).toBeGreaterThan(written.get(where) ?? 0);
            written.set(where, until);
          }
          expect(written.get(where)).toBeGreaterThanOrEqual(expires + days(1));
          expect(new Map(held.all())).toEqual(written);
        }
      }),
    );
  });
});

describe('drift', () => {
  const clock = new FakeClock();
  const now = clock.monotonic();
  const element = (left: number, change: Partial<SetElement> = {}): SetElement => ({
    scope: service('ssh'),
    target: target('203.0.113.7'),
    until: later(now, millis(left)),
    comment: 'sp1',
    ...change,
  });
  const inKernel = ({ scope, target: where, comment, until }: SetElement, by: number | null = 0): KernelElement => ({
    scope,
    target: where,
    comment,
    until: by === null ? null : later(until, millis(by)),
  });
  const none = { missing: [], wrong: [], extra: [] };
  const compare = (desired: SetElement[], kernel: KernelElement[]) => compareElements(desired, kernel, clock);
  const other = element(60_000, { target: target('203.0.113.8') });
  const elsewhere = element(60_000, { scope: service('web') });

  it('is none where all is as it should be, in whatever order, but for what the kernel rounds', () => {
    const all = [element(60_000), other, elsewhere];
    expect(compare(all, [inKernel(elsewhere), inKernel(element(60_000)), inKernel(other)])).toEqual(none);
    for (const by of [-2500, -1000, 1000, 2500]) expect(compare([other], [inKernel(other, by)])).toEqual(none);
    expect(compare([], [])).toEqual(none);
    expect(isDrift(none)).toBe(false);
  });

  it('is what was taken away, what was given another time, and what was let in past us', () => {
    expect(compare([element(60_000), other], [inKernel(other)])).toEqual({ ...none, missing: [element(60_000)] });
    for (const by of [-2501, 2501, hours(5)]) {
      expect(compare([other], [inKernel(other, by)])).toEqual({ ...none, wrong: [other] });
    }
    expect(compare([other], [inKernel(other), inKernel(elsewhere)])).toEqual({
      ...none,
      extra: [{ scope: 'web', target: '203.0.113.7' }],
    });
    for (const one of ['missing', 'wrong', 'extra']) expect(isDrift({ ...none, [one]: [other] })).toBe(true);
  });

  it('is an element that would never end, whether it should be there or not', () => {
    expect(compare([other], [inKernel(other, null)])).toEqual({ ...none, wrong: [other] });
    expect(compare([], [inKernel(other, null)]).extra).toEqual([{ scope: 'ssh', target: '203.0.113.8' }]);
  });

  it('is not what ends at this moment, on either side', () => {
    expect(compare([element(2500), element(-5000, { scope: service('web') })], [])).toEqual(none);
    expect(compare([], [inKernel(element(2500))])).toEqual(none);
    expect(compare([element(2501)], []).missing).toHaveLength(1);
    expect(compare([], [inKernel(element(2501))]).extra).toHaveLength(1);
  });

  it('is counted by the tolerance that is asked for, but a missing or everlasting element always counts', () => {
    const kernel = [inKernel(other, minutes(90)), inKernel(elsewhere, null)];
    const { missing, wrong } = compareElements([other, elsewhere, element(60_000)], kernel, clock, HELD_TOLERANCE);
    expect([missing, wrong]).toEqual([[element(60_000)], [elsewhere]]);
    expect(compareElements([other], [inKernel(other, hours(2) + 1)], clock, HELD_TOLERANCE).wrong).toEqual([other]);
  });

  it('is right again once it was put right', () => {
    const where = fc.constantFrom('203.0.113.7', '203.0.113.8', '2001:db8::7').map(target);
    const one = fc.record({
      target: where,
      scope: fc.constantFrom<SetScope>(...SSH_AND_WEB),
      left: fc.integer({ min: 1, max: 9_000_000 }),
    });
    const some = fc.uniqueArray(one, { selector: (each) => `${each.scope} ${each.target}` });
    const kernelLeft = fc.array(fc.option(fc.integer({ min: 1, max: 9_000_000 })), { minLength: 6, maxLength: 6 });
    fc.assert(
      fc.property(some, some, kernelLeft, (wanted, found, lefts) => {
        const desired = wanted.map(({ left, ...rest }) => element(left, rest));
        const kernel = found.map(({ left, ...rest }, i) => inKernel(element(left, rest), lefts[i] === null ? null : 0));
        const drift = compare(desired, kernel);
        const key = (each: { scope: SetScope; target: string }) => `${each.scope} ${each.target}`;
        const after = new Map(kernel.map((each) => [key(each), each]));
        for (const each of drift.extra) after.delete(key(each));
        for (const each of [...drift.missing, ...drift.wrong]) after.set(key(each), inKernel(each));
        expect(isDrift(compare(desired, [...after.values()]))).toBe(false);
        for (const each of after.values()) expect(each.until).not.toBeNull();
      }),
    );
  });
});

describe('drift of the interval sets', () => {
  const clock = new FakeClock();
  const [ssh, web] = [service('ssh'), service('web')];
  const scopes: ReadonlySet<SetScope> = new Set<SetScope>([ssh, web, 'held']);
  const in10 = later(clock.monotonic(), minutes(10));
  const office = rangeOf(parseTarget('192.0.2.0/24'));
  const home = rangeOf(parseTarget('2001:db8::/48'));
  const desired: RangeContents = {
    entries: new Map([[ssh, [office]]]),
    grants: new Map<SetScope, (AddressRange & { until: Monotonic })[]>([
      [web, [{ ...home, until: in10 }]],
      ['held', [{ ...home, until: in10 }]],
      [service('db'), [{ ...office, until: in10 }]],
    ]),
  };
  const kernel = (change: { web?: number | null; held?: number | null; entry?: number | null } = {}): KernelRange[] => {
    const left = (by: number | null | undefined) => (by === null ? null : millis(minutes(10) + (by ?? 0)));
    return [
      { ...office, scope: ssh, holds: 'entry', remaining: change.entry === undefined ? null : left(change.entry) },
      { ...home, scope: web, holds: 'grant', remaining: left(change.web) },
      { ...home, scope: 'held', holds: 'grant', remaining: left(change.held) },
    ];
  };
  const differ = (found: KernelRange[], wanted = desired) => rangesDiffer(wanted, found, scopes, clock);

  it('is none where all is as it should be, but for what is rounded and for services that are not guarded', () => {
    expect(differ(kernel())).toBe(false);
    expect(differ(kernel().toReversed())).toBe(false);
    expect(differ(kernel({ web: 2500, held: hours(2) }))).toBe(false);
    expect(differ([], { entries: new Map(), grants: new Map() })).toBe(false);
  });

  it('is a range that is missing, has another time, or is there past us', () => {
    for (let i = 0; i < 3; i++) expect(differ(kernel().toSpliced(i, 1))).toBe(true);
    for (const change of [{ web: 2501 }, { web: null }, { held: hours(2) + 1 }, { held: null }, { entry: 0 }]) {
      expect(differ(kernel(change)), JSON.stringify(change)).toBe(true);
    }
    const [entry] = kernel();
    if (entry === undefined) throw new Error('there is none');
    expect(differ([...kernel(), { ...entry, scope: web }])).toBe(true);
    expect(differ([...kernel(), { ...entry, holds: 'grant' }])).toBe(true);
    expect(differ([...kernel(), { ...entry, first: entry.first - 1n }])).toBe(true);
    expect(differ([...kernel(), { ...entry, scope: web, remaining: millis(2500) }])).toBe(false);
  });

  it('is not what ends at this moment', () => {
    const ending = {
      entries: new Map(),
      grants: new Map([[web, [{ ...home, until: later(clock.monotonic(), millis(2500)) }]]]),
    };
    expect(differ([], ending)).toBe(false);
  });
});
