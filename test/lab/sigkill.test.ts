import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import type { EventJson, LabDaemon } from '../support/lab/daemon.js';
import { mustRun } from '../support/lab/host.js';
import { grantElements, type ListedElement } from '../support/lab/kernel.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';
import { seededRandom } from '../support/lab/random.js';
import { withState } from '../support/lab/state.js';

const ROUNDS = 20;
const SEED = Number(process.env.LAB_SEED ?? Math.floor(Math.random() * 2 ** 32));
/** How many knocks are under way at once. */
const KNOCKERS = 4;
const SHORT_TTL_S = 3;
/** The kernel counts in ticks, the comment in whole seconds, and a daemon that starts opens a little later. */
const SLACK_MS = 2500;

/** Users whose grants outlast the test, one whose grants end in it, and one whose oldest address gives way. */
const USERS = [
  { name: 'long1', knock: 'udp/21010,udp/23010,udp/22010', ttl: '1h', max_addresses: 1000 },
  { name: 'long2', knock: 'udp/21110,udp/23110,udp/22110', ttl: '1h', max_addresses: 1000 },
  { name: 'short', knock: 'udp/21210,udp/23210,udp/22210', ttl: `${SHORT_TTL_S}s`, max_addresses: 1000 },
  { name: 'few', knock: 'udp/21310,udp/23310,udp/22310', ttl: '1h', max_addresses: 5 },
] as const;

interface Row {
  readonly id: string;
  readonly target: string;
  readonly user_name: string | null;
}

let lab: Lab;
let daemon: LabDaemon;

beforeAll(async () => {
  lab = await Lab.create();
  // The laptop answers for all of 10.88.0.0/16 (AnyIP), so it can knock from any address of it.
  await mustRun('ip', `-n ${lab.laptop.namespace} route add local 10.88.0.0/16 dev lo`.split(' '));
  await mustRun('ip', `-n ${lab.gateway.namespace} route add 10.88.0.0/16 via ${lab.laptop.ipv4}`.split(' '));
  await lab.gateway.tell('listenTcp', { port: 22 });
  daemon = lab.daemon();
  await daemon.start();
  await daemon.confirm();
  for (const { name, ...options } of USERS) await daemon.addUser(name, { ...options, services: ['ssh'] });
});
afterAll(() => lab?.destroy());

describe('a daemon that is killed at random moments', () => {
  it('loses no grant that was acknowledged, lets none outlive its time, and leaves none without a journal entry', async () => {
    onTestFailed(() => console.error(`the seed was ${SEED}: LAB_SEED=${SEED} draws the same moments again`));
    const random = seededRandom(SEED);
    const load = new Load(random);
    load.start();
    try {
      for (let round = 0; round < ROUNDS; round++) {
        await sleep(random() * 500);
        await daemon.kill('SIGKILL');
        // Now and then it does not even get to be ready.
        if (random() < 0.3) {
          const starting = daemon.launch().catch(() => undefined);
          await sleep(random() * 900);
          await daemon.kill('SIGKILL');
          await starting;
        }
        await expectTimes();
        await daemon.launch();
      }
    } finally {
      await load.stop();
    }
    expect(load.knocked.length).toBeGreaterThan(ROUNDS);
    expect(load.allowed.length).toBeGreaterThan(ROUNDS);
    await daemon.kill('SIGKILL');
    await daemon.launch();

    const isShort = (address: string) => load.userOf.get(address) === 'short';
    const shortOnes = async () => (await daemon.grants()).filter(({ user }) => user === 'short');
    await eventually(shortOnes, (grants) => grants.length === 0, (SHORT_TTL_S + 5) * 1000);
    const grants = await daemon.grants();
    const events = await eventually(
      () => daemon.events(),
      (list) => isComplete(list, grants.length),
    );
    const kernel = await expectTimes();

    const open = new Set(grants.map(({ address }) => address));
    const lost = [...load.knocked, ...load.allowed].filter((address) => !isShort(address) && !open.has(address));
    expect(lost.filter((address) => load.userOf.get(address) !== 'few')).toEqual([]);
    expect(kernel.map(({ value }) => value).sort()).toEqual([...open].sort());
    for (const { value, comment } of kernel) {
      expect(comment).toContain(grants.find(({ address }) => address === value)?.id);
    }

    // Whoever gave way did so for another of the same user, and the journal says so.
    expect(grants.filter(({ user }) => user === 'few').length).toBeLessThanOrEqual(5);
    const named = (name: string) => events.filter(({ event }) => event === name);
    const gone = new Set(named('grant.revoked').map(({ address }) => address));
    for (const address of lost) expect(gone).toContain(address);
    const ended = new Set(named('grant.expired').map(({ address }) => address));
    for (const address of load.knocked.filter(isShort)) expect(ended).toContain(address);

    const opened = named('grant.opened').map(({ grant }) => grant);
    expect(new Set(opened).size).toBe(opened.length);
    for (const { id } of grants) expect(opened).toContain(id);
    expect(named('grant.renewed')).toEqual([]);
    expect(named('attempt.refused')).toEqual([]);

    await daemon.kill('SIGTERM');
    const rows = withState(
      daemon.stateDirectory,
      (db) => db.prepare('SELECT id, target, user_name FROM grants WHERE ended_at IS NULL').all() as Row[],
    );
    expect(rows.map(({ id }) => id).sort()).toEqual(grants.map(({ id }) => id).sort());
    const orphans = withState(daemon.stateDirectory, (db) =>
      db
        .prepare("SELECT id FROM grants WHERE id NOT IN (SELECT grant_id FROM journal WHERE event = 'grant.opened')")
        .all(),
    );
    expect(orphans).toEqual([]);
  });
});

/** Every element that the kernel has ends, and not later than its own comment allows. */
async function expectTimes(): Promise<ListedElement[]> {
  const now = Date.now();
  const elements = await grantElements(lab.gateway);
  for (const { value, expires, comment } of elements) {
    const [, openedAt = '', ttl = ''] = /^sp1 \w{8}\.[kc]\.\w*\.(\w+)\.(\w+)$/.exec(comment ?? '') ?? [];
    const end = (Number.parseInt(openedAt, 36) + Number.parseInt(ttl, 36)) * 1000;
    const late = now + (expires ?? Number.POSITIVE_INFINITY) - end;
    expect({ value, comment, late: late > SLACK_MS ? late : 0 }).toEqual({ value, comment, late: 0 });
  }
  return elements;
}

/** Whether the journal has caught up with the grants that are open. */
function isComplete(events: readonly EventJson[], open: number): boolean {
  const count = (name: string) => events.filter(({ event }) => event === name).length;
  return count('grant.opened') - count('grant.expired') - count('grant.revoked') === open;
}

/** Knocks from ever new addresses, and operators who let addresses in, without a pause. */
class Load {
  /** Addresses that were seen to be open after their knock. */
  readonly knocked: string[] = [];
  /** Addresses whose `allow` was answered with success. */
  readonly allowed: string[] = [];
  readonly userOf = new Map<string, string>();
  readonly #random: () => number;
  #count = 0;
  #isOn = false;
  #running: Promise<void>[] = [];

  constructor(random: () => number) {
    this.#random = random;
  }

  start(): void {
    this.#isOn = true;
    this.#running = [
      ...Array.from({ length: KNOCKERS }, () => this.#repeat(() => this.#knock())),
      this.#repeat(() => this.#allow()),
    ];
  }

  async stop(): Promise<void> {
    this.#isOn = false;
    await Promise.all(this.#running);
  }

  async #repeat(task: () => Promise<void>): Promise<void> {
    while (this.#isOn) await task();
  }

  async #knock(): Promise<void> {
    const user = USERS[Math.floor(this.#random() * USERS.length)] ?? USERS[0];
    const source = this.#nextAddress('10.88');
    this.userOf.set(source, user.name);
    const options = { address: lab.gateway.ipv4, knocks: steps(user.knock), source, port: 22 };
    if (await lab.laptop.tell<boolean>('knockAndTry', options)) this.knocked.push(source);
  }

  async #allow(): Promise<void> {
    const target = this.#nextAddress('10.89');
    const request = { target, for: '1h', services: ['ssh'] };
    const answer = await daemon.api('POST', '/v1/allow', request).catch(() => undefined);
    if (answer?.status === 200) this.allowed.push(target);
    await sleep(answer === undefined ? 50 : 10);
  }

  #nextAddress(network: string): string {
    const n = ++this.#count;
    return `${network}.${n >> 8}.${n & 255}`;
  }
}
