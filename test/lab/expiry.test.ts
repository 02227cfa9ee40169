import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import type { Flow } from '../support/lab/host.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';

const ALICE = 'tcp/21234,udp/28111,tcp/24711';
const FAMILIES = ['ipv4', 'ipv6'] as const;

/** A flow answers at least until so long before its time is over, and at most until so long after (milliseconds). */
const EARLY = 800;
const LATE = 1500;

interface LiveFlow {
  readonly name: string;
  readonly flow: Flow;
  /** Milliseconds between what its far end sends; 0 where that end only listens. */
  readonly every: number;
  readonly expiresAt: number;
  /** Watches until it is silent; when its last sign of life came, in milliseconds of the wall clock. */
  readonly watch: () => Promise<number>;
}

async function serve(lab: Lab): Promise<void> {
  await lab.gateway.tell('listenTcp', { port: 22 });
  await lab.gateway.tell('listenTcp', { port: 80, talk: true });
  await lab.gateway.tell('listenUdp', { port: 5060 });
}

/** Laptop and phone knock over both families; when each grant ends, by its address. */
async function letIn(lab: Lab, daemon: LabDaemon): Promise<Map<string, number>> {
  for (const host of [lab.laptop, lab.phone]) {
    for (const family of FAMILIES) await host.knock(lab.gateway[family], steps(ALICE));
  }
  const grants = await eventually(
    () => daemon.grants(),
    (all) => all.filter(({ user }) => user === 'alice').length === 4,
  );
  return new Map(grants.map((grant) => [grant.address, Date.parse(grant.expires_at)]));
}

/** TCP where the laptop speaks, TCP where the server speaks, UDP that the laptop began. */
async function openFlows(lab: Lab, ends: ReadonlyMap<string, number>): Promise<LiveFlow[]> {
  const flows: LiveFlow[] = [];
  for (const family of FAMILIES) {
    const expiresAt = ends.get(lab.laptop[family]) ?? Number.NaN;
    for (const [name, protocol, port, every] of [
      ['TCP where the client speaks', 'tcp', 22, 20],
      ['TCP where the server speaks', 'tcp', 80, 0],
      ['UDP', 'udp', 5060, 20],
    ] as const) {
      const flow = await lab.laptop.hold(protocol, lab.gateway[family], port);
      flows.push({ name: `${name} over ${family}`, flow, every, expiresAt, watch: () => flow.pulse({ every }) });
    }
  }
  return flows;
}

/** UDP that the gateway began, as a PBX calls a phone, and in which it goes on speaking whatever comes back. */
async function callPhone(lab: Lab, ends: ReadonlyMap<string, number>): Promise<LiveFlow[]> {
  const flows: LiveFlow[] = [];
  for (const family of FAMILIES) {
    const address = lab.phone[family];
    const expiresAt = ends.get(address) ?? Number.NaN;
    const flow = await lab.phone.hold('udp', lab.gateway[family], 5060);
    await lab.gateway.tell('udpTalk', { port: 5060, address, toPort: flow.localPort });
    const watch = async () => {
      const left = expiresAt - Date.now() + LATE + 700;
      await flow.pulse({ quiet: left, limit: left });
      return await lab.gateway.tell<number>('udpLastSeen', { port: 5060, from: address });
    };
    flows.push({ name: `UDP where the gateway speaks over ${family}`, flow, every: 20, expiresAt, watch });
  }
  return flows;
}

async function expectToEndInTime(flows: readonly LiveFlow[]): Promise<void> {
  expect(Date.now(), 'the flows are watched before their end').toBeLessThan(flows[0]?.expiresAt ?? 0);
  const lasts = await Promise.all(flows.map((one) => one.watch()));
  for (const [i, { name, flow, expiresAt }] of flows.entries()) {
    await flow.release();
    expect((lasts[i] ?? 0) - expiresAt, `${name}, lived on`).toBeLessThan(LATE);
    expect((lasts[i] ?? 0) - expiresAt, `${name}, ended early`).toBeGreaterThan(-EARLY);
  }
}

describe('expiry with on_expiry: cut', () => {
  let lab: Lab;
  let daemon: LabDaemon;

  const expired = async () => (await daemon.events()).filter(({ event }) => event === 'grant.expired').length;

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
    const before = await expired();
    const ends = await letIn(lab, daemon);
    const flows = [...(await openFlows(lab, ends)), ...(await callPhone(lab, ends))];
    await strike();
    await expectToEndInTime(flows);
    await lab.gateway.tell('udpHush');
    for (const family of FAMILIES)
      expect(await lab.laptop.tcp(lab.gateway[family], 22, { timeout: 250 })).toBe('silent');
    await recover();
    await eventually(expired, (now) => now === before + 4);
    expect(await daemon.grants()).toEqual([]);
  });

  it('has each grant in the journal once as opened and once as expired', async () => {
    const events = await daemon.events();
    expect(events.filter(({ event }) => event === 'grant.opened')).toHaveLength(16);
    expect(events.filter(({ event }) => event === 'grant.expired')).toHaveLength(16);
    expect(events.filter(({ event }) => event === 'drift.repaired')).toEqual([]);
  });

  it('lives on when a knock renews it in time, and ends when the renewed time is over', async () => {
    const first = await letIn(lab, daemon);
    const flows = await openFlows(lab, first);
    await eventually(Date.now, (now) => now > Math.min(...first.values()) - 1500);
    for (const family of FAMILIES) await lab.laptop.knock(lab.gateway[family], steps(ALICE));
    const laptop: string[] = FAMILIES.map((family) => lab.laptop[family]);
    const grants = await eventually(
      async () => (await daemon.grants()).filter(({ address }) => laptop.includes(address)),
      (all) =>
        all.length === 2 && all.every((grant) => Date.parse(grant.expires_at) > (first.get(grant.address) ?? 0) + 1000),
    );
    const renewed = flows.map((one) => {
      const family = one.name.endsWith('ipv4') ? 'ipv4' : 'ipv6';
      const grant = grants.find(({ address }) => address === lab.laptop[family]);
      return { ...one, expiresAt: Date.parse(grant?.expires_at ?? '') };
    });
    await expectToEndInTime(renewed);
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
