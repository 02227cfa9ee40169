/** Thousands of grants: what is done for them piece by piece has to come out as if it were done at once. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { GrantJson, LabDaemon } from '../support/lab/daemon.js';
import { grantElements, mustNft } from '../support/lab/kernel.js';
import { eventually, Lab } from '../support/lab/lab.js';
import { fillGrants, withState } from '../support/lab/state.js';

/** More than one text, one piece of a dump, one transaction or one page of an answer holds. */
const MANY = 6000;
/** Between two looks at a clock lies the time that a busy machine takes. */
const SLACK_MS = 2500;
const HOUR_MS = 3_600_000;

let lab: Lab;
let count = 0;

beforeAll(async () => {
  lab = await Lab.create();
});
afterEach(async () => {
  await lab.endDaemons();
  await mustNft(lab.gateway, 'flush ruleset');
});
afterAll(() => lab?.destroy());

/** A confirmed daemon that runs, with so many grants in its store and none in the kernel when it was started. */
async function gateway(grants: { count: number; ttlMs: number; ipv6?: number }): Promise<LabDaemon> {
  const daemon = lab.daemon({ name: `many${++count}` });
  await daemon.start();
  await daemon.confirm();
  await daemon.kill('SIGTERM');
  await mustNft(lab.gateway, 'flush ruleset');
  await fillGrants(daemon.stateDirectory, { services: ['ssh'], ...grants });
  await daemon.launch();
  return daemon;
}

const byAddress = (grants: readonly GrantJson[]) => new Map(grants.map((grant) => [grant.address, grant]));

/** Every grant is in the kernel, with its own comment and its own time, and nothing else is. */
async function expectInKernel(daemon: LabDaemon): Promise<Map<string, GrantJson>> {
  const grants = byAddress(await daemon.grants());
  const now = Date.now();
  const elements = await grantElements(lab.gateway);
  expect(elements.map(({ value }) => value).sort()).toEqual([...grants.keys()].sort());
  const wrong = elements.filter(({ value, expires, comment }) => {
    const grant = grants.get(value);
    const ends = now + (expires ?? Number.POSITIVE_INFINITY);
    const isMine = grant !== undefined && comment?.startsWith(`sp1 ${grant.id}.`) === true;
    return !isMine || Math.abs(ends - Date.parse(grant.expires_at)) > SLACK_MS;
  });
  expect(wrong).toEqual([]);
  return grants;
}

describe('thousands of grants', () => {
  it('are all back after a reboot and after a flush, and are the same after a crash', async () => {
    const daemon = await gateway({ count: MANY, ipv6: MANY / 3, ttlMs: HOUR_MS });
    const first = await expectInKernel(daemon);
    expect(first.size).toBe(MANY);
    await mustNft(lab.gateway, 'flush ruleset');
    await eventually(
      () => daemon.eventsNamed('drift.repaired'),
      (events) => events.length > 0,
      15_000,
    );
    expect((await expectInKernel(daemon)).size).toBe(MANY);
    await daemon.kill('SIGKILL');
    await daemon.launch();
    const last = await expectInKernel(daemon);
    const ids = (grants: Map<string, GrantJson>) => [...grants.values()].map(({ id }) => id).sort();
    expect(ids(last)).toEqual(ids(first));
    const moved = [...last.values()].filter(({ address, expires_at }) => {
      return Math.abs(Date.parse(expires_at) - Date.parse(first.get(address)?.expires_at ?? '')) > 1000;
    });
    expect(moved).toEqual([]);
    expect(await daemon.eventsNamed('drift.repaired')).toHaveLength(1);
  });

  it('are restored by the boot step, each with its time', async () => {
    const daemon = await gateway({ count: MANY, ttlMs: HOUR_MS });
    await daemon.kill('SIGTERM');
    await mustNft(lab.gateway, 'flush ruleset');
    expect((await daemon.cli('firewall', 'restore')).code).toBe(0);
    expect(await grantElements(lab.gateway)).toHaveLength(MANY);
    await daemon.launch();
    expect((await expectInKernel(daemon)).size).toBe(MANY);
    expect(await daemon.eventsNamed('drift.repaired')).toEqual([]);
  });

  it('end each at its own time while others are restored, and every end is told once', async () => {
    // They end over a minute: by the time that the daemon is there again, hundreds of them have.
    const daemon = await gateway({ count: MANY, ttlMs: 68_000 });
    const before = await daemon.grants();
    await daemon.kill('SIGKILL');
    await daemon.launch();
    const after = await expectInKernelButEnding(daemon);
    for (const { id, expires_at } of before) {
      if (Date.parse(expires_at) > Date.now() + SLACK_MS) expect(after.has(id)).toBe(true);
    }
    const ended = await eventually(
      () => daemon.eventsNamed('grant.expired'),
      (events) => events.length > 100,
      30_000,
    );
    expect(new Set(ended.map(({ grant }) => grant)).size).toBe(ended.length);
    expect(await daemon.eventsNamed('drift.repaired')).toEqual([]);
  });

  it('of which the store has lost some are adopted with their own time, and each has its word in the journal', async () => {
    const daemon = await gateway({ count: MANY, ttlMs: HOUR_MS });
    const before = byAddress(await daemon.grants());
    await daemon.kill('SIGKILL');
    const lost = withState(daemon.stateDirectory, (db) => {
      const rows = db.prepare('SELECT id FROM grants ORDER BY id LIMIT 40').all() as { id: string }[];
      for (const { id } of rows) {
        db.prepare('DELETE FROM grants WHERE id = ?').run(id);
        db.prepare('DELETE FROM journal WHERE grant_id = ?').run(id);
      }
      return rows.map(({ id }) => id);
    });
    await daemon.launch();
    const opened = await eventually(
      async () => (await daemon.eventsNamed('grant.opened')).filter(({ grant }) => lost.includes(grant ?? '')),
      (events) => events.length >= lost.length,
      15_000,
    );
    expect(opened.map(({ grant }) => grant).sort()).toEqual(lost);
    const after = await expectInKernel(daemon);
    expect(after.size).toBe(MANY);
    for (const [address, { id, expires_at }] of after) {
      expect(id).toBe(before.get(address)?.id);
      expect(Math.abs(Date.parse(expires_at) - Date.parse(before.get(address)?.expires_at ?? ''))).toBeLessThan(1000);
    }
  });

  it('are put right where many were taken away, slipped in or given another time', async () => {
    const daemon = await gateway({ count: MANY, ttlMs: HOUR_MS });
    await expectInKernel(daemon);
    const strangers = Array.from({ length: 1500 }, (_, n) => `172.16.${n >> 8}.${n & 255} timeout 1h`);
    await mustNft(
      lab.gateway,
      `flush set inet sallyport grant_ssh_4; add element inet sallyport grant_ssh_4 { ${strangers.join(', ')} }; ` +
        'add element inet sallyport grant_ssh_4 { 10.128.0.1 timeout 9h }',
    );
    await eventually(
      () => daemon.eventsNamed('drift.repaired'),
      (events) => events.length > 0,
      20_000,
    );
    expect((await expectInKernel(daemon)).size).toBe(MANY);
  });

  it('are all in the answers, in the order in which they end', async () => {
    const daemon = await gateway({ count: MANY, ttlMs: HOUR_MS });
    const status = await daemon.json<{ grants: GrantJson[]; parts: Record<string, Record<string, unknown>> }>('status');
    const list = await daemon.json<{ grants: GrantJson[] }>('list');
    for (const { grants } of [status, list]) {
      expect(new Set(grants.map(({ id }) => id)).size).toBe(MANY);
      expect(grants.map(({ expires_at }) => expires_at)).toEqual(grants.map(({ expires_at }) => expires_at).sort());
    }
    expect(status.parts.daemon).toMatchObject({ state: 'running' });
    expect(status.parts.daemon?.rss_mb).toBeGreaterThan(30);
    expect(status.parts.daemon?.loop_max_ms).toBeGreaterThanOrEqual(0);
    expect((await daemon.json<{ grants: GrantJson[] }>('whois', '10.128.0.7')).grants).toHaveLength(1);
  });
});

/** The ids that are open; what the kernel has beside them ends at this moment, and the other way round. */
async function expectInKernelButEnding(daemon: LabDaemon): Promise<Set<string>> {
  const grants = await daemon.grants();
  const elements = await grantElements(lab.gateway);
  const isOpen = new Set(grants.map(({ address }) => address));
  for (const { value, expires } of elements) {
    if (expires === null || expires > SLACK_MS) expect(isOpen.has(value)).toBe(true);
  }
  const inKernel = new Set(elements.map(({ value }) => value));
  for (const { address, remaining_s } of grants) {
    if (remaining_s * 1000 > SLACK_MS) expect(inKernel.has(address)).toBe(true);
  }
  return new Set(grants.map(({ id }) => id));
}
