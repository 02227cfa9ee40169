import { copyFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { expectAgreement, expectKept, expectTimes, tellSoak } from '../support/lab/crash-checks.js';
import { CrashLoad, SHORT_TTL_S } from '../support/lab/crash-load.js';
import type { LabDaemon } from '../support/lab/daemon.js';
import { MountHolder } from '../support/lab/holder.js';
import { eventually, Lab } from '../support/lab/lab.js';
import { seededRandom } from '../support/lab/random.js';

/** `npm run soak` has more of them. */
const ROUNDS = Number(process.env.LAB_DISK_ROUNDS ?? 6);
const ROUND_BOUND_MS = 20_000;
const DISK_MB = 24;
const SEED = Number(process.env.LAB_SEED ?? Math.floor(Math.random() * 2 ** 32));

const random = seededRandom(SEED);
let lab: Lab;
let daemon: LabDaemon;
let holder: MountHolder;
let load: CrashLoad;
const counts = { filled: 0, refusals: 0, acknowledged: 0 };

beforeAll(async () => {
  lab = await Lab.create();
  const { stateDirectory } = lab.daemon();
  holder = await MountHolder.start(
    lab.gateway,
    `mkdir -p ${stateDirectory}; mount -t tmpfs -o size=${DISK_MB}m,mode=700 tmpfs ${stateDirectory}`,
  );
  daemon = lab.daemon({ wrap: [...holder.wrap] });
  await daemon.start();
  await daemon.confirm();
  load = new CrashLoad(lab, daemon, random);
  await load.prepare();
});
afterAll(async () => {
  await lab?.destroy();
  holder?.stop();
});

const filler = () => holder.path(`${daemon.stateDirectory}/filler`);
const makeRoom = () => rm(filler(), { force: true });

async function fill(): Promise<void> {
  counts.filled += 1;
  await writeFile(filler(), new Uint8Array((DISK_MB + 1) << 20)).catch(() => undefined);
}

/** Starts it, unless the disk is too full for that: it says so and leaves the door guarded. */
async function tryToLaunch(): Promise<boolean> {
  const from = daemon.output.length;
  try {
    await daemon.launch();
    return true;
  } catch {
    const said = daemon.output.slice(from);
    expect(said).toMatch(/^SP_STORE_FULL: .+$/m);
    counts.refusals += 1;
    return false;
  }
}

async function expectGuarded(): Promise<void> {
  await expectTimes(lab);
  expect(await lab.stranger.tcp(lab.gateway.ipv4, 22, { timeout: 200 })).toBe('silent');
}

const storeIsOk = () =>
  eventually(
    async () => (await daemon.api<{ parts: { store: { state: string } } }>('GET', '/v1/status')).body.parts.store.state,
    (state) => state === 'ok',
  );

describe('a daemon that is killed while its disk is full', () => {
  it('loses no grant that was acknowledged, goes on guarding while it cannot start, and writes all down once there is room', {
    timeout: 60_000 + ROUNDS * ROUND_BOUND_MS,
  }, async () => {
    onTestFailed(() => console.error(`the seed was ${SEED}: LAB_SEED=${SEED} draws the same moments again`));
    load.start();
    try {
      for (let round = 1; round <= ROUNDS; round++) {
        await sleep(random() * 300);
        await fill();
        await sleep(random() * 700);
        // There is room again before the crash, before the first start after it, or after one.
        const when = Math.floor(random() * 3);
        if (when === 0) {
          await makeRoom();
          await sleep(random() * 1500);
        }
        await daemon.kill('SIGKILL');
        await expectGuarded();
        if (when === 1) await makeRoom();
        const isUp = await tryToLaunch();
        await expectGuarded();
        if (isUp) await expectKept(daemon, load);
        await makeRoom();
        if (!isUp) await daemon.launch();
        await storeIsOk();
        await expectKept(daemon, load);
        tellSoak({ step: round, of: ROUNDS });
      }
    } finally {
      await makeRoom();
      await load.stop();
    }
    expect(load.knocked.length).toBeGreaterThan(ROUNDS);
    expect(load.allowed.length).toBeGreaterThan(ROUNDS);
    const shortOnes = async () => (await daemon.grants()).filter(({ user }) => user === 'short');
    await eventually(shortOnes, (grants) => grants.length === 0, (SHORT_TTL_S + 5) * 1000);
    await storeIsOk();
    // SQLite follows links, and so out of the namespace.
    await expectAgreement(lab, daemon, async () => {
      await copyFile(holder.path(`${daemon.stateDirectory}/sallyport.db`), `${lab.directory}/sallyport.db`);
      return lab.directory;
    });
    tellSoak({ counts: { ...counts, acknowledged: load.acknowledged().open.size } });
  });
});
