/** Whom an administrator's own dialplan vouches for: what is opened, and what is not. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parseAddress } from '../../src/core/address.ts';
import type { Authorization } from '../../src/core/phone/link.ts';
import { hours, minutes, seconds } from '../../src/core/time.ts';
import { LAPTOP, OWN, type RigOptions } from '../support/gate-rig.ts';
import { SSH_AND_WEB } from '../support/grants.ts';
import { CARL, DORA, ERIK, type PhoneRig, phoneRig } from '../support/phone-rig.ts';

let rig: PhoneRig;

async function started(options: RigOptions = {}): Promise<void> {
  rig = phoneRig(options);
  await rig.start();
}

beforeEach(() => started());
afterEach(async () => {
  await rig.desk.stop();
  rig.doorkeeper.stop();
  rig.guard.stop();
});

const ask = async (...all: Authorization[]) => {
  for (const one of all) rig.pbx.handlers?.onAuthorize(one);
  await rig.settle();
};
const forCarl = (address = LAPTOP): Authorization => ({ account: '1001', address });
const refusals = () => rig.store.events.filter(({ event }) => event === 'attempt.refused');

it('opens what the menu would: the services and the time of the user, with a note of how it came', async () => {
  await started({ users: [{ ...CARL, services: SSH_AND_WEB, ttl: minutes(30) }] });
  await ask(forCarl());
  expect(rig.firewall.open).toEqual(['ssh 203.0.113.7', 'web 203.0.113.7']);
  const [grant] = rig.ledger.all();
  expect(grant).toMatchObject({ method: 'phone', user: { name: 'carl' }, note: 'by UserEvent' });
  expect(rig.cleared).toEqual([LAPTOP]);
  await rig.clock.advance(minutes(30));
  expect(rig.firewall.open).toEqual([]);
  expect(refusals()).toEqual([]);
});

it('opens a /64 where that is configured', async () => {
  await started({ ipv6Prefix: 64 });
  await ask(forCarl(parseAddress('2001:db8::7')));
  expect([...rig.ledger.all()].map(({ target }) => target)).toEqual(['2001:db8::/64']);
});

it.each<[string, Authorization, string | null, string]>([
  ['an unknown account', { account: '7777', address: LAPTOP }, null, 'an unknown account'],
  ['one whose user says yes by a call', { account: '1002', address: LAPTOP }, DORA.name, 'this user has to say yes'],
  ['one whose user is rung', { account: '1003', address: LAPTOP }, ERIK.name, 'this user has to say yes'],
  ['our own address', forCarl(OWN), CARL.name, 'it is '],
  ['loopback', forCarl(parseAddress('127.0.0.1')), CARL.name, 'it is '],
  ['everybody', forCarl(parseAddress('0.0.0.0')), CARL.name, 'it is '],
])('%s: refused, opened to nobody, and journaled', async (_, authorization, user, why) => {
  await ask(authorization);
  expect(rig.firewall.open).toEqual([]);
  expect(refusals()).toHaveLength(1);
  expect(refusals()[0]).toMatchObject({
    user,
    method: 'phone',
    detail: expect.stringContaining(`by UserEvent: ${why}`),
  });
  expect(JSON.stringify(refusals())).not.toContain('7777');
});

it.each(['no-channel', 'repeated', 'foreign', 'both', 'neither', 'odd', 'second-account', 'no-account'] as const)(
  '%s: refused in plain words',
  async (fault) => {
    await ask({ fault });
    expect(rig.ledger.size).toBe(0);
    expect(refusals()).toMatchObject([{ user: null, address: null, method: 'phone' }]);
    expect(refusals()[0]?.detail).toMatch(/^by UserEvent: .{20}/);
  },
);

it('an account that is locked out is not let in, and no longer than that', async () => {
  for (let tries = 0; tries < 10; tries++) {
    void rig.pins.isRight({ user: CARL, account: '1001', pin: '000000', callerId: null });
    await rig.settle();
  }
  expect(rig.store.events.map(({ event }) => event)).toContain('alarm.raised');
  await ask(forCarl());
  expect(rig.ledger.size).toBe(0);
  expect(refusals().at(-1)?.detail).toBe('by UserEvent: the account is locked out');
  await rig.clock.advance(hours(1));
  await ask(forCarl());
  expect(rig.ledger.size).toBe(1);
});

it('what the packet filter does not take is refused', async () => {
  rig.firewall.fault = new Error('no');
  await ask(forCarl());
  expect(rig.ledger.size).toBe(0);
  expect(refusals().at(-1)?.detail).toBe('by UserEvent: the packet filter did not take it');
});

it('a flood writes a bounded number of lines and opens a bounded number of times', async () => {
  await ask(...Array.from({ length: 20_000 }, (): Authorization => ({ fault: 'both' })));
  expect(refusals()).toHaveLength(100);
  await rig.clock.advance(seconds(60));
  const address = (n: number) => parseAddress(`198.18.${n >> 8}.${n & 255}`);
  await ask(...Array.from({ length: 20_000 }, (_, n) => forCarl(address(n % 5000))));
  expect(rig.store.events.filter(({ event }) => event === 'grant.opened')).toHaveLength(100);
  expect(refusals()).toHaveLength(200);
  await rig.clock.advance(seconds(60));
  await ask(forCarl());
  expect([...rig.ledger.all()].map(({ target }) => target)).toContain(LAPTOP);
});
