import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import type { Flow } from '../support/lab/host.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';

const ALICE = 'tcp/21234,udp/28111,tcp/24711';
const FAMILIES = ['ipv4', 'ipv6'] as const;

/** A flow answers at least until so long before its time is over, and at most until so long after (milliseconds). */
const EARLY = 400;
const LATE = 1500;

interface LiveFlow {
  readonly name: string;
  readonly flow: Flow;
  /** Milliseconds between what we send; 0 where only the other side speaks. */
  readonly every: number;
  readonly expiresAt: number;
}

async function serve(lab: Lab): Promise<void> {
  await lab.gateway.tell('listenTcp', { port: 22 });
  await lab.gateway.tell('listenTcp', { port: 80, talk: true });
  await lab.gateway.tell('listenUdp', { port: 5060 });
}

/** Knocks over both families and waits for both grants; when each ends, by its address. */
async function letIn(lab: Lab, daemon: LabDaemon): Promise<Map<string, number>> {
  for (const family of FAMILIES) await lab.laptop.knock(lab.gateway[family], steps(ALICE));
  const grants = await eventually(
    () => daemon.grants(),
    (all) => all.filter(({ user }) => user === 'alice').length === 2,
  );
  return new Map(grants.map((grant) => [grant.address, Date.parse(grant.expires_at)]));
}

/** Over both families: TCP where we speak, TCP where the server speaks, UDP. */
async function openFlows(lab: Lab, ends: ReadonlyMap<string, number>): Promise<LiveFlow[]> {
  const flows: LiveFlow[] = [];
  for (const family of FAMILIES) {
    const expiresAt = ends.get(lab.laptop[family]) ?? Number.NaN;
    const address = lab.gateway[family];
    for (const [what, protocol, port, every] of [
      ['TCP where the client speaks', 'tcp', 22, 20],
      ['TCP where the server speaks', 'tcp', 80, 0],
      ['UDP', 'udp', 5060, 20],
    ] as const) {
      flows.push({
        name: `${what} over ${family}`,
        flow: await lab.laptop.hold(protocol, address, port),
        every,
        expiresAt,
      });
    }
  }
  return flows;
}

/** How long after its grant's end each flow gave its last sign of life, in milliseconds. */
async function watch(flows: readonly LiveFlow[]): Promise<Record<string, number>> {
  const lasts = await Promise.all(flows.map(({ flow, every }) => flow.pulse({ every })));
  for (const { flow } of flows) await flow.release();
  return Object.fromEntries(flows.map(({ name, expiresAt }, i) => [name, (lasts[i] ?? 0) - expiresAt]));
}

describe('expiry with on_expiry: cut', () => {
  let lab: Lab;
  let daemon: LabDaemon;

  beforeAll(async () => {
    lab = await Lab.create();
    daemon = lab.daemon();
    await daemon.start();
    await daemon.confirm();
    await daemon.addUser('alice', { knock: ALICE, services: ['ssh', 'sip', 'web'], ttl: '3s' });
    await serve(lab);
  });

  afterAll(() => lab?.destroy());

  it.each([
    ['runs', async () => undefined, async () => undefined],
    ['is frozen', async () => daemon.signal('SIGSTOP'), async () => daemon.signal('SIGCONT')],
    ['was killed', () => daemon.kill('SIGKILL'), () => daemon.launch()],
    ['was stopped', () => daemon.kill('SIGTERM'), () => daemon.launch()],
  ])('cuts live TCP and UDP flows at their time while the daemon %s', async (_, strike, recover) => {
    const flows = await openFlows(lab, await letIn(lab, daemon));
    for (const { flow, every } of flows) if (every > 0) expect(await flow.ping()).toBe(true);
    await strike();
    const before = Date.now();
    const late = await watch(flows);
    expect(before, 'the flows were watched before their end').toBeLessThan(flows[0]?.expiresAt ?? 0);
    for (const [name, ms] of Object.entries(late)) {
      expect(ms, `${name} lived on`).toBeLessThan(LATE);
      expect(ms, `${name} ended early`).toBeGreaterThan(-EARLY);
    }
    for (const family of FAMILIES)
      expect(await lab.laptop.tcp(lab.gateway[family], 22, { timeout: 250 })).toBe('silent');
    await recover();
    await eventually(
      async () => (await daemon.events()).filter(({ event }) => event === 'grant.expired').length,
      (expired) => expired % 2 === 0 && expired > 0,
    );
    expect(await daemon.grants()).toEqual([]);
  });

  it('has each grant in the journal once as opened and once as expired', async () => {
    const events = await daemon.events();
    expect(events.filter(({ event }) => event === 'grant.opened')).toHaveLength(8);
    expect(events.filter(({ event }) => event === 'grant.expired')).toHaveLength(8);
    expect(events.filter(({ event }) => event === 'drift.repaired')).toEqual([]);
  });

  it('lives on when a knock renews it in time, and ends when the renewed time is over', async () => {
    const first = await letIn(lab, daemon);
    const flows = await openFlows(lab, first);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    for (const family of FAMILIES) await lab.laptop.knock(lab.gateway[family], steps(ALICE));
    const grants = await eventually(
      () => daemon.grants(),
      (all) => all.every((grant) => Date.parse(grant.expires_at) > (first.get(grant.address) ?? 0) + 1000),
    );
    const renewed = flows.map((one) => {
      const grant = grants.find(({ address }) => one.name.endsWith(address.includes(':') ? 'ipv6' : 'ipv4'));
      return { ...one, expiresAt: Date.parse(grant?.expires_at ?? '') };
    });
    for (const [name, ms] of Object.entries(await watch(renewed))) {
      expect(ms, `${name} lived on`).toBeLessThan(LATE);
      expect(ms, `${name} ended early`).toBeGreaterThan(-EARLY);
    }
  });
});

describe('expiry with on_expiry: drain', () => {
  let lab: Lab;
  let daemon: LabDaemon;

  beforeAll(async () => {
    lab = await Lab.create();
    daemon = lab.daemon({ config: 'firewall: {on_expiry: drain}' });
    await daemon.start();
    await daemon.confirm();
    await daemon.addUser('alice', { knock: ALICE, services: ['ssh', 'sip', 'web'], ttl: '2s' });
    await serve(lab);
  });

  afterAll(() => lab?.destroy());

  it('lets live flows go on and refuses new ones', async () => {
    const ends = await letIn(lab, daemon);
    const flows = await openFlows(lab, ends);
    const talked = flows.filter(({ every }) => every > 0);
    for (const { flow } of talked) expect(await flow.ping()).toBe(true);
    await eventually(Date.now, (now) => now > Math.max(...ends.values()) + 300);
    await eventually(
      () => daemon.grants(),
      (grants) => grants.length === 0,
    );
    for (const { name, flow } of talked) expect(await flow.ping(), name).toBe(true);
    for (const { flow } of flows.filter(({ every }) => every === 0)) {
      const before = await flow.received();
      await eventually(
        () => flow.received(),
        (received) => received > before + 50,
      );
    }
    for (const family of FAMILIES) {
      for (const port of [22, 80]) {
        expect(await lab.laptop.tcp(lab.gateway[family], port, { timeout: 250 })).toBe('silent');
      }
      expect(await lab.laptop.udp(lab.gateway[family], 5060, { timeout: 250 })).toBe('silent');
      expect(await lab.stranger.tcp(lab.gateway[family], 22, { timeout: 250 })).toBe('silent');
    }
  });
});
