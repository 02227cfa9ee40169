import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import { arming, hasTable, mustNft } from '../support/lab/kernel.js';
import { eventually, Lab } from '../support/lab/lab.js';
import { expectRefusal } from '../support/lab/refusal.js';

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

/** A daemon whose guard nobody has confirmed yet. */
async function provisional(options: { env?: Record<string, string>; wrap?: string[] } = {}): Promise<LabDaemon> {
  const daemon = lab.daemon({ name: `guard${++count}`, config: 'firewall: {provisional: 60s}', ...options });
  await daemon.start();
  return daemon;
}

const allow = (daemon: LabDaemon, target: string) => daemon.api('POST', '/v1/allow', { target, for: '1h' });
const strangerSees = () => lab.stranger.tcp(lab.gateway.ipv4, 22, { timeout: 250 });
const laptopSees = () => lab.laptop.tcp(lab.gateway.ipv4, 22, { timeout: 250 });
const guardState = async (daemon: LabDaemon) =>
  (await daemon.api<StatusJson>('GET', '/v1/status')).body.parts.firewall.state;

describe('sallyport firewall', () => {
  it('rolls a provisional guard back at once, and puts it up again provisionally', async () => {
    const daemon = await provisional();
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
    const daemon = await provisional();
    await allow(daemon, lab.laptop.ipv4);
    await daemon.json('firewall', 'rollback');
    await allow(daemon, lab.phone.ipv4);
    await daemon.json('firewall', 'apply');
    expect(await laptopSees()).toBe('open');
    expect(await lab.phone.tcp(lab.gateway.ipv4, 22, { timeout: 250 })).toBe('open');
    expect(await strangerSees()).toBe('silent');
  });

  it('panic opens everything, and a running daemon leaves it so until it is told to close', async () => {
    const daemon = await provisional();
    await daemon.confirm();
    await allow(daemon, lab.laptop.ipv4);
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
    const daemon = await provisional();
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
    const daemon = await provisional();
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
    const daemon = await provisional({ env, wrap: ALONE });
    const { entries } = await daemon.json<{ entries: { target: string; source: string; note: string }[] }>('list');
    const peer = entries.find(({ target }) => target === lab.laptop.ipv4);
    expect(peer).toMatchObject({ services: ['all'], source: 'setup', note: expect.stringContaining('SSH session') });
    expect(await session.ping()).toBe(true);
    expect(await laptopSees()).toBe('open');
    expect(await strangerSees()).toBe('silent');
    expectRefusal(await daemon.cli('revoke', lab.laptop.ipv4), 'SP_WOULD_LOCK_OUT');
    expect(await session.ping()).toBe(true);
    expect((await daemon.cli('revoke', lab.laptop.ipv4, '--force')).code).toBe(0);
    expect(await laptopSees()).toBe('silent');
    expect(await daemon.eventsNamed('drift.repaired')).toEqual([]);
  });

  it('is not believed to be where no such connection stands', async () => {
    const env = { SSH_CONNECTION: `${lab.stranger.ipv4} 50000 ${lab.gateway.ipv4} 22` };
    const daemon = await provisional({ env, wrap: ALONE });
    const { entries } = await daemon.json<{ entries: { target: string }[] }>('list');
    expect(entries.map(({ target }) => target)).not.toContain(lab.stranger.ipv4);
    expect(await strangerSees()).toBe('silent');
  });
});
