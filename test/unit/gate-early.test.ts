/** What the listening thread has opened by itself is kept, or taken back. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Address, parseAddress } from '../../src/core/address.ts';
import { parseComment } from '../../src/core/grants/comment.ts';
import type { GrantId } from '../../src/core/grants/grant.ts';
import { type Monotonic, millis } from '../../src/core/time.ts';
import type { User } from '../../src/core/user.ts';
import { ANNA, BEN, type GateRig, gateRig, knockOf, LAPTOP, OWN, PHONE } from '../support/gate-rig.ts';
import { SSH } from '../support/grants.ts';

const ID = '7K2M9QXA' as GrantId;
const EARLY = { id: ID, services: SSH };

let rig: GateRig;

beforeEach(async () => {
  rig = gateRig();
  await rig.start();
  await rig.settle();
});
afterEach(() => {
  rig.doorkeeper.stop();
  rig.guard.stop();
  vi.useRealTimers();
});

/** As the thread does it: the element is there before anybody has decided. */
async function opensEarly(user: User, source: Address = LAPTOP, id = ID): Promise<void> {
  const until = (rig.clock.monotonic() + millis(60_000)) as Monotonic;
  for (const scope of SSH) {
    rig.firewall.elements.set(`${scope} ${source}`, { scope, target: source, until, comment: `sp1 ${id}.k.1.1.1` });
  }
  await rig.doorkeeper.knocks([{ ...knockOf(user, source), early: { ...EARLY, id } }]);
  await rig.settle();
}

const inside = () => rig.firewall.open;
const elementOf = (source: Address) => rig.firewall.elements.get(`ssh ${source}`);

describe('a knock that opened before anybody decided', () => {
  it('stays open under the id that the kernel has, and is recorded once', async () => {
    await opensEarly(ANNA);
    expect([...rig.ledger.all()]).toMatchObject([{ id: ID, user: { name: 'anna' }, target: LAPTOP, method: 'knock' }]);
    expect(parseComment(elementOf(LAPTOP)?.comment ?? '')).toMatchObject([{ id: ID, userId: ANNA.id }]);
    expect(rig.details('grant.opened')).toHaveLength(1);
  });

  it('has the time that the ledger gives, whatever the thread gave', async () => {
    await opensEarly(ANNA);
    const [grant] = rig.ledger.all();
    expect(elementOf(LAPTOP)?.until).toBe(grant?.expires);
  });

  it('is closed again where the user was removed in the meantime', async () => {
    await rig.guard.changeSteps(rig.people.remove(ANNA));
    await opensEarly(ANNA);
    expect(inside()).toEqual([]);
    expect(rig.ledger.size).toBe(0);
  });

  it('is closed again where the address may not be let in', async () => {
    await opensEarly(ANNA, OWN);
    expect(inside()).toEqual([]);
    expect(rig.details('attempt.refused')).toHaveLength(1);
  });

  it('gets an id of its own where another grant has the one that was drawn', async () => {
    await opensEarly(ANNA);
    await opensEarly(BEN, PHONE);
    const ids = [...rig.ledger.all()].map(({ id }) => id);
    expect(ids).toHaveLength(2);
    expect(ids.filter((id) => id === ID)).toHaveLength(1);
    expect(parseComment(elementOf(PHONE)?.comment ?? '')).toMatchObject([{ id: ids.find((id) => id !== ID) }]);
  });

  it('is put right where the ledger had it open and the kernel had lost it', async () => {
    await opensEarly(ANNA);
    rig.firewall.elements.clear();
    await opensEarly(ANNA, LAPTOP, 'ZZZZZZZZ' as GrantId);
    expect([...rig.ledger.all()]).toMatchObject([{ id: ID }]);
    expect(parseComment(elementOf(LAPTOP)?.comment ?? '')).toMatchObject([{ id: ID }]);
  });

  it('leaves alone who is in at the same address by another grant', async () => {
    const other = parseAddress('203.0.113.99');
    await opensEarly(ANNA, other);
    await rig.guard.changeSteps(rig.people.remove(BEN));
    await opensEarly(BEN, other);
    expect(inside()).toEqual([`ssh ${other}`]);
  });
});
