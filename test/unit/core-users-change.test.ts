import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileSteps } from '../../src/core/knock/automaton.ts';
import { KnockExecutor } from '../../src/core/knock/executor.ts';
import { formatKnock, type Knock, type Sequence } from '../../src/core/sequence.ts';
import { millis } from '../../src/core/time.ts';
import { keepingTheRules, knock, tinyKnock, tinySequences } from '../support/core-arbitraries.ts';
import { FakeClock } from '../support/fake-clock.ts';

import { completedBy, executorOf, LAPTOP, numbered, SOURCES, WINDOW } from '../support/knocking.ts';

describe('a change of the users in mid-stream', () => {
  type Deed =
    | { readonly kind: 'packet'; readonly source: number; readonly user: number; readonly index: number }
    | { readonly kind: 'stray'; readonly source: number; readonly one: Knock }
    | { readonly kind: 'add' | 'rotate'; readonly user: number; readonly pick: number }
    | { readonly kind: 'remove'; readonly user: number };

  const user = fc.nat(7);
  const source = fc.nat(1);
  const deed: fc.Arbitrary<Deed> = fc.oneof(
    { weight: 12, arbitrary: fc.record({ kind: fc.constant('packet' as const), source, user, index: fc.nat(3) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('stray' as const), source, one: tinyKnock }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constantFrom('add' as const, 'rotate' as const), user, pick: fc.nat() }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), user }) },
  );

  /** Whether the packets of a source hold these knocks, in this order. */
  const sent = (packets: readonly string[], sequence: Sequence) => {
    let from = 0;
    return sequence.every((one) => {
      const at = packets.indexOf(formatKnock(one), from);
      from = at + 1;
      return at >= 0;
    });
  };

  it('never opens a sequence that its source did not knock whole and in order, nor one that is no more', () => {
    let completions = 0;
    const games = fc.tuple(tinySequences, tinySequences, fc.array(deed, { minLength: 20, maxLength: 120 }));
    fc.assert(
      fc.property(games, ([first, spare, deeds]) => {
        let lastId = first.length;
        let users = numbered(first);
        const { clock, executor } = executorOf(users);
        const packets: string[][] = [[], []];
        for (const one of deeds) {
          clock.advance(millis(10));
          if (one.kind === 'packet' || one.kind === 'stray') {
            const wanted = one.kind === 'stray' ? one.one : users[one.user % users.length]?.sequence[one.index];
            if (wanted === undefined) continue;
            packets[one.source]?.push(formatKnock(wanted));
            const id = completedBy(executor, SOURCES[one.source] ?? LAPTOP, wanted);
            if (id === undefined) continue;
            completions++;
            const mine = users.find(({ sequenceId }) => sequenceId === id);
            expect(mine, 'a sequence that there is').toBeDefined();
            expect(sent(packets[one.source] ?? [], mine?.sequence ?? [])).toBe(true);
            continue;
          }
          const at = one.user % Math.max(1, users.length);
          const rest = one.kind === 'add' ? users : users.filter((_, i) => i !== at);
          if (one.kind === 'remove') users = rest;
          else {
            const wish = [...spare, ...first][one.pick % (spare.length + first.length)] ?? [];
            const fits = keepingTheRules([...rest.map(({ sequence }) => sequence), wish]).length > rest.length;
            users = fits ? [...rest, { sequenceId: ++lastId, sequence: wish }] : rest;
          }
          executor.replace(compileSteps(users));
        }
      }),
      { numRuns: 1000 },
    );
    expect(completions).toBeGreaterThan(100);
  });

  it('lets one go on whose sequence is still the same', () => {
    const [a, b, c] = [knock('tcp', 1), knock('udp', 3), knock('tcp', 5)];
    const mine = { sequenceId: 7, sequence: [a, b, c] };
    const before = compileSteps([{ sequenceId: 3, sequence: [knock('tcp', 9), knock('udp', 11)] }, mine]);
    const executor = new KnockExecutor({ clock: new FakeClock(), window: WINDOW, steps: before });
    executor.packet(LAPTOP, a);
    executor.packet(LAPTOP, b);
    executor.replace(compileSteps([mine, { sequenceId: 8, sequence: [a, knock('udp', 11)] }]));
    expect(completedBy(executor, LAPTOP, c)).toBe(7);
  });

  it('lets nobody go on with a sequence that was renewed, not even with the same ports', () => {
    const [a, b, c] = [knock('tcp', 1), knock('udp', 3), knock('tcp', 5)];
    const clock = new FakeClock();
    const steps = compileSteps([{ sequenceId: 7, sequence: [a, b, c] }]);
    const executor = new KnockExecutor({ clock, window: WINDOW, steps });
    executor.packet(LAPTOP, a);
    executor.packet(LAPTOP, b);
    executor.replace(compileSteps([{ sequenceId: 8, sequence: [a, b, c] }]));
    expect(executor.packet(LAPTOP, c)).toBeUndefined();
    expect([a, b, c].map((one) => completedBy(executor, LAPTOP, one))).toEqual([undefined, undefined, 8]);
  });
});
