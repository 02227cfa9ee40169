import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseAddress, parseTarget } from '../../src/core/address.ts';
import { SallyportError } from '../../src/core/errors.ts';
import { parseComment } from '../../src/core/grants/comment.ts';
import type { OpenRequest } from '../../src/core/grants/ledger.ts';
import { ALL } from '../../src/core/service.ts';
import type { Change } from '../../src/core/store.ts';
import { hours, millis, minutes, seconds } from '../../src/core/time.ts';
import type { User } from '../../src/core/user.ts';
import { EIGHT } from '../support/fake-clock.ts';
import {
  ANNA,
  BEN,
  type GateRig,
  gateRig,
  knockOf,
  LAPTOP,
  OWN,
  PHONE,
  person,
  type RigOptions,
} from '../support/gate-rig.ts';
import { openRequest, SSH, SSH_AND_WEB, target } from '../support/grants.ts';

const BROKEN = new SallyportError('SP_FIREWALL_FAILED', { problem: 'no memory' });

let rig: GateRig;

async function started(options: RigOptions = {}): Promise<GateRig> {
  rig = gateRig(options);
  await rig.start();
  await rig.settle();
  return rig;
}

beforeEach(async () => {
  await started();
});
afterEach(() => {
  rig.doorkeeper.stop();
  rig.guard.stop();
  vi.useRealTimers();
});

const knock = async (user: User, source = LAPTOP) => {
  await rig.doorkeeper.knocks([knockOf(user, source)]);
  await rig.settle();
};
const byOperator = (change: Partial<OpenRequest> = {}) =>
  rig.doorkeeper.open(openRequest({ user: null, method: 'cli', ...change }));
/** The records of grants as they stand in the store: id and whether it has ended. */
const recorded = () => {
  const grants = new Map<string, string>();
  for (const change of rig.store.kept) {
    if (change.kind === 'grant.put') grants.set(change.record.grant.id, change.record.ended?.reason ?? 'live');
    // As in the real store, the first end stands, and the end of what was never recorded is none.
    if (change.kind === 'grant.end' && grants.get(change.id) === 'live') grants.set(change.id, change.reason);
  }
  return [...grants.values()];
};

describe('a knock', () => {
  it('opens in one change of the kernel, which holds the address, and takes the knock out of the mailbox', async () => {
    const one = knockOf(ANNA);
    rig.firewall.mailbox = [one.completion, knockOf(BEN).completion];
    await knock(ANNA);
    const [grant] = rig.ledger.all();
    expect(rig.firewall.changes).toEqual([
      {
        present: [
          { scope: 'ssh', target: LAPTOP, until: grant?.expires, comment: expect.any(String) },
          { scope: 'held', target: LAPTOP, until: (grant?.expires ?? 0) + hours(25), comment: null },
        ],
        absent: [],
        answered: [one.completion],
      },
    ]);
    expect(parseComment(rig.firewall.changes[0]?.present[0]?.comment ?? '')).toEqual([
      { id: grant?.id, userId: ANNA.id, method: 'knock', openedAt: EIGHT, ttl: hours(1) },
    ]);
    expect(rig.firewall.open).toEqual([`ssh ${LAPTOP}`]);
    expect(rig.firewall.mailbox).toEqual([knockOf(BEN).completion]);
  });

  it('is recorded right after: who, from where, what, how, how long', async () => {
    await knock(ANNA);
    const [grant] = rig.ledger.all();
    expect(rig.store.kept).toEqual([
      { kind: 'grant.put', record: { grant, expiresAt: EIGHT + hours(1), ended: null } },
      {
        kind: 'journal',
        event: {
          ...{ at: EIGHT, event: 'grant.opened', user: 'anna', address: LAPTOP, method: 'knock', services: SSH },
          ...{ grant: grant?.id, detail: 'for 1h' },
        },
      },
    ]);
  });

  it('opens for the time and the services of its user', async () => {
    await started({ users: [person(1, 'anna', { services: SSH_AND_WEB, ttl: minutes(5) })] });
    await knock(ANNA);
    expect(rig.firewall.open).toEqual([`ssh ${LAPTOP}`, `web ${LAPTOP}`]);
    await rig.clock.advance(minutes(5));
    expect(rig.firewall.open).toEqual([]);
    expect(rig.store.told).toEqual(['grant.opened', 'grant.expired']);
  });

  it('opens although the disk is full, and is recorded when there is room', async () => {
    rig.store.fault = () => new SallyportError('SP_STORE_FULL', { directory: '/state' });
    await knock(ANNA);
    expect(rig.firewall.open).toEqual([`ssh ${LAPTOP}`]);
    expect(rig.store.kept).toEqual([]);
    rig.store.fault = undefined;
    await rig.clock.advance(seconds(2));
    expect([rig.store.told, recorded()]).toEqual([['grant.opened'], ['live']]);
  });

  it('again renews what is open', async () => {
    await knock(ANNA);
    await rig.clock.advance(minutes(50));
    await knock(ANNA);
    await rig.clock.advance(minutes(50));
    expect(rig.firewall.open).toEqual([`ssh ${LAPTOP}`]);
    expect([rig.store.told, recorded()]).toEqual([['grant.opened', 'grant.renewed'], ['live']]);
  });

  it('that is heard twice is answered twice and recorded once', async () => {
    await knock(ANNA);
    rig.firewall.mailbox = [knockOf(ANNA).completion];
    await knock(ANNA);
    expect(rig.firewall.changes[1]).toEqual({ present: [], absent: [], answered: [knockOf(ANNA).completion] });
    expect([rig.firewall.mailbox, rig.store.told]).toEqual([[], ['grant.opened']]);
  });

  it('of a sequence that is nobody’s is taken out of the mailbox, and opens nothing', async () => {
    const stale = knockOf(person(7, 'gone'));
    rig.firewall.mailbox = [stale.completion];
    await rig.doorkeeper.knocks([stale]);
    expect([rig.firewall.open, rig.firewall.mailbox, rig.store.kept]).toEqual([[], [], []]);
  });

  it('comes with others in one change for all of them', async () => {
    const sources = Array.from({ length: 20 }, (_, n) => parseAddress(`192.0.2.${n + 1}`));
    await rig.doorkeeper.knocks(
      sources.map((source, i) => knockOf(person(1, 'x', { sequenceId: 11 + (i % 2) }), source)),
    );
    await rig.settle();
    expect(rig.firewall.calls.filter((call) => call === 'change')).toHaveLength(1);
    // Each has five addresses at most: the others gave way in the same change.
    expect(rig.firewall.open).toEqual(
      sources
        .slice(10)
        .map((one) => `ssh ${one}`)
        .sort(),
    );
    expect(recorded().filter((one) => one === 'live')).toHaveLength(10);
    expect(recorded()).toHaveLength(20);
  });

  it('of IPv6 opens the address, or its network where the configuration says so', async () => {
    const far = parseAddress('2001:db8:1:2:3::4');
    await knock(ANNA, far);
    expect(rig.firewall.open).toEqual([`ssh ${far}`]);
    await started({ ipv6Prefix: 64 });
    await knock(ANNA, far);
    await knock(ANNA, LAPTOP);
    expect(rig.firewall.open).toEqual(['ssh 2001:db8:1:2::/64', `ssh ${LAPTOP}`]);
    await rig.clock.advance(seconds(5));
    await knock(ANNA, parseAddress('2001:db8:1:2::9'));
    expect(rig.ledger.size).toBe(2);
  });

  it('leaves no port of its sequence in the journal or the log', async () => {
    await knock(ANNA);
    rig.firewall.fault = BROKEN;
    await knock(BEN);
    await knock(BEN, OWN);
    const said = JSON.stringify([rig.store.kept, rig.log.lines]);
    expect(said.length).toBeGreaterThan(500);
    for (const { port } of [...ANNA.sequence, ...BEN.sequence]) expect(said).not.toContain(String(port));
  });
});

describe('an address that may never be let in', () => {
  it.each([
    [OWN, "it is the host's own address"],
    [parseAddress('127.0.0.1'), 'it is a loopback address'],
    [parseAddress('224.0.0.1'), 'it is a multicast address'],
    [parseAddress('::1'), 'it is a loopback address'],
  ])('is refused: %s, as %s; the journal says so and the knock is answered', async (source, reason) => {
    rig.firewall.mailbox = [knockOf(ANNA, source).completion];
    await knock(ANNA, source);
    expect([rig.firewall.open, rig.firewall.mailbox, rig.ledger.size]).toEqual([[], [], 0]);
    expect(rig.store.events).toEqual([
      { at: EIGHT, event: 'attempt.refused', user: 'anna', address: source, method: 'knock', detail: reason },
    ]);
  });

  it('does not keep others of the same moment out', async () => {
    await rig.doorkeeper.knocks([knockOf(ANNA, OWN), knockOf(BEN, PHONE)]);
    expect(rig.firewall.open).toEqual([`ssh ${PHONE}`]);
  });
});

describe('where the packet filter fails', () => {
  it('a knock leaves no grant behind, the journal tells of it, and the next one opens', async () => {
    rig.firewall.fault = BROKEN;
    await knock(ANNA);
    expect([rig.ledger.size, rig.firewall.open, recorded()]).toEqual([0, [], []]);
    expect(rig.store.events).toEqual([
      {
        ...{ at: EIGHT, event: 'attempt.refused', user: 'anna', address: LAPTOP, method: 'knock' },
        detail: 'the packet filter did not take it',
      },
    ]);
    rig.firewall.fault = undefined;
    await knock(ANNA);
    expect([rig.firewall.open, recorded()]).toEqual([[`ssh ${LAPTOP}`], ['live']]);
  });

  it('what was open before stays as it was: its time, and the addresses that would have given way', async () => {
    await started({ users: [person(1, 'anna', { maxAddresses: 1 })] });
    await knock(ANNA);
    const before = [...rig.ledger.all()];
    await rig.clock.advance(minutes(10));
    rig.firewall.fault = BROKEN;
    await knock(ANNA);
    await knock(ANNA, PHONE);
    expect([...rig.ledger.all()]).toEqual(before);
    expect(recorded()).toEqual(['live']);
    rig.firewall.fault = undefined;
    await knock(ANNA);
    await rig.clock.advance(minutes(59));
    expect(rig.firewall.open).toEqual([`ssh ${LAPTOP}`]);
  });

  it('knocks that came together leave nothing behind, not even one that gave way for another', async () => {
    await started({ users: [person(1, 'anna', { maxAddresses: 1 })] });
    rig.firewall.fault = BROKEN;
    await rig.doorkeeper.knocks([knockOf(ANNA), knockOf(ANNA, PHONE)]);
    expect([rig.ledger.size, rig.firewall.open]).toEqual([0, []]);
  });

  it('an operator is told, and nothing is open or recorded', async () => {
    rig.firewall.fault = BROKEN;
    await expect(byOperator()).rejects.toMatchObject({ code: 'SP_FIREWALL_FAILED', cause: BROKEN });
    await rig.settle();
    expect([rig.ledger.size, rig.firewall.open, recorded()]).toEqual([0, [], []]);
  });

  it('what an operator has closed is closed as soon as it works again', async () => {
    const grant = await byOperator();
    rig.firewall.fault = BROKEN;
    await expect(rig.doorkeeper.end([grant], 'revoked')).rejects.toBe(BROKEN);
    expect(rig.firewall.open).toEqual([`ssh ${LAPTOP}`]);
    expect(rig.guard.mode).toBe('failed');
    rig.firewall.fault = undefined;
    await rig.clock.advance(seconds(2));
    expect([rig.firewall.open, rig.guard.mode, recorded()]).toEqual([[], 'guarding', ['revoked']]);
  });
});

describe('an operator', () => {
  it('has it open and on the disk when the answer comes', async () => {
    const release = rig.store.hold();
    let answer: unknown;
    void byOperator({ note: 'the plumber', services: SSH_AND_WEB }).then((grant) => {
      answer = grant;
    });
    await rig.settle();
    expect([rig.firewall.open, answer]).toEqual([[`ssh ${LAPTOP}`, `web ${LAPTOP}`], undefined]);
    release();
    await rig.settle();
    expect(answer).toMatchObject({ user: null, method: 'cli', note: 'the plumber' });
    expect(rig.details('grant.opened')).toEqual(['for 1h: the plumber']);
  });

  it('has an answer although the disk is full', async () => {
    rig.store.fault = () => new SallyportError('SP_STORE_FULL', { directory: '/state' });
    await expect(byOperator()).resolves.toMatchObject({ target: LAPTOP });
  });

  it('opens networks in the interval sets, for their time, beside the entries that stay', async () => {
    const office = parseTarget('192.0.2.0/24');
    rig.entries.push({
      id: 'E1',
      target: target('192.0.2.0/28'),
      services: SSH,
      note: null,
      source: 'operator',
      createdAt: EIGHT,
    });
    const grant = await byOperator({ target: office });
    expect(rig.firewall.open).toEqual([]);
    const ranges = () => Object.fromEntries([...rig.firewall.ranges.grants].map(([scope, all]) => [scope, all.length]));
    expect(ranges()).toEqual({ ssh: 1, held: 1 });
    expect(rig.firewall.ranges.entries.get(SSH[0] ?? ALL)).toHaveLength(1);
    await rig.doorkeeper.end([grant], 'revoked', 'by an operator');
    expect(ranges()).toEqual({ held: 1 });
    expect(rig.firewall.ranges.entries.size).toBe(1);
  });

  it('ends a grant at once, and its address is held on', async () => {
    const grant = await byOperator({ services: SSH_AND_WEB });
    await rig.doorkeeper.end([grant], 'revoked', 'by an operator');
    expect(rig.firewall.open).toEqual([]);
    expect([...rig.firewall.elements.keys()]).toEqual([`held ${LAPTOP}`]);
    expect([recorded(), rig.details('grant.revoked')]).toEqual([['revoked'], ['by an operator']]);
    await rig.doorkeeper.end([grant], 'revoked');
    expect(rig.store.told).toEqual(['grant.opened', 'grant.revoked']);
  });

  it('that ends a grant while the kernel opens it has ended it, in the store too', async () => {
    const opening = rig.doorkeeper.knocks([knockOf(ANNA)]);
    const ending = rig.doorkeeper.end([...rig.ledger.all()], 'revoked');
    await Promise.all([opening, ending]);
    await rig.settle();
    expect([rig.firewall.open, rig.ledger.size]).toEqual([[], 0]);
    expect(recorded()).toEqual(['revoked']);
  });

  it.each(['end', 'endWith'] as const)(
    'never has the end of a grant on the disk without its beginning: %s',
    async (way) => {
      const opening = rig.doorkeeper.knocks([knockOf(ANNA)]);
      const grants = [...rig.ledger.all()];
      const keep = async (ends: readonly Change[]) => rig.recorder.recordNow(ends);
      const ending =
        way === 'end'
          ? rig.doorkeeper.end(grants, 'revoked')
          : rig.doorkeeper.endWith(grants, ['revoked', 'the user was removed'], keep);
      await Promise.all([opening, ending]);
      await rig.settle();
      expect(rig.store.kept.map(({ kind }) => kind)).toEqual(['grant.put', 'journal', 'grant.end', 'journal']);
      expect(rig.store.told).toEqual(['grant.opened', 'grant.revoked']);
    },
  );
});

describe('several users behind one address', () => {
  it('are journalled and logged, and each sees what the others opened', async () => {
    await knock(ANNA);
    await knock(BEN);
    expect(rig.store.told).toEqual(['grant.opened', 'grant.opened', 'address.shared']);
    expect(rig.details('address.shared')).toEqual(['also open here: anna; each can use what the others opened']);
    expect(rig.log.messages('warn')).toContain('several users behind one address');
    expect(rig.firewall.open).toEqual([`ssh ${LAPTOP}`]);
  });

  it('are not cut when the grant of one is revoked, and the element names who is left', async () => {
    await knock(ANNA);
    await knock(BEN);
    const [anna, ben] = [rig.ledger.ofUser(1)[0], rig.ledger.ofUser(2)[0]];
    await rig.doorkeeper.end([...rig.ledger.ofUser(1)], 'revoked');
    expect(rig.firewall.open).toEqual([`ssh ${LAPTOP}`]);
    const [element] = rig.firewall.inside;
    expect(parseComment(element?.comment ?? '').map(({ id }) => id)).toEqual([ben?.id]);
    expect(anna?.id).not.toBe(ben?.id);
  });

  it('have the longest expiry; when one runs out its name goes from the element, and its own services close', async () => {
    await started({ users: [ANNA, person(2, 'ben', { ttl: minutes(10), services: SSH_AND_WEB })] });
    await knock(ANNA);
    await knock(BEN);
    expect(rig.firewall.open).toEqual([`ssh ${LAPTOP}`, `web ${LAPTOP}`]);
    await rig.clock.advance(minutes(10));
    expect(rig.firewall.open).toEqual([`ssh ${LAPTOP}`]);
    const [element] = rig.firewall.inside;
    expect(parseComment(element?.comment ?? '')).toMatchObject([{ userId: 1 }]);
    expect(element?.until).toBe(rig.clock.monotonic() + minutes(50));
    expect(rig.store.events.at(-1)).toMatchObject({ event: 'grant.expired', user: 'ben' });
  });
});

describe('the limit of addresses', () => {
  it('closes the oldest in the same change that opens the new one, and the journal says why', async () => {
    await started({ users: [person(1, 'anna', { maxAddresses: 1 })] });
    await knock(ANNA);
    await rig.clock.advance(minutes(1));
    await knock(ANNA, PHONE);
    expect(rig.firewall.calls.filter((call) => call === 'change')).toHaveLength(2);
    expect(rig.firewall.open).toEqual([`ssh ${PHONE}`]);
    expect(rig.store.told).toEqual(['grant.opened', 'grant.opened', 'grant.revoked']);
    expect(rig.store.events.at(-1)).toMatchObject({
      address: LAPTOP,
      detail: `gave way to ${PHONE}: the user has no more addresses`,
    });
    expect(recorded()).toEqual(['evicted', 'live']);
  });
});

describe('expiry', () => {
  it('is recorded when it comes, at the time at which it came', async () => {
    await knock(ANNA);
    await rig.clock.advance(millis(minutes(59)));
    await knock(BEN, PHONE);
    expect(rig.store.told).toEqual(['grant.opened', 'grant.opened']);
    await rig.clock.advance(minutes(1));
    expect(rig.store.events.at(-1)).toMatchObject({ event: 'grant.expired', user: 'anna', at: EIGHT + hours(1) });
    await rig.clock.advance(minutes(59));
    expect(rig.store.events.at(-1)).toMatchObject({ event: 'grant.expired', user: 'ben', at: EIGHT + minutes(119) });
    expect([recorded(), rig.ledger.size]).toEqual([['expired', 'expired'], 0]);
  });

  it('comes in its time wherever the wall clock is set', async () => {
    await knock(ANNA);
    rig.clock.setWall(hours(3));
    await rig.clock.advance(minutes(59));
    expect(rig.store.told).toEqual(['grant.opened']);
    rig.clock.setWall(hours(-9));
    await rig.clock.advance(minutes(1));
    expect(rig.store.told).toEqual(['grant.opened', 'grant.expired']);
  });

  it('of what was restored is waited for from the start', async () => {
    const grant = await byOperator({ ttl: minutes(3) });
    await started();
    rig.ledger.restore({ ...grant, expires: (rig.clock.monotonic() + minutes(3)) as typeof grant.expires });
    rig.doorkeeper.start();
    await rig.clock.advance(minutes(3));
    expect(rig.store.told).toEqual(['grant.expired']);
  });

  it('is no more waited for once it is stopped', async () => {
    await knock(ANNA);
    rig.doorkeeper.stop();
    await rig.clock.advance(hours(2));
    expect(rig.store.told).toEqual(['grant.opened']);
  });
});
