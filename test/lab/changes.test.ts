import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import { mustNft } from '../support/lab/kernel.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';
import { packet } from '../support/lab/packets.js';

const ALICE = 'tcp/21234,udp/28111,tcp/24711';
const FAMILIES = ['ipv4', 'ipv6'] as const;
/** More than what a guard that is made anew has in one transaction. */
const MANY = 3000;

let lab: Lab;
let daemon: LabDaemon;
let count = 0;

beforeAll(async () => {
  lab = await Lab.create();
  for (const port of [22, 80]) await lab.gateway.tell('listenTcp', { port });
  await lab.gateway.tell('listenUdp', { port: 5060 });
});
afterEach(async () => {
  await lab.endDaemons();
  await mustNft(lab.gateway, 'flush ruleset');
});
afterAll(() => lab?.destroy());

const entries = Array.from({ length: MANY }, (_, n) => `10.99.${n >> 7}.${(2 * n) & 255}`);

/** Rules that differ in what becomes of connections, so that a change leads from one to the other. */
function config({ onExpiry = 'cut', policy = 'guard', services = '' } = {}): string {
  const own = services === '' ? '' : `services: ${services}\n`;
  const trusted = [...entries, lab.phone.ipv4, lab.phone.ipv6].join(', ');
  return `${own}firewall: {policy: ${policy}, on_expiry: ${onExpiry}}\ntrusted: {addresses: [${trusted}]}`;
}

async function start(): Promise<void> {
  daemon = lab.daemon({ name: `changes${++count}`, config: config() });
  await daemon.start();
  await daemon.confirm();
  await daemon.addUser('alice', { knock: ALICE, services: ['ssh'], max_addresses: 100 });
}

async function change(to: Parameters<typeof config>[0]): Promise<void> {
  await daemon.writeConfig(config(to));
  expect((await daemon.api('POST', '/v1/firewall/apply', { force: true })).status).toBe(200);
}

const confirm = async () => expect((await daemon.api('POST', '/v1/firewall/confirm')).status).toBe(200);
const rollback = async () => expect((await daemon.api('POST', '/v1/firewall/rollback')).status).toBe(200);

describe('a change of the rules, confirmed or rolled back, leaves alone', () => {
  it.each(FAMILIES)('a knock that is under way, over %s', async (family) => {
    await start();
    const [first, second, third] = steps(ALICE);
    for (const [one, act] of [
      [first, () => change({ onExpiry: 'drain' })],
      [second, confirm],
      [third, async () => undefined],
    ] as const) {
      if (one !== undefined) await lab.laptop.knock(lab.gateway[family], [one]);
      await act();
    }
    await eventually(
      () => daemon.grants(),
      (grants) => grants.length > 0,
    );
    expect(await lab.laptop.tcp(lab.gateway[family], 22)).toBe('open');
    expect(await lab.stranger.tcp(lab.gateway[family], 22, { timeout: 250 })).toBe('silent');
  });

  it('whom it ignores for wrong packets, and when somebody was last seen', async () => {
    await start();
    const about = { source: lab.stranger.ipv4, destination: lab.gateway.ipv4, protocol: 'udp', port: 29_000 } as const;
    await lab.stranger.raw(lab.gateway, [packet(about)], 30);
    const ignored = async () => {
      const { strikes } = (await daemon.api<{ strikes: { ignored: { address: string }[] } }>('GET', '/v1/status')).body;
      return strikes.ignored.map(({ address }) => address);
    };
    await eventually(ignored, (addresses) => addresses.includes(lab.stranger.ipv4));
    expect(await lab.phone.tcp(lab.gateway.ipv4, 22)).toBe('open');
    const lastSeen = async () =>
      (await daemon.json<{ last_seen: string | null }>('whois', lab.phone.ipv4)).last_seen?.slice(0, 16);
    const before = await lastSeen();
    expect(before).toMatch(/^2\d{3}-/);
    await change({ onExpiry: 'drain' });
    expect([await ignored(), await lastSeen()]).toEqual([[lab.stranger.ipv4], before]);
    await confirm();
    expect([await ignored(), await lastSeen()]).toEqual([[lab.stranger.ipv4], before]);
  });

  it(`every packet of somebody on a whitelist of ${MANY}, and of somebody with a grant`, async () => {
    await start();
    const allowed = { target: lab.laptop.ipv4, for: '1h', services: ['sip'] };
    expect((await daemon.api('POST', '/v1/allow', allowed)).status).toBe(200);
    const flows = await Promise.all(
      [lab.phone, lab.laptop].map((host) => host.hold('udp', lab.gateway.ipv4, 5060, { sourcePort: 5060 })),
    );
    let [isOver, sent] = [false, 0];
    const talking = flows.map(async (flow) => {
      while (!isOver) {
        // What is lost is never answered, however long one waits.
        if (!(await flow.ping(5000))) return 'a packet was lost';
        sent++;
      }
      return 'all came through';
    });
    for (const act of [confirm, rollback, confirm]) {
      await change({ onExpiry: 'drain', policy: 'lockdown' });
      await act();
      await change({});
      await confirm();
    }
    isOver = true;
    expect(await Promise.all(talking)).toEqual(['all came through', 'all came through']);
    expect(sent).toBeGreaterThan(100);
    for (const flow of flows) await flow.release();
  });

  it('the grants of a service, which opens its ports as soon as it is guarded', async () => {
    await start();
    const web = '{web: [tcp/80], ssh: [tcp/22]}';
    await change({ services: web });
    await confirm();
    const allowed = { target: lab.laptop.ipv4, for: '1h', services: ['web'] };
    expect((await daemon.api('POST', '/v1/allow', allowed)).status).toBe(200);
    await change({ services: '{ssh: [tcp/22], web: [tcp/81]}' });
    expect([await lab.laptop.tcp(lab.gateway.ipv4, 80), await lab.stranger.tcp(lab.gateway.ipv4, 80)]).toEqual([
      'open',
      'open',
    ]);
    await rollback();
    expect(await lab.laptop.tcp(lab.gateway.ipv4, 80)).toBe('open');
    expect(await lab.stranger.tcp(lab.gateway.ipv4, 80, { timeout: 250 })).toBe('silent');
    expect(await daemon.eventsNamed('drift.repaired')).toEqual([]);
  });
});

describe('a change over rules that somebody else has been at', () => {
  it('makes the guard anew, and holds', async () => {
    await start();
    await mustNft(lab.gateway, 'add chain inet sallyport intruder');
    await change({ onExpiry: 'drain' });
    expect([await lab.phone.tcp(lab.gateway.ipv4, 22), await lab.stranger.tcp(lab.gateway.ipv4, 22)]).toEqual([
      'open',
      'silent',
    ]);
    await confirm();
    expect(await lab.phone.tcp(lab.gateway.ipv4, 22)).toBe('open');
    const { stdout } = await lab.gateway.exec('nft', ['-t', 'list', 'table', 'inet', 'sallyport']);
    expect(stdout).not.toContain('intruder');
  });
});
