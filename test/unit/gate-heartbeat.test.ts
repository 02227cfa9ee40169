import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { hours, millis, minutes, seconds } from '../../src/core/time.ts';
import { Heartbeat } from '../../src/gate/heartbeat.ts';
import { EIGHT } from '../support/fake-clock.ts';
import { ANNA, type GateRig, gateRig, knockOf } from '../support/gate-rig.ts';

let rig: GateRig;
let heartbeat: Heartbeat;

beforeEach(async () => {
  rig = gateRig();
  await rig.start();
  heartbeat = new Heartbeat({ ...rig, boot: 'boot-1' });
  await heartbeat.start();
});
afterEach(async () => {
  await heartbeat.stop();
  rig.doorkeeper.stop();
  vi.useRealTimers();
});

const alive = () => Number(rig.store.meta('last_alive'));
const recordedExpiry = () =>
  rig.store.kept.flatMap((change) => (change.kind === 'grant.put' ? [change.record.expiresAt] : [])).at(-1);

describe('the heartbeat', () => {
  it('records at once in which boot the daemon runs, and that it does', () => {
    expect([rig.store.meta('boot_id'), alive()]).toEqual(['boot-1', EIGHT]);
  });

  it('records every minute that the daemon runs, and once more when it stops', async () => {
    await rig.clock.advance(minutes(3));
    expect(alive()).toBe(EIGHT + minutes(3));
    await rig.clock.advance(seconds(59));
    expect(alive()).toBe(EIGHT + minutes(3));
    await heartbeat.stop();
    expect(alive()).toBe(EIGHT + minutes(3) + seconds(59));
    await rig.clock.advance(hours(1));
    expect(alive()).toBe(EIGHT + minutes(3) + seconds(59));
  });

  it('says nothing of a clock that only goes, nor of a step that is small', async () => {
    await rig.clock.advance(minutes(10));
    rig.clock.setWall(millis(1999));
    await rig.clock.advance(minutes(1));
    rig.clock.setWall(millis(-3998));
    await rig.clock.advance(minutes(1));
    expect(rig.store.told).toEqual([]);
  });
});

describe('a wall clock that is set', () => {
  it.each([
    [hours(1), 'forward by 1h; the grants keep the time they had left'],
    [hours(-1), 'back by 1h; the grants keep the time they had left'],
    [seconds(2), 'forward by 2s; the grants keep the time they had left'],
  ])('by %i ms is journalled within a second, and the grants are recorded with their new times', async (by, detail) => {
    await rig.doorkeeper.knocks([knockOf(ANNA)]);
    await rig.clock.advance(minutes(10));
    expect(recordedExpiry()).toBe(EIGHT + hours(1));
    rig.clock.setWall(by);
    await rig.clock.advance(seconds(1));
    expect(rig.details('clock.stepped')).toEqual([detail]);
    expect(recordedExpiry()).toBe(EIGHT + hours(1) + by);
    expect(alive()).toBe(EIGHT + minutes(10) + seconds(1) + by);
    await rig.clock.advance(minutes(10));
    expect(rig.details('clock.stepped')).toHaveLength(1);
    await rig.clock.advance(minutes(40));
    expect(rig.firewall.open).toEqual([]);
    expect(rig.details('grant.expired')).toHaveLength(1);
  });

  it('twice is told twice', async () => {
    rig.clock.setWall(hours(1));
    await rig.clock.advance(seconds(1));
    rig.clock.setWall(hours(-1));
    await rig.clock.advance(seconds(1));
    expect(rig.details('clock.stepped').map((detail) => detail?.split(';')[0])).toEqual([
      'forward by 1h',
      'back by 1h',
    ]);
  });
});
