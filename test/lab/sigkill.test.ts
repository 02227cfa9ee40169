import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { expectAgreement, expectKept, expectTimes, tellSoak } from '../support/lab/crash-checks.js';
import { CrashLoad, FEW, SHORT_TTL_S } from '../support/lab/crash-load.js';
import type { LabDaemon } from '../support/lab/daemon.js';
import { eventually, Lab } from '../support/lab/lab.js';
import { seededRandom } from '../support/lab/random.js';

/** `npm run soak` has more of them. */
const ROUNDS = Number(process.env.LAB_KILL_ROUNDS ?? 20);
const ROUND_BOUND_MS = 10_000;
const SEED = Number(process.env.LAB_SEED ?? Math.floor(Math.random() * 2 ** 32));

const random = seededRandom(SEED);
let lab: Lab;
let daemon: LabDaemon;
let load: CrashLoad;

beforeAll(async () => {
  lab = await Lab.create();
  daemon = lab.daemon();
  await daemon.start();
  await daemon.confirm();
  load = new CrashLoad(lab, daemon, random);
  await load.prepare();
});
afterAll(() => lab?.destroy());

describe('a daemon that is killed at random moments', () => {
  it('loses no grant that was acknowledged, lets none outlive its time, and leaves none without a journal entry', {
    timeout: 60_000 + ROUNDS * ROUND_BOUND_MS,
  }, async () => {
    onTestFailed(() => console.error(`the seed was ${SEED}: LAB_SEED=${SEED} draws the same moments again`));
    load.start();
    try {
      for (let round = 1; round <= ROUNDS; round++) {
        await sleep(random() * 500);
        await daemon.kill('SIGKILL');
        // Now and then it does not even get to be ready.
        if (random() < 0.3) {
          const starting = daemon.launch().catch(() => undefined);
          await sleep(random() * 900);
          await daemon.kill('SIGKILL');
          await starting;
        }
        await expectTimes(lab);
        await daemon.launch();
        await expectKept(daemon, load);
        tellSoak({ step: round, of: ROUNDS });
      }
    } finally {
      await load.stop();
    }
    expect(load.knocked.length).toBeGreaterThan(ROUNDS);
    expect(load.allowed.length).toBeGreaterThan(ROUNDS);
    await daemon.kill('SIGKILL');
    await daemon.launch();
    await expectKept(daemon, load);

    const shortOnes = async () => (await daemon.grants()).filter(({ user }) => user === 'short');
    await eventually(shortOnes, (grants) => grants.length === 0, (SHORT_TTL_S + 5) * 1000);
    const ofFew = (await daemon.grants()).filter(({ user }) => user === 'few');
    expect(ofFew.length).toBeLessThanOrEqual(FEW);
    const events = await daemon.events();
    for (const never of ['grant.renewed', 'attempt.refused']) {
      expect(events.filter(({ event }) => event === never)).toEqual([]);
    }
    await expectAgreement(lab, daemon);
    const { open, revoked, removed } = load.acknowledged();
    tellSoak({ counts: { acknowledged: open.size, revoked: revoked.size, users: removed.size } });
  });
});
