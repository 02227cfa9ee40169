import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { GrantJson, LabDaemon } from '../support/lab/daemon.js';
import { arming, elementOf, hasTable, listSets, mustNft } from '../support/lab/kernel.js';
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
  const daemon = lab.daemon({ name: `restore${++count}` });
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

describe('sallyport firewall restore, without a daemon', () => {
  /** Everything in our table: rules and sets as nft lists them, elements with the time they have left. */
  async function everything() {
    const { stdout } = await lab.gateway.exec('nft', ['-s', '-t', 'list', 'table', 'inet', 'sallyport']);
    const map = await lab.gateway.exec('nft', ['-s', 'list', 'map', 'inet', 'sallyport', 'step']);
    const elements = await listSets(lab.gateway);
    const byName = elements.sort((a, b) => (`${a.set} ${a.value}` < `${b.set} ${b.value}` ? -1 : 1));
    return {
      rules: stdout,
      steps: map.stdout
        .split(/[,{}\n]/)
        .map((one) => one.trim())
        .sort(),
      elements: byName,
      arming: await arming(lab.gateway),
    };
  }

  it('puts back the same rules and the same grants with the time they have left', async () => {
    const daemon = await gateway();
    await letLaptopIn(daemon);
    await lab.phone.knock(lab.gateway.ipv6, steps(BOB));
    await eventually(
      () => opened(daemon),
      (events) => events.length === 2,
    );
    await daemon.json('allow', '10.99.0.0/16', '--for', '2h', '--services', 'web');
    await daemon.json('allow', '10.98.0.0/16', '--services', 'ssh');
    await daemon.json('allow', '2001:db8:7::/48');
    await daemon.kill('SIGTERM');
    const before = await everything();
    await mustNft(lab.gateway, 'flush ruleset');
    const started = performance.now();
    const { code, stderr } = await daemon.cli('firewall', 'restore');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const after = await everything();
    expect(after.rules).toBe(before.rules);
    expect(after.steps).toEqual(before.steps);
    expect(after.arming).toBe('for good');
    const plain = ({ set, value, comment }: (typeof before.elements)[number]) => ({ set, value, comment });
    expect(after.elements.map(plain)).toEqual(before.elements.map(plain));
    for (const [index, { set, expires }] of after.elements.entries()) {
      const was = before.elements[index]?.expires ?? null;
      if (was === null || expires === null) expect({ set, expires }).toEqual({ set, expires: was });
      else if (!set.includes('held')) {
        expect(was - expires).toBeGreaterThan(-5);
        expect(was - expires).toBeLessThan((secondsSince(started) + SLACK_S) * 1000);
      }
    }
    expect([await laptopSees(), await strangerSees()]).toEqual(['open', 'silent']);
    await daemon.launch();
    expect(await daemon.eventsNamed('drift.repaired')).toEqual([]);
    expect(await daemon.grants()).toHaveLength(3);
    expect((await everything()).rules).toBe(before.rules);
  });

  it('puts back what somebody has taken out of rules that were switched off', async () => {
    const daemon = await gateway();
    await letLaptopIn(daemon);
    await daemon.kill('SIGKILL');
    const before = await everything();
    for (const name of ['active', 'step']) await mustNft(lab.gateway, `flush map inet sallyport ${name}`);
    await mustNft(lab.gateway, 'flush set inet sallyport grant_ssh_4');
    expect((await daemon.cli('firewall', 'restore')).code).toBe(0);
    const after = await everything();
    expect([after.steps, after.rules, after.arming]).toEqual([before.steps, before.rules, 'for good']);
    expect([await laptopSees(), await strangerSees()]).toEqual(['open', 'silent']);
  });

  it('gives back after a boot what is left by the wall clock', async () => {
    const daemon = await gateway();
    const before = await letLaptopIn(daemon);
    await daemon.kill('SIGKILL');
    await mustNft(lab.gateway, 'flush ruleset');
    withState(daemon.stateDirectory, (db) => {
      db.exec("UPDATE meta SET value = '00000000-0000-0000-0000-000000000000' WHERE key = 'boot_id'");
      db.exec('UPDATE grants SET expires_mono = 5');
    });
    expect((await daemon.cli('firewall', 'restore')).code).toBe(0);
    const { expires } = await elementOf(lab.gateway, 'grant_ssh_4', lab.laptop.ipv4);
    expect((expires ?? 0) / 1000).toBeLessThanOrEqual(before.remaining_s);
    expect((expires ?? 0) / 1000).toBeGreaterThan(before.remaining_s - 15);
    await daemon.launch();
    const after = await daemon.grantFor(lab.laptop.ipv4);
    expect(Math.abs(Date.parse(after.expires_at) - Date.parse(before.expires_at))).toBeLessThan(1000);
  });

  it('loads the guard that was saved where the configuration is broken, and says what is wrong', async () => {
    const daemon = await gateway();
    await letLaptopIn(daemon);
    await daemon.kill('SIGTERM');
    await mustNft(lab.gateway, 'flush ruleset');
    await daemon.writeConfig('grants: {ttl: 3x}\nfirewal: {}');
    const { code, stdout, stderr } = await daemon.cli('firewall', 'restore', '--state-dir', daemon.stateDirectory);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^SP_CONFIG_INVALID: \S+sallyport\.yaml:\d+.*\n$/);
    expect(stdout).toContain('guard is up');
    expect([await laptopSees(), await strangerSees()]).toEqual(['open', 'silent']);
    expect(await lab.stranger.tcp(lab.gateway.ipv4, 80, { timeout: 300 })).toBe('silent');
  });

  it('finds the saved guard by the state directory that a broken configuration still names', async () => {
    const daemon = await gateway();
    await daemon.kill('SIGTERM');
    await mustNft(lab.gateway, 'flush ruleset');
    await daemon.writeConfig('unknown: 1');
    expect((await daemon.cli('firewall', 'restore')).code).toBe(1);
    expect(await strangerSees()).toBe('silent');
  });

  it('closes with the entries of the configuration where the database is damaged', async () => {
    const daemon = lab.daemon({ name: `restore${++count}`, config: `trusted: {addresses: [${lab.laptop.ipv4}]}` });
    await daemon.start();
    await daemon.confirm();
    await daemon.json('allow', lab.phone.ipv4);
    await daemon.kill('SIGTERM');
    await mustNft(lab.gateway, 'flush ruleset');
    await writeFile(join(daemon.stateDirectory, 'sallyport.db'), 'this was a database');
    const { code, stderr } = await daemon.cli('firewall', 'restore');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^SP_STORE_DAMAGED: .*\n$/);
    const phoneSees = await lab.phone.tcp(lab.gateway.ipv4, 22, { timeout: 300 });
    expect([await laptopSees(), phoneSees, await strangerSees()]).toEqual(['open', 'silent', 'silent']);
  });

  it('closes where the pool has come into the range of local ports, and says so', async () => {
    const daemon = await gateway();
    await letLaptopIn(daemon);
    await daemon.kill('SIGTERM');
    await mustNft(lab.gateway, 'flush ruleset');
    const setRange = (range: string) =>
      lab.gateway.exec('sysctl', ['-q', '-w', `net.ipv4.ip_local_port_range=${range}`]);
    await setRange('20000 60999');
    try {
      const { code, stderr } = await daemon.cli('firewall', 'restore');
      expect(code).toBe(1);
      expect(stderr).toMatch(/^SP_POOL_OVERLAP: .*\n$/);
      expect([await laptopSees(), await strangerSees()]).toEqual(['open', 'silent']);
    } finally {
      await setRange('32768 60999');
    }
  });

  it('puts up no guard that was never confirmed, and says so', async () => {
    const daemon = lab.daemon({ name: `restore${++count}` });
    await daemon.start();
    await daemon.kill('SIGKILL');
    await mustNft(lab.gateway, 'flush ruleset');
    const { code, stdout, stderr } = await daemon.cli('firewall', 'restore');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('never confirmed');
    expect(await hasTable(lab.gateway)).toBe(false);
    expect(await strangerSees()).toBe('open');
    expect(await daemon.json('firewall', 'restore')).toMatchObject({ state: 'open' });
  });

  it('says so where there is nothing to go by', async () => {
    const daemon = lab.daemon({ name: `restore${++count}` });
    const { code, stdout, stderr } = await daemon.cli(
      'firewall',
      'restore',
      '--state-dir',
      join(lab.directory, 'nowhere'),
    );
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^SP_NOTHING_TO_RESTORE: .*\n$/);
    expect(await hasTable(lab.gateway)).toBe(false);
  });

  it('leaves a guard that is up as it is', async () => {
    const daemon = await gateway();
    const before = await letLaptopIn(daemon);
    expect(await daemon.json('firewall', 'restore')).toMatchObject({ state: 'guarding' });
    expect((await daemon.grantFor(lab.laptop.ipv4)).id).toBe(before.id);
    expect(await daemon.eventsNamed('drift.repaired')).toEqual([]);
    expect([await laptopSees(), await strangerSees()]).toEqual(['open', 'silent']);
  });
});
