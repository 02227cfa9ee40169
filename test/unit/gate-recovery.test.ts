import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseAddress, parseTarget } from '../../src/core/address.ts';
import type { KernelElement, SetElement } from '../../src/core/firewall.ts';
import { elementsOf } from '../../src/core/grants/elements.ts';
import type { Grant, GrantRecord } from '../../src/core/grants/grant.ts';
import type { StoredState } from '../../src/core/store.ts';
import { hours, type Instant, after as later, millis, minutes, seconds } from '../../src/core/time.ts';
import { recover } from '../../src/gate/recovery.ts';
import { EIGHT } from '../support/fake-clock.ts';
import { inPages } from '../support/gate-fakes.ts';
import { ANNA, foreignElement, type GateRig, gateRig, knockOf, LAPTOP, PHONE } from '../support/gate-rig.ts';
import { grantId, grantOf, owner, SSH_AND_WEB } from '../support/grants.ts';

let rig: GateRig;

beforeEach(() => {
  rig = gateRig();
});
afterEach(() => {
  rig.doorkeeper.stop();
  vi.useRealTimers();
});

const grant = (n: number, left: number, change: Partial<Grant> = {}): Grant =>
  grantOf({
    ...{ id: grantId(n), user: owner(1, 'anna'), target: LAPTOP, openedAt: EIGHT },
    expires: later(rig.clock.monotonic(), millis(left)),
    ...change,
  });
const record = (one: Grant): GrantRecord => ({
  grant: one,
  expiresAt: (EIGHT + (one.expires - rig.clock.monotonic())) as Instant,
  ended: null,
});
const inKernel = (one: Grant): KernelElement[] => elementsOf(one.target, [one]);

const META: StoredState['meta'] = { boot_id: 'boot-1', last_alive: String(EIGHT) };

/** Starts as the daemon does, over what the store and the kernel have. */
async function recovered(records: GrantRecord[], elements: KernelElement[] | null) {
  rig.firewall.table = elements === null ? 'absent' : 'intact';
  for (const element of (elements ?? []) as SetElement[]) {
    rig.firewall.elements.set(`${element.scope} ${element.target}`, element);
  }
  const found = await recover({
    ...rig,
    ...{ state: { grants: inPages(records), meta: META }, isBlind: false, ipv6Prefix: 128 },
    ...{ firewall: elements === null ? null : rig.firewall, boot: 'boot-1', maxTtl: hours(12) },
  });
  await rig.settle();
  return found;
}

/** As `recovered`, and the guard with it. */
async function started(records: GrantRecord[], elements: KernelElement[] | null) {
  const found = await recovered(records, elements);
  await rig.guard.start(await rig.firewall.inspect(rig.book.shape), found);
  await rig.settle();
}

describe('at the start', () => {
  it('grants that are as they were recorded are open again, held, and not recorded anew', async () => {
    const one = grant(1, minutes(30));
    await recovered([record(one)], inKernel(one));
    expect([[...rig.ledger.all()], rig.store.kept]).toEqual([[one], []]);
    expect(new Map(rig.held.all())).toEqual(new Map([[LAPTOP, one.expires + hours(25)]]));
  });

  it('a grant that the store never saw is adopted: recorded and journalled together', async () => {
    const one = grant(1, minutes(30), { openedAt: (EIGHT - minutes(30)) as Instant });
    await started([], inKernel(one));
    expect([...rig.ledger.all()]).toEqual([one]);
    expect(rig.store.writes).toEqual([2]);
    expect(rig.firewall.open).toEqual([`ssh ${LAPTOP}`]);
    expect(rig.store.events).toEqual([
      {
        ...{ at: EIGHT - minutes(30), event: 'grant.opened', user: 'anna', address: LAPTOP, services: one.services },
        ...{ method: 'knock', grant: one.id, detail: 'found in the kernel after a crash' },
      },
    ]);
  });

  it('a grant that ran out meanwhile is ended at the time when it did', async () => {
    const one = grant(1, -minutes(3));
    await recovered([record(one)], []);
    expect(rig.ledger.size).toBe(0);
    expect(rig.store.kept[0]).toEqual({ kind: 'grant.end', id: one.id, at: EIGHT - minutes(3), reason: 'expired' });
    expect(rig.details('grant.expired')).toEqual(['while the gateway was not running']);
  });

  it('a grant whose recorded times are no longer right is recorded anew', async () => {
    const one = grant(1, minutes(30));
    await recovered([record(one)], inKernel({ ...one, expires: later(one.expires, millis(-seconds(5))) }));
    expect(rig.store.kept).toMatchObject([{ kind: 'grant.put', record: { expiresAt: EIGHT + minutes(30) - 5000 } }]);
    expect(rig.store.told).toEqual([]);
  });

  it('a user whom a crash has left too many addresses keeps the latest', async () => {
    rig = gateRig({ users: [{ ...ANNA, maxAddresses: 1 }] });
    const old = grant(1, minutes(10));
    const young = grant(2, minutes(50), { target: PHONE });
    await started([record(old)], [...inKernel(old), ...inKernel(young)]);
    expect(rig.firewall.open).toEqual([`ssh ${PHONE}`]);
    expect([...rig.ledger.all()].map((one) => one.target)).toEqual([PHONE]);
    expect(rig.store.kept).toContainEqual(
      expect.objectContaining({ kind: 'grant.end', id: old.id, reason: 'evicted' }),
    );
  });

  it('nothing is there at the first start', async () => {
    await recovered([], null);
    await rig.settle();
    expect([rig.ledger.size, rig.store.kept, rig.log.lines]).toEqual([0, [], []]);
  });

  it('a grant that only the kernel knew is adopted, and not taken for a stranger', async () => {
    const known = grant(1, minutes(30));
    const lost = grant(2, minutes(40), { target: PHONE, openedAt: (EIGHT - minutes(20)) as Instant });
    const gone = grant(3, minutes(50), { target: parseTarget('203.0.113.9') });
    const slipped = foreignElement(parseAddress('192.0.2.1'), rig.clock.monotonic() + minutes(9));
    // What was put out stays out, wherever the kernel was not told any more.
    const records = [record(known), { ...record(gone), ended: { at: EIGHT, reason: 'revoked' as const } }];
    await started(records, [...inKernel(known), ...inKernel(lost), ...inKernel(gone), slipped]);
    expect([...rig.ledger.all()].map(({ id }) => id)).toEqual([known.id, lost.id]);
    expect(rig.firewall.open).toEqual([`ssh ${LAPTOP}`, `ssh ${PHONE}`]);
    expect(rig.firewall.inside.find(({ target }) => target === PHONE)?.until).toBe(lost.expires);
    expect(rig.store.events).toMatchObject([{ event: 'grant.opened', grant: lost.id, address: PHONE }]);
    expect(rig.store.kept).toContainEqual(expect.objectContaining({ kind: 'grant.put' }));
  });

  it('a grant that only the kernel knew, and that shares an element with a recorded one, is adopted with all it opens', async () => {
    const known = grant(1, minutes(30));
    const lost = grant(2, minutes(40), {
      ...{ user: owner(2, 'ben'), services: SSH_AND_WEB, openedAt: (EIGHT - minutes(20)) as Instant },
    });
    const elements = elementsOf(LAPTOP, [known, lost]);
    const { suspects } = await recovered([record(known)], elements);
    expect([...rig.ledger.all()].map(({ id, services }) => [id, services])).toEqual([
      [known.id, known.services],
      [lost.id, SSH_AND_WEB],
    ]);
    await rig.guard.start(await rig.firewall.inspect(rig.book.shape), { suspects });
    expect(rig.firewall.open).toEqual([`ssh ${LAPTOP}`, `web ${LAPTOP}`]);
  });

  it('a table that is replaced tells before of grants that only it knew', async () => {
    const lost = grant(2, minutes(40), { target: PHONE, openedAt: (EIGHT - minutes(20)) as Instant });
    const found = await recovered([], inKernel(lost));
    await rig.guard.start({ table: 'foreign', arming: null, hasFallback: false }, found);
    expect(rig.firewall.open).toEqual([`ssh ${PHONE}`]);
    expect(rig.firewall.calls).toContain('load');
  });

  it('elements that are gone are back before anything else is looked at', async () => {
    const some = Array.from({ length: 3 }, (_, n) =>
      grant(n + 1, minutes(30), { target: parseTarget(`192.0.2.${n}`) }),
    );
    const { suspects } = await recovered(some.map(record), some.slice(1).flatMap(inKernel));
    expect(suspects).toEqual([{ scope: 'ssh', target: '192.0.2.0' }]);
    await rig.guard.start(await rig.firewall.inspect(rig.book.shape), { suspects });
    expect(rig.firewall.open).toHaveLength(3);
  });

  it('an overlooked grant of a user who was removed meanwhile is told of, and is not let in again', async () => {
    const lost = grant(2, minutes(40), { target: PHONE, openedAt: (EIGHT - minutes(20)) as Instant });
    const { adoption } = await recovered([], []);
    rig.people.remove(ANNA);
    adoption.take(inKernel(lost));
    await rig.settle();
    expect(rig.ledger.size).toBe(0);
    expect(rig.store.events).toMatchObject([
      { event: 'grant.opened', grant: lost.id, address: PHONE },
      { event: 'grant.revoked', grant: lost.id, detail: 'the user was removed' },
    ]);
  });

  it('a grant that was opened and revoked while the kernel was looked at is not adopted', async () => {
    const { adoption } = await recovered([], []);
    await rig.doorkeeper.knocks([knockOf(ANNA)]);
    const [opened] = rig.ledger.all();
    const element = inKernel(opened as Grant);
    await rig.doorkeeper.end([opened as Grant], 'revoked');
    adoption.take(element);
    await rig.settle();
    expect(rig.ledger.size).toBe(0);
    expect(rig.store.told).toEqual(['grant.opened', 'grant.revoked']);
  });
});
