import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { GrantJson, LabDaemon } from '../support/lab/daemon.js';
import { elementOf, mustNft } from '../support/lab/kernel.js';
import { eventually, Lab, steps } from '../support/lab/lab.js';
import { withState } from '../support/lab/state.js';

const ALICE = 'tcp/21234,udp/28111,tcp/24711';
const SHIFTED_CLOCK = fileURLToPath(new URL('../support/lab/shifted-clock.mjs', import.meta.url));
const HOUR_S = 3600;
/** Between two looks at a clock lies the time that a busy machine takes. */
const SLACK_S = 2.5;

let lab: Lab;
let count = 0;
let clockFile = '';

beforeAll(async () => {
  lab = await Lab.create();
  await lab.gateway.tell('listenTcp', { port: 22 });
});
afterEach(async () => {
  await lab.endDaemons();
  await mustNft(lab.gateway, 'flush ruleset');
});
afterAll(() => lab?.destroy());

/** A confirmed daemon with a user, whose wall clock can be set. */
async function gateway(): Promise<LabDaemon> {
  clockFile = join(lab.directory, `clock${++count}`);
  await setClock(0);
  const env = { NODE_OPTIONS: `--import=${SHIFTED_CLOCK}`, LAB_CLOCK: clockFile };
  const daemon = lab.daemon({ name: `clocks${count}`, env });
  await daemon.start();
  await daemon.confirm();
  await daemon.addUser('alice', { knock: ALICE, services: ['ssh'], ttl: '30m' });
  return daemon;
}

/** Sets the wall clock of the daemon: so many seconds off the true time. */
async function setClock(seconds: number): Promise<void> {
  await writeFile(`${clockFile}.new`, String(seconds * 1000));
  await rename(`${clockFile}.new`, clockFile);
}

/** Lets the laptop in by a knock of alice's; the grant, when it is recorded. */
async function letLaptopIn(daemon: LabDaemon): Promise<GrantJson> {
  await lab.laptop.knock(lab.gateway.ipv4, steps(ALICE));
  await eventually(
    () => opened(daemon),
    (events) => events.some(({ address }) => address === lab.laptop.ipv4),
  );
  return await daemon.grantFor(lab.laptop.ipv4);
}

const opened = (daemon: LabDaemon) => daemon.eventsNamed('grant.opened');
const laptopSees = () => lab.laptop.tcp(lab.gateway.ipv4, 22, { timeout: 300 });
const strangerSees = () => lab.stranger.tcp(lab.gateway.ipv4, 22, { timeout: 300 });
const secondsSince = (start: number) => (performance.now() - start) / 1000;

describe('the wall clock', () => {
  it.each([
    ['forward', 1],
    ['back', -1],
  ] as const)('set %s an hour while it runs changes no time left', async (direction, sign) => {
    const daemon = await gateway();
    const before = await letLaptopIn(daemon);
    const started = performance.now();
    await setClock(sign * HOUR_S);
    const stepped = await eventually(
      () => daemon.eventsNamed('clock.stepped'),
      (events) => events.length > 0,
    );
    expect(stepped).toMatchObject([
      { detail: expect.stringMatching(new RegExp(`${direction} by (1h|59m59|1h0m|1h\\d)`)) },
    ]);
    const after = await daemon.grantFor(lab.laptop.ipv4);
    expect(Math.abs(before.remaining_s - after.remaining_s - secondsSince(started))).toBeLessThan(SLACK_S);
    const moved = (Date.parse(after.expires_at) - Date.parse(before.expires_at)) / 1000;
    expect(Math.abs(moved - sign * HOUR_S)).toBeLessThan(1);
    const { expires } = await elementOf(lab.gateway, 'grant_ssh_4', lab.laptop.ipv4);
    expect(Math.abs((expires ?? 0) / 1000 - after.remaining_s)).toBeLessThan(SLACK_S);
    expect(await daemon.eventsNamed('grant.expired')).toEqual([]);
    await daemon.kill('SIGTERM');
    const recorded = withState(daemon.stateDirectory, (db) =>
      db.prepare('SELECT expires_at FROM grants').pluck().all(),
    );
    expect(recorded).toHaveLength(1);
    expect(Math.abs(Number(recorded[0]) - Date.parse(after.expires_at))).toBeLessThan(1000);
  });

  it.each([
    ['forward', 1],
    ['back', -1],
  ] as const)('set %s an hour while it is down changes no time left', async (_, sign) => {
    const daemon = await gateway();
    const before = await letLaptopIn(daemon);
    const started = performance.now();
    await daemon.kill('SIGTERM');
    await setClock(sign * HOUR_S);
    await mustNft(lab.gateway, 'flush ruleset');
    await daemon.launch();
    const after = await daemon.grantFor(lab.laptop.ipv4);
    expect(after.id).toBe(before.id);
    expect(Math.abs(before.remaining_s - after.remaining_s - secondsSince(started))).toBeLessThan(SLACK_S);
    expect([await laptopSees(), await strangerSees()]).toEqual(['open', 'silent']);
  });

  /** As after a boot: the kernel has forgotten everything, and the monotonic clock began anew. */
  async function reboot(daemon: LabDaemon): Promise<void> {
    await daemon.kill('SIGTERM');
    await mustNft(lab.gateway, 'flush ruleset');
    withState(daemon.stateDirectory, (db) => {
      db.exec("UPDATE meta SET value = '00000000-0000-0000-0000-000000000000' WHERE key = 'boot_id'");
      db.exec('UPDATE grants SET expires_mono = expires_mono + 1000000000');
    });
  }

  it.each([
    ['right', 'the same', 0],
    ['an hour behind', 'the same', -HOUR_S],
    ['ten minutes ahead', 'less', 600],
    ['an hour ahead', 'nothing', HOUR_S],
  ] as const)('that is %s after a boot leaves a grant %s, and never more', async (_, left, seconds) => {
    const daemon = await gateway();
    const before = await letLaptopIn(daemon);
    await reboot(daemon);
    await setClock(seconds);
    await daemon.launch();
    const [after] = await daemon.grants();
    if (left === 'nothing') {
      expect(after).toBeUndefined();
      expect(await laptopSees()).toBe('silent');
      const expired = await eventually(
        () => daemon.eventsNamed('grant.expired'),
        (events) => events.length > 0,
      );
      expect(expired).toMatchObject([{ address: lab.laptop.ipv4, grant: before.id }]);
      return;
    }
    const lost = before.remaining_s - (after?.remaining_s ?? 0);
    const expected = left === 'less' ? seconds : 0;
    expect(lost).toBeGreaterThanOrEqual(expected);
    expect(lost).toBeLessThan(expected + 15);
    const { expires } = await elementOf(lab.gateway, 'grant_ssh_4', lab.laptop.ipv4);
    expect((expires ?? 0) / 1000).toBeLessThanOrEqual(before.remaining_s - expected);
    expect([await laptopSees(), await strangerSees()]).toEqual(['open', 'silent']);
  });
});
