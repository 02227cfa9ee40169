import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import { listSets, mustNft } from '../support/lab/kernel.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';
import { packet } from '../support/lab/packets.js';

const WITHOUT_KOFFI = fileURLToPath(new URL('../support/lab/without-koffi.mjs', import.meta.url));
const ALICE = 'tcp/21234,udp/28111,tcp/24711';
const FAMILIES = ['ipv4', 'ipv6'] as const;
type FamilyName = (typeof FAMILIES)[number];

interface StatusJson {
  readonly strikes: {
    readonly limit: number;
    readonly ignored_count: number;
    readonly ignored: { readonly address: string; readonly remaining_s: number }[];
  } | null;
}

let lab: Lab;
let daemon: LabDaemon;
/** Addresses by network and number; those of one network share a /64 in IPv6. */
const addresses = new Map<number, { ipv4: (index: number) => string; ipv6: (index: number) => string }>();
let lastIndex = 0;

const NEAR = 90;
const FAR = 91;

beforeAll(async () => {
  lab = await Lab.create();
  for (const network of [NEAR, FAR]) addresses.set(network, await lab.manyAddresses(lab.stranger, network));
  await lab.gateway.tell('listenTcp', { port: 22 });
});
afterAll(() => lab?.destroy());

async function start(config: string, env: Record<string, string> = {}): Promise<LabDaemon> {
  daemon = lab.daemon({ name: `strikes${++lastIndex}`, config, env });
  await daemon.start();
  await daemon.confirm();
  await daemon.addUser('alice', { knock: ALICE, services: ['ssh'], max_addresses: 100 });
  return daemon;
}

/** Leaves nothing in the kernel that the next daemon would take over. */
async function stop(): Promise<void> {
  await daemon.kill();
  await mustNft(lab.gateway, 'delete table inet sallyport');
}

function address(network: number, family: FamilyName, index: number): string {
  const found = addresses.get(network)?.[family](index);
  if (found === undefined) throw new Error('there is no such network');
  return found;
}

const familyOf = (source: string): FamilyName => (source.includes(':') ? 'ipv6' : 'ipv4');
/** As it is counted and shown. */
const counted = (source: string) => (familyOf(source) === 'ipv4' ? source : `fd${source.slice(2, 4)}::/64`);

/** Packets of the pool that begin no sequence. */
function wrong(source: string, times: number): string[] {
  const destination = lab.gateway[familyOf(source)];
  return Array.from({ length: times }, (_, i) =>
    packet({ source, destination, protocol: 'udp', port: 29_000 + (i % 7) }),
  );
}

function knock(source: string): string[] {
  const destination = lab.gateway[familyOf(source)];
  return steps(ALICE).map(({ protocol, port }) => packet({ source, destination, protocol, port }));
}

const send = (...packets: string[][]) => lab.stranger.raw(lab.gateway, packets.flat());
const grantsOf = async (source: string) => (await daemon.grants()).filter((one) => one.address === source);
const isLetIn = (source: string) =>
  eventually(
    () => grantsOf(source),
    (grants) => grants.length > 0,
  );

/** Nobody is let in by what was sent so far: a later knock is answered, so all before it is. */
async function isNotLetIn(source: string, witness: string): Promise<void> {
  await send(knock(witness));
  await isLetIn(witness);
  expect(await grantsOf(source)).toEqual([]);
}

const status = async () => (await daemon.api<StatusJson>('GET', '/v1/status')).body.strikes;
const ignoredNow = async () => ((await status())?.ignored ?? []).map((one) => one.address).sort();
const strikesOf = async (source: string) =>
  (await daemon.eventsNamed('strike.ignored')).filter((one) => one.address === counted(source));
const isTold = (source: string, times = 1) =>
  eventually(
    () => strikesOf(source),
    (events) => events.length >= times,
  );

describe('a source of wrong packets', () => {
  beforeAll(() => start(''));
  afterAll(stop);

  describe.each(FAMILIES)('over %s', (family) => {
    const eve = () => address(NEAR, family, 1);
    const far = (index: number) => address(FAR, family, index);

    it('is still heard after 19 of them', async () => {
      const source = far(100);
      await send(wrong(source, 19), knock(source));
      await isLetIn(source);
      expect(await ignoredNow()).not.toContain(counted(source));
    });

    it('opens nothing by the correct knock after 20, and one event and the status say so', async () => {
      await send(wrong(eve(), 20), knock(eve()), wrong(eve(), 100), knock(eve()));
      await isTold(eve());
      await isNotLetIn(eve(), far(2));
      expect(await strikesOf(eve())).toEqual([
        expect.objectContaining({
          method: 'knock',
          user: null,
          detail: '20 wrong packets within 1m; its knocks are ignored for 10m',
        }),
      ]);
      const strikes = await status();
      expect(strikes).toMatchObject({ limit: 20 });
      const shown = strikes?.ignored.find((one) => one.address === counted(eve()));
      expect(shown?.remaining_s).toBeGreaterThan(500);
      expect(shown?.remaining_s).toBeLessThanOrEqual(600);
      expect((await daemon.cli('status')).stdout).toContain(counted(eve()));
      expect((await daemon.cli('whois', eve())).stdout).toContain(`The knocks of ${counted(eve())} are ignored`);
    });

    it(`speaks for its neighbours ${family === 'ipv6' ? 'in the /64, and for no other' : 'in nothing'}`, async () => {
      const neighbour = address(NEAR, family, 2);
      await send(knock(neighbour));
      if (family === 'ipv4') await isLetIn(neighbour);
      else await isNotLetIn(neighbour, far(3));
    });

    it('is still ignored when the daemon comes back, and is not told of twice', async () => {
      for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
        await daemon.kill(signal);
        await daemon.launch();
      }
      expect(await ignoredNow()).toContain(counted(eve()));
      await send(knock(eve()));
      await isNotLetIn(eve(), far(4));
      expect(await strikesOf(eve())).toHaveLength(1);
    });

    it('is told of by the next daemon where it crossed the line while none ran', async () => {
      const source = family === 'ipv4' ? far(5) : 'fd92::1';
      await daemon.kill('SIGKILL');
      await send(wrong(source, 20));
      await daemon.launch();
      await isTold(source);
      expect(await strikesOf(source)).toHaveLength(1);
      await daemon.api('POST', '/v1/allow', { target: source, for: '1m' });
    });

    it('is heard again when an operator lets it in, which the answer says', async () => {
      const { stdout } = await daemon.cli('allow', eve(), '--services', 'web', '--for', '5m');
      expect(stdout).toContain(`the knocks of ${counted(eve())} are listened to again`);
      expect(await ignoredNow()).not.toContain(counted(eve()));
      await send(wrong(eve(), 19), knock(eve()));
      await eventually(
        () => grantsOf(eve()),
        (grants) => grants.some((one) => one.method === 'knock'),
      );
      const again = await daemon.json<{ listened_to: string[] }>('allow', eve(), '--for', '5m');
      expect(again.listened_to).toEqual([]);
    });

    it('begins anew when an operator lets it in before the line', async () => {
      const source = far(6);
      await send(wrong(source, 19));
      await daemon.api('POST', '/v1/allow', { target: source, services: ['web'] });
      await send(wrong(source, 19), knock(source));
      await isLetIn(source);
    });

    it('is heard again when its whole network is let in', async () => {
      const source = family === 'ipv4' ? far(7) : 'fd93::1';
      await send(wrong(source, 20));
      await isTold(source);
      const target = family === 'ipv4' ? '10.91.0.0/16' : 'fd90::/12';
      const answer = await daemon.json<{ listened_to: string[] }>('allow', target, '--services', 'web');
      expect(answer.listened_to).toContain(counted(source));
      await send(knock(source));
      await isLetIn(source);
    });
  });

  it.each(FAMILIES)('keeps what is open to it, and its live connections, over %s', async (family) => {
    const gateway = lab.gateway[family];
    await lab.laptop.knock(gateway, steps(ALICE));
    await isLetIn(lab.laptop[family]);
    const session = await lab.laptop.hold('tcp', gateway, 22);
    await send(wrong(lab.laptop[family], 200));
    await isTold(family === 'ipv4' ? lab.laptop.ipv4 : 'fd77::2');
    expect(await session.ping()).toBe(true);
    expect(await lab.laptop.tcp(gateway, 22)).toBe('open');
    await session.release();
  });

  it('of a flood of forged ones is found in the status, and neither journal nor log is flooded', async () => {
    const before = (await daemon.eventsNamed('strike.ignored')).length;
    const count = (await status())?.ignored_count ?? 0;
    const forged = Array.from({ length: 500 }, (_, i) => address(NEAR, 'ipv4', 1000 + i));
    await send(...forged.map((source) => wrong(source, 20)));
    await eventually(status, (strikes) => strikes?.ignored_count === count + 500);
    const events = (await daemon.eventsNamed('strike.ignored')).length - before;
    expect(events).toBeGreaterThan(0);
    expect(events).toBeLessThan(200);
    expect((await status())?.ignored).toHaveLength(50);
    const source = address(NEAR, 'ipv4', 3);
    await send(knock(source));
    await isLetIn(source);
  });

  it('leaves the rules as they were loaded: nothing is repaired', async () => {
    expect(await daemon.eventsNamed('drift.repaired')).toEqual([]);
  });
});

describe('how long a source is ignored', () => {
  afterEach(stop);

  it('is the time that is configured, however it goes on; then it is heard, and may be struck again', async () => {
    await start('knock: {strikes: {limit: 5, ignore: 10s}}');
    const sources = FAMILIES.map((family) => address(NEAR, family, 1));
    await send(...sources.map((source) => wrong(source, 5)));
    const struckAt = performance.now();
    for (const source of sources) {
      await isTold(source);
      await eventually(
        async () => {
          await send(knock(source));
          return await grantsOf(source);
        },
        (grants) => grants.length > 0,
        20_000,
      );
      expect(performance.now() - struckAt).toBeGreaterThan(9000);
      await send(wrong(source, 5));
      await isTold(source, 2);
    }
  });

  it('is never, where it is switched off', async () => {
    await start('knock: {strikes: off}');
    const sources = FAMILIES.map((family) => address(NEAR, family, 1));
    await send(...sources.flatMap((source) => [wrong(source, 300), knock(source)]));
    for (const source of sources) await isLetIn(source);
    expect(await status()).toBeNull();
    expect((await daemon.cli('status')).stdout).toContain('strikes off');
    expect((await listSets(lab.gateway)).filter(({ set }) => /strikes|ignored/.test(set))).toEqual([]);
    expect(await daemon.eventsNamed('strike.ignored')).toEqual([]);
  });
});

it('without koffi a source is ignored, told of, and heard again, all the same', async () => {
  await start('', { NODE_OPTIONS: `--import=${WITHOUT_KOFFI}` });
  const [ipv4, ipv6, counting] = [address(NEAR, 'ipv4', 1), address(NEAR, 'ipv6', 1), address(NEAR, 'ipv4', 2)];
  await send(wrong(ipv4, 20), wrong(ipv6, 20), wrong(counting, 19));
  for (const source of [ipv4, ipv6]) {
    await eventually(
      () => strikesOf(source),
      (events) => events.length === 1,
      10_000,
    );
  }
  expect(await ignoredNow()).toEqual([counted(ipv4), counted(ipv6)].sort());
  await daemon.kill();
  await daemon.launch();
  for (const source of [ipv4, ipv6]) {
    expect(await strikesOf(source)).toHaveLength(1);
    const answer = await daemon.json<{ listened_to: string[] }>('allow', source, '--services', 'web', '--for', '5m');
    expect(answer.listened_to).toEqual([counted(source)]);
    await send(knock(source));
    await eventually(
      () => grantsOf(source),
      (grants) => grants.some((one) => one.method === 'knock'),
    );
  }
  await daemon.api('POST', '/v1/allow', { target: counting, services: ['web'] });
  await send(wrong(counting, 19), knock(counting));
  await isLetIn(counting);
  expect(await daemon.eventsNamed('drift.repaired')).toEqual([]);
});
