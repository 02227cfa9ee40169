/** Ten thousand grants with random ends, each watched from outside by packets around its own end. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { LabDaemon } from '../support/lab/daemon.js';
import { mustRun } from '../support/lab/host.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';
import { packet } from '../support/lab/packets.js';
import { seededRandom } from '../support/lab/random.js';
import { withState } from '../support/lab/state.js';

const PROBER = fileURLToPath(new URL('../support/lab/expiry-prober.mjs', import.meta.url));
const GRANTS = 10_000;
const USERS = 25;
/** Knocks that are sent at a time: all first ones, all second ones, all last ones. */
const CHUNK = 500;
const SHORTEST_MS = 9000;
const LONGEST_MS = 15_000;
const PORT = 5060;
const FIRST_PORT = 10_000;
/** When a source asks, in milliseconds from the end of its grant. */
const OFFSETS = [-1000, -500, -250, -100, -50, 50, 100, 250, 500, 750, 1000, 1200, 1500];
/** The promise: so long after its end, in milliseconds, nothing passes any more. */
const BOUND = 1000;
/** A packet may lie in a queue of a busy machine before the rules see it: what left so long before the end must pass. */
const QUEUE = 250;

/** Notes, behind our rules, which probes came through. */
const WATCH = `table inet watch {
  set seen { type ipv4_addr . inet_service; flags dynamic; size 262144; }
  chain input {
    type filter hook input priority 10; policy accept;
    udp dport ${PORT} add @seen { ip saddr . udp sport } drop
  }
}`;

const address = (n: number): string => `10.96.${n >> 8}.${n & 255}`;
const sequenceOf = (user: number) => `udp/${21_001 + 10 * user},udp/${24_001 + 10 * user},udp/${27_001 + 10 * user}`;

interface Ending {
  readonly address: string;
  readonly id: string;
  readonly end: number;
}

describe(`${GRANTS} grants with random ends`, () => {
  let lab: Lab;
  let daemon: LabDaemon;
  let mac: string;

  beforeAll(async () => {
    lab = await Lab.create();
    const link = await mustRun('ip', ['-j', '-n', lab.gateway.namespace, 'link', 'show', 'eth0']);
    [{ address: mac }] = JSON.parse(link) as [{ address: string }];
    await lab.gateway.nft(WATCH);
  });

  afterAll(() => lab?.destroy());

  beforeEach(async ({ task }) => {
    await lab.endDaemons();
    await lab.gateway.nft('flush set inet watch seen');
    daemon = lab.daemon({ name: task.id.replace(/\W/g, '') });
    await daemon.start();
    await daemon.confirm();
    const random = seededRandom(Number.parseInt(task.id, 36) || 1);
    for (let user = 0; user < USERS; user++) {
      const ttl = `${Math.floor(SHORTEST_MS + random() * (LONGEST_MS - SHORTEST_MS))}ms`;
      const options = { knock: sequenceOf(user), services: ['sip'], ttl, max_addresses: 1000 };
      await daemon.addUser(`user${user}`, options);
    }
  });

  /** Lets all of them in, and tells when each grant ends. */
  async function letIn(): Promise<Ending[]> {
    const destination = lab.gateway.ipv4;
    const found = new Map<string, Ending>();
    const look = async () => {
      for (const { address, id, expires_at } of await daemon.grants())
        found.set(address, { address, id, end: Date.parse(expires_at) });
      return found.size;
    };
    for (let start = 0; start < GRANTS; start += CHUNK) {
      const sources = Array.from({ length: Math.min(CHUNK, GRANTS - start) }, (_, i) => start + i);
      for (const step of [0, 1, 2]) {
        const packets = sources.map((n) => {
          const { protocol, port } = steps(sequenceOf(n % USERS))[step] ?? { protocol: 'udp', port: 0 };
          return packet({ source: address(n), destination, protocol, port });
        });
        await lab.laptop.raw(lab.gateway, packets);
      }
      if (start % (8 * CHUNK) === 0) await look();
    }
    await eventually(look, (count) => count === GRANTS, 20_000);
    return [...found.values()];
  }

  /** Probes around every end; for each source, when each probe was sent, and whether it came through. */
  async function watch(endings: readonly Ending[]) {
    const ends = endings.map(({ address, end }) => [address, end]);
    const input = JSON.stringify({
      ...{ mac, destination: lab.gateway.ipv4, port: PORT },
      ...{ firstPort: FIRST_PORT, offsets: OFFSETS, ends },
    });
    const { code, stdout, stderr } = await lab.laptop.exec(process.execPath, [PROBER], { input, timeout: 60_000 });
    if (code !== 0) throw new Error(`the prober ended with ${code}: ${stderr}`);
    const sent = JSON.parse(stdout) as [number, number][][];
    const listing = await lab.gateway.exec('nft', ['-j', 'list set inet watch seen']);
    const { nftables } = JSON.parse(listing.stdout) as {
      nftables: { set?: { elem?: { concat: [string, number] }[] } }[];
    };
    const seen = new Set(
      nftables.flatMap(({ set }) => set?.elem ?? []).map(({ concat: [source, port] }) => `${source} ${port}`),
    );
    return endings.map(({ address }, source) =>
      (sent[source] ?? []).map(([before, after], index) => ({
        ...{ before, after },
        passed: seen.has(`${address} ${FIRST_PORT + index}`),
      })),
    );
  }

  /** No end is early, and none later than the bound. */
  function expectInTime(endings: readonly Ending[], probes: Awaited<ReturnType<typeof watch>>): void {
    const early: string[] = [];
    const late: string[] = [];
    let latest = Number.NEGATIVE_INFINITY;
    let watched = 0;
    for (const [source, some] of probes.entries()) {
      const who = endings[source]?.address;
      for (const { before, after, passed } of some) {
        if (!passed && after <= -QUEUE) early.push(`${who}: ${after} ms`);
        if (passed && before >= BOUND) late.push(`${who}: ${before} ms`);
        if (passed) latest = Math.max(latest, before);
      }
      const isInside = some.some(({ passed, after }) => passed && after <= -QUEUE);
      const isOutside = some.some(({ passed, before }) => !passed && before >= BOUND);
      if (isInside && isOutside) watched++;
    }
    expect({ early, late }, `the last packet came through ${latest} ms after the end`).toEqual({ early: [], late: [] });
    // Where the machine is slow, some have ended before anybody could look.
    expect(watched, 'seen inside and outside').toBeGreaterThan(0.9 * GRANTS);
    process.stdout.write(
      `${watched} ends seen from both sides; the last packet came through ${latest} ms after its end\n`,
    );
  }

  /** What the store says of each grant, once the daemon has stopped. */
  function recorded() {
    return withState(daemon.stateDirectory, (db) => ({
      told: db.prepare('SELECT event, grant_id AS id, at FROM journal WHERE grant_id IS NOT NULL').all() as {
        event: string;
        id: string;
        at: number;
      }[],
      open: (db.prepare('SELECT count(*) AS n FROM grants WHERE ended_at IS NULL').get() as { n: number }).n,
    }));
  }

  function expectRecorded(endings: readonly Ending[]): void {
    const { told, open } = recorded();
    expect(open).toBe(0);
    for (const name of ['grant.opened', 'grant.expired']) {
      const ids = told.filter(({ event }) => event === name).map(({ id }) => id);
      expect(ids.length, name).toBe(GRANTS);
      expect(new Set(ids).size, name).toBe(GRANTS);
    }
    const ends = new Map(endings.map(({ id, end }) => [id, end]));
    const wrong = told.filter(
      ({ event, id, at }) => event === 'grant.expired' && Math.abs(at - (ends.get(id) ?? 0)) > BOUND,
    );
    expect(wrong).toEqual([]);
  }

  it('end in time while the daemon runs, in status and journal too', async () => {
    const endings = await letIn();
    const watching = watch(endings);
    let isOver = false;
    watching.finally(() => (isOver = true)).catch(() => undefined);
    while (!isOver) {
      const before = Date.now();
      const listed = new Set((await daemon.grants()).map(({ id }) => id));
      const after = Date.now();
      const missing = endings.filter(({ id, end }) => end > after + BOUND && !listed.has(id));
      const stale = endings.filter(({ id, end }) => end < before - BOUND && listed.has(id));
      expect({ missing, stale }, 'status').toEqual({ missing: [], stale: [] });
      await lab.laptop.tell('wait', { ms: 1000 });
    }
    expectInTime(endings, await watching);
    await eventually(
      () => daemon.grants(),
      (grants) => grants.length === 0,
    );
    await daemon.kill('SIGTERM');
    expectRecorded(endings);
  });

  it('end in time after the daemon was killed, and are found expired when it starts again', async () => {
    const endings = await letIn();
    await daemon.kill('SIGKILL');
    expectInTime(endings, await watch(endings));
    await daemon.launch();
    expect(await daemon.grants()).toEqual([]);
    await daemon.kill('SIGTERM');
    expectRecorded(endings);
  });
});
