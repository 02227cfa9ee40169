import { appendFileSync } from 'node:fs';
import { expect } from 'vitest';
import { disagreements, readRecords } from '../../../scripts/lib/agreement.mjs';
import type { CrashLoad } from './crash-load.js';
import type { LabDaemon } from './daemon.js';
import { grantElements, type ListedElement } from './kernel.js';
import type { Lab } from './lab.js';
import { withState } from './state.js';

/** The kernel counts in ticks, the comment in whole seconds, and a daemon that starts opens a little later. */
const SLACK_MS = 2500;

/** Every element that the kernel has ends, and not later than its own comment allows. */
export async function expectTimes(lab: Lab): Promise<ListedElement[]> {
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

/** A daemon that has come back shows all that was acknowledged before, and nothing that was put out. */
export async function expectKept(daemon: LabDaemon, load: CrashLoad): Promise<void> {
  const before = load.acknowledged();
  const grants = await daemon.grants();
  const { body: users } = await daemon.api<{ name: string }[]>('GET', '/v1/users');
  const broken = load.broken(
    before,
    grants,
    users.map(({ name }) => name),
  );
  expect(broken).toEqual([]);
}

/**
 * Stops a daemon that nothing happens to any more: what it shows, the kernel, its store and its journal are all the same.
 * @param state tells, after the stop, where its state can be read
 */
export async function expectAgreement(
  lab: Lab,
  daemon: LabDaemon,
  state = async () => daemon.stateDirectory,
): Promise<void> {
  const grants = await daemon.grants();
  const elements = await expectTimes(lab);
  expect(await daemon.kill('SIGTERM')).toBe(0);
  const kept = withState(await state(), readRecords);
  expect(disagreements({ grants, elements, ...kept })).toEqual([]);
}

/** Tells a longer run of a test (scripts/soak/kill.mjs) how far it is and what it has counted. */
export function tellSoak(news: { readonly step?: number; readonly of?: number; readonly counts?: object }): void {
  const file = process.env.LAB_NEWS;
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(news)}\n`);
}
