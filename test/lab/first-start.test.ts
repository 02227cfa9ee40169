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
async function firstStart({ provisional = `${PROVISION_S}s` } = {}): Promise<LabDaemon> {
  const daemon = lab.daemon({ name: `first${++count}`, config: `firewall: {provisional: ${provisional}}` });
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
    const reverted = await eventually(
      () => daemon.eventsNamed('firewall.reverted'),
      (events) => events.length > 0,
    );
    expect(reverted).toHaveLength(1);
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
