import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { GrantJson, LabDaemon } from '../support/lab/daemon.js';
import { elementOf, grantElements, mustNft } from '../support/lab/kernel.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';
import { withState } from '../support/lab/state.js';

const ALICE = 'tcp/21234,udp/28111,tcp/24711';
const BOB = 'udp/22345,udp/27111,udp/23711';
/** Between two looks at a clock lies the time that a busy machine takes. */
const SLACK_S = 2.5;

let lab: Lab;
let count = 0;

beforeAll(async () => {
  lab = await Lab.create();
  await lab.gateway.tell('listenTcp', { port: 22 });
  await lab.gateway.tell('listenTcp', { port: 80 });
});
afterEach(async () => {
  await lab.endDaemons();
  await mustNft(lab.gateway, 'flush ruleset');
});
afterAll(() => lab?.destroy());

/** A confirmed daemon with two users. */
async function gateway(): Promise<LabDaemon> {
  const daemon = lab.daemon({ name: `restart${++count}` });
  await daemon.start();
  await daemon.confirm();
  await daemon.addUser('alice', { knock: ALICE, services: ['ssh'], ttl: '30m' });
  await daemon.addUser('bob', { knock: BOB, services: ['sip', 'web'], ttl: '40m' });
  return daemon;
}

/** Lets the laptop in by a knock of alice's; the grant, when it is recorded. */
async function letLaptopIn(daemon: LabDaemon): Promise<GrantJson> {
  await lab.laptop.knock(lab.gateway.ipv4, steps(ALICE));
  await eventually(
    () => opened(daemon),
    (events) => events.some(({ address }) => address === lab.laptop.ipv4),
  );
  return await daemon.grantFor(lab.laptop.ipv4);
}

const opened = (daemon: LabDaemon) => daemon.eventsNamed('grant.opened');
const laptopSees = (port = 22) => lab.laptop.tcp(lab.gateway.ipv4, port, { timeout: 300 });
const strangerSees = () => lab.stranger.tcp(lab.gateway.ipv4, 22, { timeout: 300 });
const secondsSince = (start: number) => (performance.now() - start) / 1000;

describe('a stop', () => {
  it('leaves the guard up and the grants running out, and the next start says what ran out', async () => {
    const daemon = await gateway();
    await daemon.addUser('carol', { knock: 'udp/29001,udp/29101,udp/29201', services: ['ssh'], ttl: '6s' });
    await lab.phone.knock(lab.gateway.ipv4, steps('udp/29001,udp/29101,udp/29201'));
    await letLaptopIn(daemon);
    const { id } = await daemon.grantFor(lab.phone.ipv4);
    expect(await daemon.kill('SIGTERM')).toBe(0);
    const phoneSees = () => lab.phone.tcp(lab.gateway.ipv4, 22, { timeout: 300 });
    expect([await phoneSees(), await laptopSees(), await strangerSees()]).toEqual(['open', 'open', 'silent']);
    await eventually(phoneSees, (verdict) => verdict === 'silent', 8000);
    expect([await laptopSees(), await strangerSees()]).toEqual(['open', 'silent']);
    await daemon.launch();
    const expired = await eventually(
      () => daemon.eventsNamed('grant.expired'),
      (events) => events.length > 0,
    );
    expect(expired).toMatchObject([
      { user: 'carol', address: lab.phone.ipv4, grant: id, detail: expect.stringContaining('not running') },
    ]);
    expect((await daemon.grants()).map(({ address }) => address)).toEqual([lab.laptop.ipv4]);
    expect([await phoneSees(), await laptopSees()]).toEqual(['silent', 'open']);
  });
});

describe('a start', () => {
  it('changes nothing in the kernel where all is as it was', async () => {
    const daemon = await gateway();
    const before = await letLaptopIn(daemon);
    const flow = await lab.laptop.hold('tcp', lab.gateway.ipv4, 22);
    await daemon.kill('SIGTERM');
    const started = performance.now();
    await daemon.launch();
    expect(await flow.ping()).toBe(true);
    const after = await daemon.grantFor(lab.laptop.ipv4);
    expect(after).toMatchObject({
      id: before.id,
      user: 'alice',
      services: ['ssh'],
      method: 'knock',
      opened_at: before.opened_at,
    });
    expect(before.remaining_s - after.remaining_s).toBeGreaterThan(0);
    expect(Math.abs(Date.parse(before.expires_at) - Date.parse(after.expires_at))).toBeLessThan(1000);
    expect(before.remaining_s - after.remaining_s).toBeLessThan(secondsSince(started) + SLACK_S);
    expect(await daemon.eventsNamed('drift.repaired')).toEqual([]);
    expect(await opened(daemon)).toHaveLength(1);
  });

  it('adopts a grant of the kernel that the store never saw, with a word in the journal', async () => {
    const daemon = await gateway();
    await lab.phone.knock(lab.gateway.ipv4, steps(BOB));
    await eventually(
      () => opened(daemon),
      (events) => events.length === 1,
    );
    const before = await daemon.grantFor(lab.phone.ipv4);
    await daemon.kill('SIGKILL');
    withState(daemon.stateDirectory, (db) =>
      db.exec("DELETE FROM grants; DELETE FROM journal WHERE event LIKE 'grant.%'"),
    );
    await daemon.launch();
    const after = await daemon.grantFor(lab.phone.ipv4);
    expect(after).toMatchObject({ id: before.id, user: 'bob', services: ['sip', 'web'], method: 'knock' });
    expect(Math.abs(Date.parse(before.expires_at) - Date.parse(after.expires_at))).toBeLessThan(1000);
    const [event] = await eventually(
      () => opened(daemon),
      (events) => events.length > 0,
    );
    expect(event).toMatchObject({
      user: 'bob',
      address: lab.phone.ipv4,
      method: 'knock',
      grant: before.id,
      detail: expect.stringContaining('kernel'),
    });
    await daemon.kill('SIGTERM');
    await daemon.launch();
    expect(await opened(daemon)).toHaveLength(1);
    expect(await daemon.grantFor(lab.phone.ipv4)).toMatchObject({ id: before.id, user: 'bob' });
  });

  it('adopts nothing that is not one of our comments, and lets nobody in for good', async () => {
    const daemon = await gateway();
    await daemon.kill('SIGKILL');
    await mustNft(
      lab.gateway,
      `add element inet sallyport grant_ssh_4 { ${lab.stranger.ipv4} timeout 1h comment "a friend" }`,
    );
    await daemon.launch();
    expect(await daemon.grants()).toEqual([]);
    expect(await strangerSees()).toBe('silent');
    expect(await grantElements(lab.gateway)).toEqual([]);
  });

  it.each([
    ['an element', 'delete element inet sallyport grant_ssh_4 { 10.77.0.2 }'],
    ['the whole table', 'delete table inet sallyport'],
  ])('restores a grant with what is left of its time where %s was deleted meanwhile', async (_, command) => {
    const daemon = await gateway();
    const before = await letLaptopIn(daemon);
    await daemon.kill('SIGTERM');
    await mustNft(lab.gateway, command);
    await daemon.launch();
    expect([await laptopSees(), await strangerSees()]).toEqual(['open', 'silent']);
    const after = await daemon.grantFor(lab.laptop.ipv4);
    expect(after.id).toBe(before.id);
    expect(Math.abs(Date.parse(before.expires_at) - Date.parse(after.expires_at))).toBeLessThan(1000);
    const { expires } = await elementOf(lab.gateway, 'grant_ssh_4', lab.laptop.ipv4);
    expect(Math.abs((expires ?? 0) / 1000 - after.remaining_s)).toBeLessThan(SLACK_S);
  });

  it('keeps out who was put out, even where the kernel was not told any more', async () => {
    const daemon = await gateway();
    const { id } = await letLaptopIn(daemon);
    const { comment } = await elementOf(lab.gateway, 'grant_ssh_4', lab.laptop.ipv4);
    expect(comment).toContain(id);
    await daemon.json('revoke', lab.laptop.ipv4);
    await daemon.kill('SIGKILL');
    await mustNft(
      lab.gateway,
      `add element inet sallyport grant_ssh_4 { ${lab.laptop.ipv4} timeout 20m comment "${comment}" }`,
    );
    expect(await laptopSees()).toBe('open');
    await daemon.launch();
    expect(await laptopSees()).toBe('silent');
    expect(await daemon.grants()).toEqual([]);
    expect(await grantElements(lab.gateway)).toEqual([]);
  });

  it('holds a user to his number of addresses, where a crash came between the new one and the one that gave way', async () => {
    const daemon = await gateway();
    await daemon.addUser('carol', { knock: 'udp/29001,udp/29101,udp/29201', services: ['ssh'], max_addresses: 2 });
    const hosts = [lab.laptop, lab.phone, lab.stranger];
    for (const [index, host] of hosts.entries()) {
      await host.knock(lab.gateway.ipv4, steps('udp/29001,udp/29101,udp/29201'));
      await eventually(
        () => opened(daemon),
        (events) => events.length === index + 1,
      );
    }
    await daemon.kill('SIGKILL');
    withState(daemon.stateDirectory, (db) => {
      db.prepare('DELETE FROM grants WHERE target = ?').run(lab.stranger.ipv4);
      db.prepare('UPDATE grants SET ended_at = NULL, end_reason = NULL WHERE target = ?').run(lab.laptop.ipv4);
      db.exec("DELETE FROM journal WHERE event = 'grant.revoked'");
    });
    await daemon.launch();
    const addresses = (await daemon.grants()).map(({ address }) => address);
    expect(addresses.sort()).toEqual([lab.phone.ipv4, lab.stranger.ipv4].sort());
    expect([await laptopSees(), await strangerSees()]).toEqual(['silent', 'open']);
    const [event] = await eventually(
      () => daemon.eventsNamed('grant.revoked'),
      (events) => events.length > 0,
    );
    expect(event).toMatchObject({ user: 'carol', address: lab.laptop.ipv4 });
  });

  it('with another configuration keeps the grants, those that were never recorded too', async () => {
    const daemon = await gateway();
    await letLaptopIn(daemon);
    await lab.laptop.knock(lab.gateway.ipv6, steps(ALICE));
    await lab.phone.knock(lab.gateway.ipv4, steps(BOB));
    await eventually(
      () => opened(daemon),
      (events) => events.length === 3,
    );
    const before = await daemon.grants();
    await daemon.kill('SIGKILL');
    withState(daemon.stateDirectory, (db) => {
      db.prepare('DELETE FROM grants WHERE target = ?').run(lab.phone.ipv4);
      db.prepare('DELETE FROM journal WHERE address = ?').run(lab.phone.ipv4);
    });
    await daemon.writeConfig(
      'services: {ssh: [tcp/22], web: [tcp/80, tcp/8443], mail: [tcp/25], sip: [udp/5060]}\n' +
        'firewall: {guard: [ssh, web, mail]}\ngrants: {ipv6_prefix: 64}',
    );
    await daemon.launch();
    const after = await daemon.grants();
    const plain = (grants: readonly GrantJson[]) => grants.map(({ id, address, user }) => ({ id, address, user }));
    expect(plain(after)).toEqual(plain(before));
    expect([await laptopSees(), await laptopSees(80), await strangerSees()]).toEqual(['open', 'silent', 'silent']);
    expect(await lab.laptop.tcp(lab.gateway.ipv6, 22, { timeout: 300 })).toBe('open');
    expect(await lab.phone.tcp(lab.gateway.ipv4, 80, { timeout: 300 })).toBe('open');
    const adopted = await eventually(
      () => opened(daemon),
      (events) => events.some(({ address }) => address === lab.phone.ipv4),
    );
    expect(adopted.filter(({ address }) => address === lab.phone.ipv4)).toMatchObject([{ user: 'bob' }]);
    expect(await daemon.eventsNamed('drift.repaired')).toEqual([]);
  });

  it('answers the knocks that came while it was down', async () => {
    const daemon = await gateway();
    await daemon.kill('SIGKILL');
    await lab.laptop.knock(lab.gateway.ipv4, steps(ALICE));
    expect(await laptopSees()).toBe('silent');
    await daemon.launch();
    await eventually(laptopSees, (verdict) => verdict === 'open');
    expect(await opened(daemon)).toMatchObject([{ user: 'alice', address: lab.laptop.ipv4 }]);
  });
});
