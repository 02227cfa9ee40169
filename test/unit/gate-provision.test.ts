import { afterEach, describe, expect, it, vi } from 'vitest';
import { SallyportError } from '../../src/core/errors.ts';
import { minutes, seconds } from '../../src/core/time.ts';
import { isUntouched, sameArming } from '../../src/gate/guard/provision.ts';
import { service } from '../support/core-arbitraries.ts';
import { ANNA, type GateRig, gateRig, knockOf, LAPTOP } from '../support/gate-rig.ts';

describe('the end of a provisional time', () => {
  const provisional = (s: number) => ({ kind: 'provisional', remaining: seconds(s) }) as const;
  const permanent = { kind: 'permanent' } as const;

  it('may come a moment earlier in the kernel, which is not taken for meddling', () => {
    expect(isUntouched(null, provisional(1))).toBe(true);
    expect(isUntouched(null, provisional(10))).toBe(false);
    expect(isUntouched(null, permanent)).toBe(false);
    expect(isUntouched(provisional(59), provisional(60))).toBe(true);
    expect(isUntouched(provisional(30), provisional(60))).toBe(false);
    expect(isUntouched(provisional(1), permanent)).toBe(false);
  });

  it('is still to begin where nothing is armed', () => {
    expect(sameArming(null, provisional(2))).toBe(false);
  });
});

describe('a guard that is confirmed in its last moment', () => {
  let rig: GateRig;

  /** Its time is over while the kernel is being told that it is to stay. */
  async function confirmLate(before: () => void = () => undefined): Promise<void> {
    rig = gateRig({ isConfirmed: false });
    await rig.start();
    await rig.clock.advance(seconds(299));
    rig.firewall.onCall = async (call) => {
      if (call === 'arm') await new Promise((resolve) => setTimeout(resolve, 2000));
      if (call === 'arm') before();
    };
    void rig.doorkeeper.knocks([knockOf(ANNA)]);
    await rig.clock.advance(minutes(1));
  }
  afterEach(() => {
    rig.doorkeeper.stop();
    rig.guard.stop();
    vi.useRealTimers();
  });

  it('is there to stay, and is not said to have lapsed', async () => {
    await confirmLate();
    expect([rig.guard.mode, rig.firewall.arming]).toEqual(['guarding', { kind: 'permanent' }]);
    expect([rig.store.meta('confirmed'), rig.details('firewall.reverted')]).toEqual(['yes', []]);
  });

  it('has lapsed where the kernel does not take it', async () => {
    await confirmLate(() => {
      rig.firewall.fault = new SallyportError('SP_FIREWALL_FAILED', { problem: 'no memory' });
    });
    expect([rig.guard.mode, rig.firewall.arming, rig.store.meta('confirmed')]).toEqual(['reverted', null, 'no']);
    expect(rig.details('firewall.reverted')).toHaveLength(1);
  });
});

describe('a look at the kernel where it tells nothing', () => {
  let rig: GateRig;
  afterEach(() => {
    rig.doorkeeper.stop();
    rig.guard.stop();
    vi.useRealTimers();
  });

  it('does not miss a service that is not guarded', async () => {
    rig = gateRig();
    rig.firewall.scopes.delete(service('ssh'));
    await rig.start();
    await rig.doorkeeper.knocks([knockOf(ANNA)]);
    rig.firewall.elements.clear();
    rig.held.prune(Number.POSITIVE_INFINITY as ReturnType<typeof rig.clock.monotonic>);
    await rig.guard.repairQuietly();
    await rig.settle();
    expect(rig.details('drift.repaired')).toEqual([]);
  });

  it('finds a range that was smuggled in, puts it right and says so', async () => {
    rig = gateRig();
    await rig.start();
    rig.firewall.ranges = {
      entries: new Map([[service('ssh'), [{ family: 4, first: 1n, last: 9n }]]]),
      grants: new Map(),
    };
    await rig.guard.repairQuietly();
    await rig.settle();
    expect(rig.details('drift.repaired')).toEqual([expect.stringContaining('ranges')]);
    expect([...rig.firewall.ranges.entries]).toEqual([]);
    await rig.guard.repairQuietly();
    await rig.settle();
    expect(rig.details('drift.repaired')).toHaveLength(1);
    expect(rig.ledger.atTarget(LAPTOP)).toEqual([]);
  });
});
