import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import { arming, hasTable, mustNft } from '../support/lab/kernel.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';

const ALICE = 'tcp/21234,udp/28111,tcp/24711';
/** How long the guard of a first start holds here; the kernel's time begins a little before the daemon is ready. */
const PROVISION_S = 5;
const REVERTED_MS = (PROVISION_S + 2) * 1000;

interface StatusJson {
  readonly parts: { readonly firewall: { readonly state: string; readonly reverts_in_s?: number } };
}

let lab: Lab;
let count = 0;

beforeAll(async () => {
  lab = await Lab.create();
  await lab.gateway.tell('listenTcp', { port: 22 });
});
afterEach(async () => {
  await lab.endDaemons();
  await mustNft(lab.gateway, 'flush ruleset');
});
afterAll(() => lab?.destroy());

/** A daemon that was never started before. */
async function firstStart(
  options: { provisional?: string; env?: Record<string, string>; wrap?: string[] } = {},
): Promise<LabDaemon> {
  const { provisional = `${PROVISION_S}s`, ...rest } = options;
  const daemon = lab.daemon({ name: `first${++count}`, config: `firewall: {provisional: ${provisional}}`, ...rest });
  await daemon.start();
  return daemon;
}

const strangerSees = () => lab.stranger.tcp(lab.gateway.ipv4, 22, { timeout: 250 });
const laptopSees = () => lab.laptop.tcp(lab.gateway.ipv4, 22, { timeout: 250 });
const opensAgain = () => eventually(strangerSees, (verdict) => verdict === 'open', REVERTED_MS);
const guardState = async (daemon: LabDaemon) =>
  (await daemon.api<StatusJson>('GET', '/v1/status')).body.parts.firewall.state;

describe('the first start', () => {
  it('guards at once, says until when, and opens again by itself', async () => {
    const daemon = await firstStart();
    expect(await strangerSees()).toBe('silent');
    const { parts } = (await daemon.api<StatusJson>('GET', '/v1/status')).body;
    expect(parts.firewall.state).toBe('provisional');
    expect(parts.firewall.reverts_in_s).toBeGreaterThan(0);
    expect(parts.firewall.reverts_in_s).toBeLessThanOrEqual(PROVISION_S);
    expect(daemon.output).toContain('sallyport firewall confirm');
    await opensAgain();
    await eventually(
      () => guardState(daemon),
      (state) => state === 'reverted',
    );
    expect(daemon.output).toContain('sallyport firewall apply');
    expect(await daemon.eventsNamed('firewall.provisional')).toHaveLength(1);
    expect(await daemon.eventsNamed('firewall.reverted')).toHaveLength(1);
    expect(await daemon.eventsNamed('drift.repaired')).toEqual([]);
  });

  it('opens again by itself with the daemon killed', async () => {
    const daemon = await firstStart();
    await daemon.kill('SIGKILL');
    expect(await strangerSees()).toBe('silent');
    await opensAgain();
  });

  it('opens again by itself with the daemon frozen, which sees it when it wakes', async () => {
    const daemon = await firstStart();
    daemon.signal('SIGSTOP');
    expect(await strangerSees()).toBe('silent');
    await opensAgain();
    daemon.signal('SIGCONT');
    await eventually(
      () => guardState(daemon),
      (state) => state === 'reverted',
    );
    expect(await strangerSees()).toBe('open');
  });

  it('keeps what is left of its time over a restart of the daemon', async () => {
    const daemon = await firstStart({ provisional: '60s' });
    await daemon.kill('SIGKILL');
    const before = await arming(lab.gateway);
    await daemon.launch();
    const after = await arming(lab.gateway);
    expect(before).toBeTypeOf('number');
    expect(after).toBeLessThanOrEqual(Number(before));
    expect(await guardState(daemon)).toBe('provisional');
  });

  it('is there to stay once a knock has opened it, also over a restart', async () => {
    const daemon = await firstStart({ provisional: '60s' });
    await daemon.addUser('alice', { knock: ALICE });
    expect(await arming(lab.gateway)).toBeTypeOf('number');
    await lab.laptop.knock(lab.gateway.ipv4, steps(ALICE));
    await eventually(laptopSees, (verdict) => verdict === 'open');
    await eventually(
      () => daemon.eventsNamed('firewall.confirmed'),
      (events) => events.length === 1,
    );
    expect(await arming(lab.gateway)).toBe('for good');
    expect(await guardState(daemon)).toBe('guarding');
    await daemon.kill('SIGTERM');
    await mustNft(lab.gateway, 'flush ruleset');
    await daemon.launch();
    expect(await arming(lab.gateway)).toBe('for good');
    expect(await daemon.eventsNamed('firewall.provisional')).toHaveLength(1);
    expect(await strangerSees()).toBe('silent');
  });

  it('is confirmed once by several knocks at one moment', async () => {
    const daemon = await firstStart({ provisional: '60s' });
    await daemon.addUser('alice', { knock: ALICE });
    const hosts = [lab.laptop, lab.phone, lab.stranger];
    await Promise.all(hosts.map((host) => host.knock(lab.gateway.ipv4, steps(ALICE))));
    await eventually(
      () => daemon.grants(),
      (grants) => grants.length === 3,
    );
    await eventually(
      () => daemon.eventsNamed('firewall.confirmed'),
      (events) => events.length >= 1,
    );
    expect(await daemon.eventsNamed('grant.opened')).toHaveLength(3);
    expect(await daemon.eventsNamed('firewall.confirmed')).toHaveLength(1);
  });

  it('is not confirmed by what an operator allows, since that shows nothing of a way in', async () => {
    const daemon = await firstStart({ provisional: '60s' });
    await daemon.json('allow', lab.laptop.ipv4, '--for', '1h');
    expect(await laptopSees()).toBe('open');
    expect(await guardState(daemon)).toBe('provisional');
    expect(await arming(lab.gateway)).toBeTypeOf('number');
  });

  it('is confirmed by an operator', async () => {
    const daemon = await firstStart({ provisional: '60s' });
    const { code, stdout } = await daemon.cli('firewall', 'confirm');
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('guarding') });
    expect(await arming(lab.gateway)).toBe('for good');
    expect(await daemon.eventsNamed('firewall.confirmed')).toHaveLength(1);
    expect((await daemon.cli('firewall', 'confirm')).code).toBe(0);
    expect(await daemon.eventsNamed('firewall.confirmed')).toHaveLength(1);
  });
});

describe.each(['SIGINT', 'SIGTERM'] as const)('%s', (signal) => {
  it('takes a provisional guard down', async () => {
    const daemon = await firstStart({ provisional: '60s' });
    expect(await strangerSees()).toBe('silent');
    expect(await daemon.kill(signal)).toBe(0);
    expect(await hasTable(lab.gateway)).toBe(false);
    expect(await strangerSees()).toBe('open');
  });

  it('leaves a confirmed guard up, and says how to take it down', async () => {
    const daemon = await firstStart({ provisional: '60s' });
    await daemon.confirm();
    expect(await daemon.kill(signal)).toBe(0);
    expect(await arming(lab.gateway)).toBe('for good');
    expect(await strangerSees()).toBe('silent');
    expect(daemon.output).toContain('sallyport firewall panic');
  });
});

describe('sallyport firewall', () => {
  it('rolls a provisional guard back at once, and puts it up again provisionally', async () => {
    const daemon = await firstStart({ provisional: '60s' });
    const shown = await daemon.json<{ state: string; reverts_in_s: number; guarded: { service: string }[] }>(
      'firewall',
      'status',
    );
    expect(shown).toMatchObject({ state: 'provisional', policy: 'guard', pool: '21000-29999' });
    expect(shown.guarded.map(({ service }) => service)).toEqual(['ssh', 'sip', 'web']);
    expect(shown.reverts_in_s).toBeGreaterThan(30);
    expect((await daemon.cli('firewall', 'rollback')).code).toBe(0);
    expect(await hasTable(lab.gateway)).toBe(false);
    expect(await strangerSees()).toBe('open');
    for (const [command, problem] of [
      ['rollback', 'SP_NOTHING_PROVISIONAL'],
      ['confirm', 'SP_FIREWALL_OPEN'],
    ] as const) {
      const { code, stderr } = await daemon.cli('firewall', command);
      expect(code).toBe(1);
      expect(stderr).toMatch(new RegExp(`^${problem}: .*\n$`));
    }
    expect(await daemon.json('firewall', 'apply')).toMatchObject({ state: 'provisional' });
    expect(await strangerSees()).toBe('silent');
    expect(await daemon.json('firewall', 'confirm')).toMatchObject({ state: 'guarding' });
    expect(await arming(lab.gateway)).toBe('for good');
    const { stdout } = await daemon.cli('firewall', 'status');
    expect(stdout).toMatch(/guarding[\s\S]*ssh[\s\S]*tcp\/22/);
  });

  it('grants stand when the guard is put up again', async () => {
    const daemon = await firstStart({ provisional: '60s' });
    await daemon.json('allow', lab.laptop.ipv4, '--for', '1h');
    await daemon.json('firewall', 'rollback');
    await daemon.json('allow', lab.phone.ipv4, '--for', '1h');
    await daemon.json('firewall', 'apply');
    expect(await laptopSees()).toBe('open');
    expect(await lab.phone.tcp(lab.gateway.ipv4, 22, { timeout: 250 })).toBe('open');
    expect(await strangerSees()).toBe('silent');
  });

  it('panic opens everything, and a running daemon leaves it so until it is told to close', async () => {
    const daemon = await firstStart({ provisional: '60s' });
    await daemon.confirm();
    await daemon.json('allow', lab.laptop.ipv4, '--for', '1h');
    const { code, stdout } = await daemon.cli('firewall', 'panic');
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('sallyport firewall apply') });
    expect(await strangerSees()).toBe('open');
    await eventually(
      () => guardState(daemon),
      (state) => state === 'open',
    );
    const [event] = await eventually(
      () => daemon.eventsNamed('firewall.opened'),
      (events) => events.length > 0,
    );
    expect(event?.detail).toContain('panic');
    // A daemon that did not know panic would have repaired by now: drift is put right within two seconds.
    await lab.stranger.tell('wait', { ms: 2500 });
    expect(await strangerSees()).toBe('open');
    expect((await daemon.cli('firewall', 'confirm')).stderr).toMatch(/^SP_FIREWALL_OPEN: /);
    await daemon.kill('SIGTERM');
    await daemon.launch();
    expect(await guardState(daemon)).toBe('open');
    expect(await strangerSees()).toBe('open');
    expect(await daemon.json('firewall', 'apply')).toMatchObject({ state: 'provisional' });
    expect(await strangerSees()).toBe('silent');
    expect(await laptopSees()).toBe('open');
    await daemon.confirm();
    expect(await arming(lab.gateway)).toBe('for good');
  });

  it('panic takes a provisional guard down for good', async () => {
    const daemon = await firstStart({ provisional: '60s' });
    expect(await daemon.json('firewall', 'panic')).toEqual({ state: 'open' });
    await eventually(
      () => guardState(daemon),
      (state) => state === 'open',
    );
    expect(await strangerSees()).toBe('open');
    expect(await daemon.kill('SIGINT')).toBe(0);
    expect(await strangerSees()).toBe('open');
  });

  it('panic works without the daemon', async () => {
    const daemon = await firstStart({ provisional: '60s' });
    await daemon.confirm();
    await daemon.kill('SIGKILL');
    expect(await strangerSees()).toBe('silent');
    expect((await daemon.cli('firewall', 'panic')).code).toBe(0);
    expect(await strangerSees()).toBe('open');
  });
});

describe('whoever is logged in over SSH', () => {
  /** In a PID namespace of its own no sshd is among its ancestors, whoever runs this test. */
  const ALONE = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'];

  it('stays in when the guard goes up, until removed', async () => {
    const session = await lab.laptop.hold('tcp', lab.gateway.ipv4, 22);
    const env = { SSH_CONNECTION: `${lab.laptop.ipv4} ${session.localPort} ${lab.gateway.ipv4} 22` };
    const daemon = await firstStart({ provisional: '60s', env, wrap: ALONE });
    const { entries } = await daemon.json<{ entries: { target: string; source: string; note: string }[] }>('list');
    const peer = entries.find(({ target }) => target === lab.laptop.ipv4);
    expect(peer).toMatchObject({ services: ['all'], source: 'setup', note: expect.stringContaining('SSH session') });
    expect(await session.ping()).toBe(true);
    expect(await laptopSees()).toBe('open');
    expect(await strangerSees()).toBe('silent');
    expect((await daemon.cli('revoke', lab.laptop.ipv4)).code).toBe(0);
    expect(await laptopSees()).toBe('silent');
    expect(await daemon.eventsNamed('drift.repaired')).toEqual([]);
  });

  it('is not believed to be where no such connection stands', async () => {
    const env = { SSH_CONNECTION: `${lab.stranger.ipv4} 50000 ${lab.gateway.ipv4} 22` };
    const daemon = await firstStart({ provisional: '60s', env, wrap: ALONE });
    const { entries } = await daemon.json<{ entries: { target: string }[] }>('list');
    expect(entries.map(({ target }) => target)).not.toContain(lab.stranger.ipv4);
    expect(await strangerSees()).toBe('silent');
  });
});
