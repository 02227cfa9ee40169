import { readFile, rm, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import { MountHolder } from '../support/lab/holder.js';
import { grantElements, hasTable, mustNft } from '../support/lab/kernel.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';
import { expectRefusal } from '../support/lab/refusal.js';

const ALICE = 'tcp/21234,udp/28111,tcp/24711';
const BOB = 'udp/22345,udp/27111,udp/23711';

interface StatusJson {
  readonly parts: {
    readonly firewall: { readonly state: string };
    readonly store: { readonly state: string; readonly detail?: string };
  };
}

describe('on a full disk', () => {
  let lab: Lab;
  let daemon: LabDaemon;
  let holder: MountHolder;

  /** The state lies on a disk of 1 MB that only the daemon sees, and that outlives it. */
  beforeAll(async () => {
    lab = await Lab.create();
    await lab.gateway.tell('listenTcp', { port: 22 });
    const { stateDirectory } = lab.daemon();
    holder = await MountHolder.start(
      lab.gateway,
      `mkdir -p ${stateDirectory}; mount -t tmpfs -o size=1m,mode=700 tmpfs ${stateDirectory}`,
    );
    daemon = lab.daemon({ wrap: [...holder.wrap] });
    await daemon.start();
    await daemon.confirm();
    await daemon.addUser('alice', { knock: ALICE, services: ['ssh'] });
  });
  afterAll(async () => {
    await lab?.destroy();
    holder?.stop();
  });

  const filler = () => holder.path(`${daemon.stateDirectory}/filler`);
  const fill = () => writeFile(filler(), new Uint8Array(2 << 20)).catch(() => undefined);
  const makeRoom = () => rm(filler(), { force: true });
  const parts = async () => (await daemon.api<StatusJson>('GET', '/v1/status')).body.parts;
  const works = () => eventually(parts, ({ store }) => store.state === 'ok');
  const sees = (host: 'laptop' | 'phone' | 'stranger') => lab[host].tcp(lab.gateway.ipv4, 22, { timeout: 300 });

  it('knocks still open, the status says what hinders, and the records are written once there is room', async () => {
    await fill();
    await lab.laptop.knock(lab.gateway.ipv4, steps(ALICE));
    await eventually(
      () => sees('laptop'),
      (verdict) => verdict === 'open',
    );
    const { store } = await eventually(parts, (now) => now.store.state === 'failing');
    expect(store.detail).toContain('full');
    expect(await daemon.eventsNamed('grant.opened')).toEqual([]);
    const { grant } = await daemon.json<{ grant: { address: string } }>('allow', lab.phone.ipv4, '--for', '1h');
    expect(grant.address).toBe(lab.phone.ipv4);
    expect(await sees('phone')).toBe('open');
    await makeRoom();
    await works();
    const opened = await daemon.eventsNamed('grant.opened');
    expect(opened.map(({ user, address }) => [user, address])).toEqual([
      ['alice', lab.laptop.ipv4],
      [null, lab.phone.ipv4],
    ]);
  });

  it('what must be kept to count is refused, and has no effect', async () => {
    await fill();
    expectRefusal(await daemon.cli('user', 'add', 'bob', '--knock', BOB), 'SP_STORE_FULL');
    expectRefusal(await daemon.cli('user', 'set', 'alice', '--knock', BOB), 'SP_STORE_FULL');
    expectRefusal(await daemon.cli('user', 'remove', 'alice'), 'SP_STORE_FULL');
    expectRefusal(await daemon.cli('allow', lab.stranger.ipv4), 'SP_STORE_FULL');
    await lab.stranger.knock(lab.gateway.ipv4, steps(BOB));
    expect(await sees('stranger')).toBe('silent');
    const { body: users } = await daemon.api<{ name: string }[]>('GET', '/v1/users');
    expect(users.map(({ name }) => name)).toEqual(['alice']);
    await makeRoom();
    expect((await daemon.cli('user', 'add', 'bob', '--knock', BOB, '--services', 'ssh')).code).toBe(0);
    await lab.stranger.knock(lab.gateway.ipv4, steps(BOB));
    await eventually(
      () => sees('stranger'),
      (verdict) => verdict === 'open',
    );
    await daemon.json('user', 'remove', 'bob');
    expect(await sees('stranger')).toBe('silent');
  });

  it('who is put out is out at once, and stays out', async () => {
    await fill();
    expect((await daemon.cli('revoke', lab.laptop.ipv4)).code).toBe(0);
    expect(await sees('laptop')).toBe('silent');
    await makeRoom();
    await eventually(
      () => daemon.eventsNamed('grant.revoked'),
      (events) => events.some(({ address }) => address === lab.laptop.ipv4),
    );
    await daemon.kill('SIGKILL');
    await daemon.launch();
    expect([await sees('laptop'), await sees('phone')]).toEqual(['silent', 'open']);
  });

  it('the guard is put right when somebody takes it away, and is not said to fail', async () => {
    await fill();
    await mustNft(lab.gateway, 'flush ruleset');
    await eventually(
      () => hasTable(lab.gateway),
      (has) => has,
    );
    expect([await sees('phone'), await sees('stranger')]).toEqual(['open', 'silent']);
    expect((await parts()).firewall.state).toBe('guarding');
    await makeRoom();
    await works();
    const repaired = await eventually(
      () => daemon.eventsNamed('drift.repaired'),
      (events) => events.length > 0,
    );
    expect(repaired).toHaveLength(1);
  });

  it('a change that is confirmed lasts, is said not to be kept, and is kept when it is confirmed again', async () => {
    const savedRules = async () =>
      JSON.parse(await readFile(holder.path(`${daemon.stateDirectory}/guard.json`), 'utf8')).kept.rules;
    const before = await savedRules();
    await fill();
    await daemon.writeConfig('firewall: {on_expiry: drain}');
    await daemon.json('firewall', 'apply');
    const { stderr } = await daemon.cli('firewall', 'confirm');
    expect(stderr).toMatch(/^not kept for the next boot, .* full/);
    expect(await savedRules()).toEqual(before);
    await makeRoom();
    await works();
    expect(await daemon.json('firewall', 'confirm')).toMatchObject({ state: 'guarding', unsaved: null });
    expect(await savedRules()).toEqual({ ...before, onExpiry: 'drain' });
  });

  it('a daemon that is killed before its records are written finds the grants in the kernel when there is room again', async () => {
    await fill();
    await lab.laptop.knock(lab.gateway.ipv4, steps(ALICE));
    await eventually(
      () => sees('laptop'),
      (verdict) => verdict === 'open',
    );
    const { id } = await daemon.grantFor(lab.laptop.ipv4);
    await daemon.kill('SIGKILL');
    const { code, stderr } = await daemon.refusesToStart();
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/^SP_STORE_FULL: .+\n$/) });
    expect([await sees('laptop'), await sees('phone'), await sees('stranger')]).toEqual(['open', 'open', 'silent']);
    await makeRoom();
    await daemon.launch();
    expect((await daemon.grantFor(lab.laptop.ipv4)).id).toBe(id);
    const opened = await eventually(
      () => daemon.eventsNamed('grant.opened'),
      (events) => events.some(({ grant }) => grant === id),
    );
    expect(opened.filter(({ grant }) => grant === id)).toMatchObject([{ user: 'alice', address: lab.laptop.ipv4 }]);
    expect((await grantElements(lab.gateway)).map(({ value }) => value).sort()).toEqual([
      lab.laptop.ipv4,
      lab.phone.ipv4,
    ]);
  });

  it('a daemon that is stopped leaves what it could not write to the kernel', async () => {
    await fill();
    await daemon.json('allow', '10.77.0.99', '--for', '1h');
    const { id } = await daemon.grantFor('10.77.0.99');
    expect(await daemon.kill('SIGTERM')).toBe(0);
    await makeRoom();
    await daemon.launch();
    expect((await daemon.grantFor('10.77.0.99')).id).toBe(id);
    await eventually(
      () => daemon.eventsNamed('grant.opened'),
      (events) => events.some(({ grant }) => grant === id),
    );
  });
});
