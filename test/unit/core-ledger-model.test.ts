import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Target } from '../../src/core/address.ts';
import type { Grant, GrantId } from '../../src/core/grants/grant.ts';
import { GrantLedger, type Opened, type OpenRequest } from '../../src/core/grants/ledger.ts';
import { hours, after as later, millis } from '../../src/core/time.ts';
import { seededRandom } from '../support/core-arbitraries.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { grantId, grantOf, METHODS, owner, scope, target } from '../support/grants.ts';

const MAX_TTL = hours(12);

function newLedger() {
  const clock = new FakeClock();
  return { clock, ledger: new GrantLedger({ clock, random: seededRandom(1), maxTtl: MAX_TTL }) };
}

const user = (id: number, maxAddresses = 5): OpenRequest['user'] => ({ ...owner(id), maxAddresses });
const nth = (n: number): Target => target(`203.0.113.${n}`);
const ids = (grants: Iterable<Grant>): GrantId[] => [...grants].map(({ id }) => id);

/** The same rules, over one plain list. */
class NaiveLedger {
  grants: (Grant & { renewed: number; heard: number | undefined })[] = [];

  open(request: OpenRequest, at: { now: number; wall: number }, newId: GrantId): Opened['outcome'] {
    const mine = this.grants.find(
      (one) =>
        one.target === request.target &&
        one.user?.id === request.user?.id &&
        (request.user !== null || one.services.join() === request.services.join()),
    );
    const bothKnocks = mine?.method === 'knock' && request.method === 'knock';
    if (bothKnocks && mine?.heard !== undefined && at.now - mine.heard < 1000) return 'repeated';
    const ttl = Math.min(request.ttl, MAX_TTL);
    const isOther = mine?.services.join() !== request.services.join();
    const isLonger = mine === undefined || isOther || at.now + ttl >= mine.expires;
    const made = {
      id: mine?.id ?? newId,
      user: request.user === null ? null : owner(request.user.id),
      target: request.target,
      services: request.services,
      method: request.method,
      openedAt: mine?.openedAt ?? at.wall,
      expires: isLonger ? at.now + ttl : mine.expires,
      ttl: isLonger ? ttl : mine.ttl,
      note: request.note ?? mine?.note ?? null,
      renewed: at.now,
      heard: at.now,
    } as NaiveLedger['grants'][number];
    if (mine === undefined) this.grants.push(made);
    else this.grants[this.grants.indexOf(mine)] = made;
    return mine === undefined ? 'opened' : 'renewed';
  }

  evict(request: OpenRequest, latest: GrantId): GrantId[] {
    const { user: one } = request;
    if (one === null) return [];
    const evicted: GrantId[] = [];
    for (;;) {
      const held = this.grants.filter((grant) => grant.user?.id === one.id);
      const others = held.filter((grant) => grant.id !== latest);
      if (held.length <= one.maxAddresses || others.length === 0) return evicted;
      const oldest = others.reduce((a, b) => (b.renewed < a.renewed ? b : a));
      evicted.push(oldest.id);
      this.remove(oldest.id);
    }
  }

  remove(id: GrantId): void {
    this.grants = this.grants.filter((grant) => grant.id !== id);
  }

  expire(now: number): GrantId[] {
    const ended = this.grants.filter(({ expires }) => expires <= now).sort((a, b) => a.expires - b.expires);
    for (const { id } of ended) this.remove(id);
    return ids(ended);
  }
}

describe('the ledger, whatever is done with it', () => {
  interface Real {
    clock: FakeClock;
    ledger: GrantLedger;
  }

  type Command = fc.Command<NaiveLedger, Real>;

  const command = (name: string, run: Command['run'], check: Command['check'] = () => true): Command => ({
    check,
    run: (naive, real) => {
      run(naive, real);
      agree(naive, real);
    },
    toString: () => name,
  });

  const open = (request: OpenRequest) =>
    command(`open(${JSON.stringify(request)})`, (naive, real) => {
      const at = { now: real.clock.monotonic(), wall: real.clock.now() };
      const others = naive.grants.filter((one) => one.user !== null && one.user.id !== request.user?.id);
      const sharing = others.filter((one) => one.target === request.target).map((one) => one.user?.name);
      const got = real.ledger.open(request);
      expect(got.outcome).toBe(naive.open(request, at, got.grant.id));
      expect(new Set(got.sharedWith)).toEqual(new Set(sharing));
      expect(ids(got.evicted)).toEqual(got.outcome === 'repeated' ? [] : naive.evict(request, got.grant.id));
      expect(real.ledger.get(got.grant.id)).toBe(got.grant);
    });

  const end = (index: number) =>
    command(`end(${index})`, (naive, real) => {
      const id = naive.grants[index % Math.max(1, naive.grants.length)]?.id;
      expect(real.ledger.end(id ?? grantId(0))?.id).toBe(id);
      if (id !== undefined) naive.remove(id);
      expect(real.ledger.end(id ?? grantId(0))).toBeUndefined();
    });

  const restore = (n: number, left: number, on: Target) =>
    command(
      `restore(${n}, ${left}, ${on})`,
      (naive, real) => {
        const expires = later(real.clock.monotonic(), millis(left));
        const grant = grantOf({ id: grantId(n), target: on, expires });
        real.ledger.restore(grant);
        naive.grants.push({ ...grant, renewed: expires - grant.ttl, heard: undefined });
      },
      ({ grants }) => !grants.some((one) => one.id === grantId(n) || (one.target === on && one.user?.id === 1)),
    );

  const pass = (time: number, wall: number) =>
    command(`pass(${time}, ${wall})`, (_, real) => {
      real.clock.advance(millis(time));
      real.clock.setWall(millis(wall));
    });

  const expire = command('expire()', (naive, real) => {
    const ended = real.ledger.expire();
    expect(new Set(ids(ended))).toEqual(new Set(naive.expire(real.clock.monotonic())));
    const ends = ended.map(({ expires }) => expires);
    expect(ends).toEqual(ends.toSorted((a, b) => a - b));
  });

  /** Grants as one text each, in the order of their ids. */
  const told = (grants: Iterable<Grant>) =>
    [...grants]
      .map((one) =>
        [
          one.id,
          one.user?.id,
          one.user?.name,
          one.target,
          one.services,
          one.method,
          one.openedAt,
          one.expires,
          one.ttl,
          one.note,
        ].join(),
      )
      .sort()
      .join('\n');

  function agree({ grants }: NaiveLedger, { ledger: real }: Real) {
    const found = [
      told(real.all()),
      real.size,
      [...real.targets()].sort(),
      ...TARGETS.map((one) => told(real.atTarget(one))),
      ...[1, 2, 3].map((id) => told(real.ofUser(id))),
    ];
    const expected = [
      told(grants),
      grants.length,
      [...new Set(grants.map((one) => one.target))].sort(),
      ...TARGETS.map((one) => told(grants.filter((grant) => grant.target === one))),
      ...[1, 2, 3].map((id) => told(grants.filter((grant) => grant.user?.id === id))),
    ];
    if (found.join('\n\n') !== expected.join('\n\n')) expect(found).toEqual(expected);
    const next = real.nextExpiry() ?? Number.POSITIVE_INFINITY;
    if (grants.some(({ expires }) => expires < next)) expect.fail(`the next expiry is before ${next}`);
  }

  const TARGETS = [nth(1), nth(2), nth(3), target('2001:db8::7'), target('10.0.0.0/8')];
  const where = fc.constantFrom(...TARGETS);
  const who = fc.oneof(
    { weight: 1, arbitrary: fc.constant(null) },
    { weight: 5, arbitrary: fc.constantFrom(user(1, 2), user(2, 1), user(3, 5)) },
  );
  const opens = fc
    .record({
      user: who,
      target: where,
      services: scope,
      ttl: fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: hours(20) })).map(millis),
      method: fc.constantFrom(...METHODS, 'knock' as const, 'knock' as const),
      note: fc.constantFrom(null, 'a note'),
    })
    .map(open);
  const time = fc.oneof(fc.nat(3000), fc.nat(hours(2)));
  const wall = fc.oneof(
    { weight: 4, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.constantFrom(-hours(1), hours(1)) },
  );
  const commands = fc.commands(
    [
      opens,
      opens,
      fc.nat(9).map(end),
      fc.tuple(fc.nat(30), fc.integer({ min: 1, max: hours(1) }), where).map((all) => restore(...all)),
      fc.tuple(time, wall).map((both) => pass(...both)),
      fc.constant(expire),
    ],
    { size: '+1' },
  );

  it('agrees with one plain list of grants', () => {
    fc.assert(
      fc.property(commands, (all) => {
        fc.modelRun(() => ({ model: new NaiveLedger(), real: newLedger() }), all);
      }),
      { numRuns: 100 },
    );
  });
});
