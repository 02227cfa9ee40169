import { beforeEach, describe, expect, it } from 'vitest';
import type { Target } from '../../src/core/address.ts';
import { elementsOf } from '../../src/core/grants/elements.ts';
import type { Grant, GrantId } from '../../src/core/grants/grant.ts';
import { drawGrantId, parseGrantId } from '../../src/core/grants/id.ts';
import { GrantLedger, type OpenRequest } from '../../src/core/grants/ledger.ts';
import { hours, after as later, millis, minutes, seconds } from '../../src/core/time.ts';
import { seededRandom } from '../support/core-arbitraries.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { grantId, grantOf, openRequest, owner, SSH, SSH_AND_WEB, target } from '../support/grants.ts';

const MAX_TTL = hours(12);

function newLedger() {
  const clock = new FakeClock();
  return { clock, ledger: new GrantLedger({ clock, random: seededRandom(1), maxTtl: MAX_TTL }) };
}

let clock: FakeClock;
let ledger: GrantLedger;
beforeEach(() => {
  ({ clock, ledger } = newLedger());
});

const user = (id: number, maxAddresses = 5): OpenRequest['user'] => ({ ...owner(id), maxAddresses });
const nth = (n: number): Target => target(`203.0.113.${n}`);
const ids = (grants: Iterable<Grant>): GrantId[] => [...grants].map(({ id }) => id);

describe('opening', () => {
  it('makes a grant that lasts for its time and ends with it', () => {
    const { grant, ...rest } = ledger.open(openRequest({ ttl: minutes(10), note: 'hello' }));
    expect(rest).toEqual({ outcome: 'opened', before: null, evicted: [], sharedWith: [] });
    expect(grant).toEqual({
      id: expect.stringMatching(/^[0-9A-HJKMNP-TV-Z]{8}$/),
      user: owner(1),
      target: '203.0.113.7',
      services: SSH,
      method: 'knock',
      openedAt: clock.now(),
      expires: later(clock.monotonic(), minutes(10)),
      ttl: minutes(10),
      note: 'hello',
    });
    expect(ledger.nextExpiry()).toBe(grant.expires);
    clock.advance(millis(minutes(10) - 1));
    expect(ledger.expire()).toEqual([]);
    clock.advance(millis(1));
    expect(ledger.expire()).toEqual([grant]);
    expect([ledger.size, ledger.get(grant.id), ledger.atTarget(grant.target), ledger.ofUser(1)]).toEqual([
      0,
      undefined,
      [],
      [],
    ]);
    expect(ledger.expire()).toEqual([]);
  });

  it('leaves nothing behind where it is renewed again and again', () => {
    const { grant } = ledger.open(openRequest({ method: 'cli', ttl: hours(12) }));
    const other = ledger.open(openRequest({ method: 'cli', ttl: minutes(100), target: nth(9) })).grant;
    for (let n = 0; n < 3000; n++) {
      clock.advance(seconds(1));
      ledger.open(openRequest({ method: 'cli', ttl: hours(12) }));
    }
    expect(ledger.nextExpiry()).toBe(other.expires);
    clock.advance(minutes(50));
    expect(ids(ledger.expire())).toEqual([other.id]);
    // Of the 3000 ends that were put off, only the latest thousand or so may still be there.
    expect(ledger.nextExpiry()).toBeGreaterThan(grant.expires + seconds(1500));
    clock.advance(hours(12));
    expect(ids(ledger.expire())).toEqual([grant.id]);
    expect(ledger.nextExpiry()).toBeUndefined();
  });

  it('never lasts longer than the configured maximum', () => {
    const { grant } = ledger.open(openRequest({ ttl: hours(1000) }));
    expect([grant.ttl, grant.expires]).toEqual([MAX_TTL, later(clock.monotonic(), MAX_TTL)]);
  });

  it('does not hang on the wall clock: setting it changes no expiry', () => {
    const { grant } = ledger.open(openRequest());
    clock.setWall(hours(5));
    expect(ledger.expire()).toEqual([]);
    clock.setWall(hours(-50));
    clock.advance(hours(1));
    expect(ids(ledger.expire())).toEqual([grant.id]);
  });

  it('ends in the order of the expiries, also for what was renewed meanwhile', () => {
    const open = (n: number, ttl: number) =>
      ledger.open(openRequest({ target: nth(n), ttl: seconds(ttl), method: 'cli' })).grant.target;
    open(1, 10);
    open(2, 15);
    open(3, 30);
    open(1, 20);
    expect(ledger.nextExpiry()).toBeLessThanOrEqual(later(clock.monotonic(), seconds(15)));
    clock.advance(minutes(1));
    expect(ledger.expire().map((grant) => grant.target)).toEqual([nth(2), nth(1), nth(3)]);
  });
});

describe('a second knock', () => {
  it('renews: the same grant, from now on, opened when it was first', () => {
    const first = ledger.open(openRequest()).grant;
    clock.advance(minutes(40));
    const { outcome, grant } = ledger.open(openRequest());
    expect(outcome).toBe('renewed');
    expect(grant).toEqual({ ...first, expires: later(clock.monotonic(), hours(1)) });
    expect(ledger.size).toBe(1);
    clock.advance(minutes(20));
    expect(ledger.expire()).toEqual([]);
    clock.advance(minutes(40));
    expect(ledger.expire()).toEqual([grant]);
  });

  it('never shortens', () => {
    const first = ledger.open(openRequest({ ttl: hours(2), method: 'cli', note: 'long' })).grant;
    clock.advance(minutes(30));
    const { outcome, grant } = ledger.open(openRequest({ ttl: hours(1) }));
    expect(outcome).toBe('renewed');
    expect(grant).toEqual({ ...first, method: 'knock' });
  });

  it('for other services takes their own time, though it is shorter', () => {
    const first = ledger.open(openRequest({ ttl: hours(2), method: 'cli' })).grant;
    const services = SSH_AND_WEB;
    const { grant } = ledger.open(openRequest({ ttl: minutes(5), services }));
    expect(grant).toEqual({
      ...first,
      services,
      method: 'knock',
      ttl: minutes(5),
      expires: later(clock.monotonic(), minutes(5)),
    });
    clock.advance(minutes(5));
    expect(ledger.expire()).toEqual([grant]);
  });

  it('within a second is the same knock heard twice, and changes nothing', () => {
    const { grant } = ledger.open(openRequest());
    clock.advance(millis(999));
    expect(ledger.open(openRequest())).toEqual({
      outcome: 'repeated',
      grant,
      before: grant,
      evicted: [],
      sharedWith: [],
    });
    clock.advance(millis(1));
    expect(ledger.open(openRequest()).outcome).toBe('renewed');
    clock.advance(millis(999));
    expect(ledger.open(openRequest()).outcome).toBe('repeated');
  });

  it("right after an operator's word is no repeat: it renews", () => {
    ledger.open(openRequest({ method: 'cli', ttl: minutes(1) }));
    const { outcome, grant } = ledger.open(openRequest());
    expect([outcome, grant.ttl]).toEqual(['renewed', hours(1)]);
    expect(ledger.open(openRequest({ method: 'cli', ttl: hours(2) })).outcome).toBe('renewed');
  });

  it('after the grant was revoked opens anew, even within a second', () => {
    const { grant } = ledger.open(openRequest());
    ledger.end(grant.id);
    const again = ledger.open(openRequest());
    expect(again.outcome).toBe('opened');
    expect(again.grant.id).not.toBe(grant.id);
  });

  it('of another address is a grant of its own', () => {
    ledger.open(openRequest());
    expect(ledger.open(openRequest({ target: nth(8) })).outcome).toBe('opened');
    expect(ids(ledger.ofUser(1))).toHaveLength(2);
  });
});

describe('several users behind one address', () => {
  it('have a grant each, and each is told of the others', () => {
    const first = ledger.open(openRequest());
    const second = ledger.open(openRequest({ user: user(2) }));
    const third = ledger.open(openRequest({ user: user(3) }));
    expect([first, second, third].map(({ outcome }) => outcome)).toEqual(['opened', 'opened', 'opened']);
    expect([first, second, third].map(({ sharedWith }) => sharedWith)).toEqual([[], ['user1'], ['user1', 'user2']]);
    clock.advance(minutes(1));
    expect(ledger.open(openRequest({ user: user(2) })).sharedWith).toEqual(['user1', 'user3']);
    expect(ledger.atTarget(nth(7))).toHaveLength(3);
  });

  it('share what is open until the longest expiry, and revoking one never cuts another', () => {
    const long = ledger.open(openRequest({ ttl: hours(3) })).grant;
    const short = ledger.open(openRequest({ user: user(2), ttl: hours(1), services: SSH_AND_WEB })).grant;
    const ends = () => elementsOf(nth(7), ledger.atTarget(nth(7))).map(({ scope: one, until }) => [one, until]);
    expect(ends()).toEqual([
      ['ssh', long.expires],
      ['web', short.expires],
    ]);
    ledger.end(long.id);
    expect(ends()).toEqual([
      ['ssh', short.expires],
      ['web', short.expires],
    ]);
    expect(ledger.get(short.id)).toEqual(short);
  });

  it('an operator who names no user opens one grant for each scope, and shares with all', () => {
    const open = (services: OpenRequest['services']) =>
      ledger.open(openRequest({ user: null, services, method: 'cli' }));
    const first = open(SSH);
    expect([first.outcome, open(SSH).outcome, open(SSH_AND_WEB).outcome]).toEqual(['opened', 'renewed', 'opened']);
    expect(ledger.open(openRequest()).sharedWith).toEqual([]);
    expect(open(SSH).sharedWith).toEqual(['user1']);
    expect(ledger.size).toBe(3);
  });
});

describe('the limit of addresses', () => {
  const open = (n: number, change: Partial<OpenRequest> = {}) =>
    ledger.open(openRequest({ user: user(1, 2), target: nth(n), ...change }));

  it('lets the address give way that was renewed longest ago', () => {
    open(1);
    clock.advance(minutes(1));
    open(2);
    clock.advance(minutes(1));
    open(1);
    clock.advance(minutes(1));
    const { evicted } = open(3);
    expect(evicted.map((grant) => grant.target)).toEqual([nth(2)]);
    expect(ledger.ofUser(1).map((grant) => grant.target)).toEqual([nth(1), nth(3)]);
  });

  it('looks at when an address was renewed, also where that did not make it last longer', () => {
    open(1, { ttl: hours(4) });
    clock.advance(minutes(1));
    open(2);
    clock.advance(minutes(1));
    open(1);
    clock.advance(minutes(1));
    expect(open(3).evicted.map((grant) => grant.target)).toEqual([nth(2)]);
  });

  it('is not used up by renewing, nor by what was opened for others', () => {
    open(1);
    open(2);
    ledger.open(openRequest({ user: user(2), target: nth(3) }));
    ledger.open(openRequest({ user: null, target: nth(4), method: 'cli' }));
    clock.advance(minutes(1));
    expect([open(1).evicted, open(2).evicted]).toEqual([[], []]);
    expect(ledger.size).toBe(4);
  });

  it('that was lowered makes as many give way as are too many, the oldest first', () => {
    for (const n of [3, 1, 4, 5]) {
      ledger.open(openRequest({ target: nth(n) }));
      clock.advance(minutes(1));
    }
    expect(open(9).evicted.map((grant) => grant.target)).toEqual([nth(3), nth(1), nth(4)]);
    expect(ledger.ofUser(1).map((grant) => grant.target)).toEqual([nth(5), nth(9)]);
  });

  it('holds for what was there before a restart, too', () => {
    const old = (n: number, openedFor: number, left: number) =>
      ledger.restore(
        grantOf({
          id: grantId(n),
          target: nth(n),
          ttl: minutes(openedFor),
          expires: later(clock.monotonic(), minutes(left)),
        }),
      );
    old(1, 60, 50);
    old(2, 60, 20);
    expect(open(3).evicted.map((grant) => grant.target)).toEqual([nth(2)]);
  });

  it('is restored by trimming what a crash has left too much of, the oldest first', () => {
    for (const n of [1, 2, 3]) {
      open(n, { user: user(1, 3) });
      clock.advance(minutes(1));
    }
    expect(ledger.trim({ id: 1, maxAddresses: 3 })).toEqual([]);
    expect(ledger.trim({ id: 1, maxAddresses: 1 }).map((grant) => grant.target)).toEqual([nth(1), nth(2)]);
    expect(ledger.ofUser(1).map((grant) => grant.target)).toEqual([nth(3)]);
  });
});

describe('what the kernel refused', () => {
  const state = () => [...ledger.all()].sort((a, b) => (a.id < b.id ? -1 : 1));

  it('is taken back: an opening, a renewal, and those that gave way for it', () => {
    const limited = { user: user(1, 1) };
    ledger.open(openRequest(limited));
    clock.advance(minutes(10));
    const before = state();
    ledger.undo(ledger.open(openRequest({ user: user(2) })));
    expect(state()).toEqual(before);
    ledger.undo(ledger.open(openRequest(limited)));
    expect(state()).toEqual(before);
    ledger.undo(ledger.open(openRequest({ ...limited, target: nth(8) })));
    expect(state()).toEqual(before);
    expect(ledger.ofUser(1)).toEqual(before);
    expect(ledger.nextExpiry()).toBeLessThanOrEqual(before[0]?.expires ?? 0);
  });

  it('may be tried again at once: it is no repeat', () => {
    ledger.open(openRequest());
    clock.advance(minutes(10));
    ledger.undo(ledger.open(openRequest()));
    expect(ledger.open(openRequest()).outcome).toBe('renewed');
    ledger.undo(ledger.open(openRequest({ user: user(2) })));
    expect(ledger.open(openRequest({ user: user(2) })).outcome).toBe('opened');
  });

  it('is taken back as a whole, the latest first', () => {
    const limited = { user: user(1, 1) };
    ledger.open(openRequest({ ...limited, target: nth(1) }));
    const before = state();
    clock.advance(minutes(1));
    const opened = [2, 3, 2].map((n) => {
      clock.advance(seconds(2));
      return ledger.open(openRequest({ ...limited, target: nth(n) }));
    });
    for (const one of opened.toReversed()) ledger.undo(one);
    expect(state()).toEqual(before);
  });

  it('stays as it is where something newer has happened to it', () => {
    const first = ledger.open(openRequest());
    clock.advance(minutes(1));
    const { grant } = ledger.open(openRequest());
    ledger.undo(first);
    expect(state()).toEqual([grant]);
    const evicting = ledger.open(openRequest({ user: user(1, 1), target: nth(8) }));
    clock.advance(seconds(2));
    const again = ledger.open(openRequest({ user: user(1, 2) }));
    ledger.undo(evicting);
    expect(state()).toEqual([again.grant]);
  });
});

describe('what was restored', () => {
  it('keeps its id, is renewed by the next knock, and ends in its time', () => {
    const old = grantOf({ id: grantId(77), expires: later(clock.monotonic(), minutes(5)) });
    ledger.restore(old);
    expect([ledger.get(old.id), ledger.nextExpiry()]).toEqual([old, old.expires]);
    const { outcome, grant } = ledger.open(openRequest());
    expect([outcome, grant.id]).toEqual(['renewed', old.id]);
    clock.advance(minutes(5));
    expect(ledger.expire()).toEqual([]);
    clock.advance(minutes(55));
    expect(ids(ledger.expire())).toEqual([old.id]);
  });

  it('never shares its id with a new grant', () => {
    const random = () => 0;
    const taken = new Set([grantId(0)]);
    let asked = 0;
    const drawn = drawGrantId(
      (bound) => (asked++ < 8 ? random() : bound - 1),
      (id) => taken.has(id),
    );
    expect(drawn).toBe('ZZZZZZZZ');
  });
});

it('an id is read as a person types it, and nothing else is taken for one', () => {
  expect(parseGrantId('7k2m9qxa')).toBe('7K2M9QXA');
  for (const text of [
    '',
    '7K2M9QX',
    '7K2M9QXAA',
    '7K2M9QXI',
    '7K2M9QXO',
    '7K2M9QXL',
    '7K2M9QXU',
    ' 7K2M9QX',
    '203.0.113',
  ]) {
    expect(parseGrantId(text)).toBeUndefined();
  }
});
