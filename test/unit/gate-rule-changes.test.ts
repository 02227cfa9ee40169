import { afterEach, describe, expect, it, vi } from 'vitest';
import { SallyportError } from '../../src/core/errors.ts';
import { parsePortRange } from '../../src/core/ports.ts';
import { withRules } from '../../src/core/rules.ts';
import { minutes, seconds } from '../../src/core/time.ts';
import { hasLapsed, openingRules } from '../../src/gate/guard/opening-rules.ts';
import { rulesDigest } from '../../src/gate/guard/rule-book.ts';
import { TunnelWatch } from '../../src/gate/tunnel-watch.ts';
import { service } from '../support/core-arbitraries.ts';
import { ANNA, type GateRig, gateRig, knockOf, LAYOUT, type RigOptions, RULES } from '../support/gate-rig.ts';
import { target } from '../support/grants.ts';

const BROKEN = new SallyportError('SP_FIREWALL_FAILED', { problem: 'no memory' });
const FULL = new SallyportError('SP_STORE_FULL', { directory: '/state' });

const OPEN = { ...RULES, guarded: new Map([...RULES.guarded].filter(([name]) => name === 'ssh')) };
const TIGHT = { ...RULES, policy: 'lockdown' } as const;
const OTHER = { ...RULES, onExpiry: 'drain' } as const;
const TUNNEL = { ...RULES, openPorts: [parsePortRange('udp/51820')] };
const shapeOf = (rules: typeof RULES) => withRules(LAYOUT, rules);

let rig: GateRig;

async function started(options: RigOptions = {}) {
  rig = gateRig(options);
  await rig.start();
  await rig.settle();
}
const apply = async (rules: typeof RULES, provision = minutes(1)) => {
  const replaced = await rig.guard.apply({ rules, provision });
  await rig.settle();
  return replaced;
};
/** What packets meet in the kernel. */
const holds = () => rig.firewall.rules;
const reverted = () => rig.details('firewall.reverted');

afterEach(() => {
  rig.doorkeeper.stop();
  rig.guard.stop();
  vi.useRealTimers();
});

describe('a change of the rules', () => {
  it('holds for a while, with the last rules that lasted behind it', async () => {
    await started();
    expect(rig.firewall.kept).toEqual({ layout: LAYOUT, rules: RULES });
    expect(await apply(TIGHT)).toBe(false);
    expect([rig.guard.mode, rig.guard.isChanging, holds()]).toEqual(['provisional', true, shapeOf(TIGHT)]);
    expect(rig.firewall.arming).toEqual({ kind: 'provisional', remaining: minutes(1) });
    expect(rig.firewall.kept?.rules).toEqual(RULES);
    expect(rig.details('firewall.provisional')).toEqual(['a change of the rules, for 1m']);
  });

  it('gives way to the previous rules in the kernel itself, and then for good', async () => {
    await started();
    await apply(TIGHT);
    rig.guard.stop();
    await rig.clock.advance(minutes(1));
    expect(holds()).toEqual(LAYOUT);
  });

  it('is told to have lapsed, and the configuration to ask for it still', async () => {
    await started();
    await apply(TIGHT);
    await rig.clock.advance(seconds(61));
    expect([rig.guard.mode, rig.firewall.shape]).toEqual(['guarding', { layout: LAYOUT, fallback: null }]);
    expect([rig.firewall.arming, rig.guard.detail]).toEqual([
      { kind: 'permanent' },
      expect.stringContaining('was not confirmed'),
    ]);
    expect(reverted()).toEqual(['nobody confirmed it, and no knock opened it; the previous rules hold again']);
    expect([rig.store.meta('declined'), rig.store.meta('confirmed')]).toEqual([rulesDigest(TIGHT), undefined]);
  });

  it('lasts once it is confirmed, and is what a boot restores then', async () => {
    await started();
    await apply(TIGHT);
    await rig.guard.confirm();
    await rig.clock.advance(minutes(5));
    expect([rig.guard.mode, rig.firewall.shape]).toEqual(['guarding', { layout: shapeOf(TIGHT), fallback: null }]);
    expect(rig.firewall.kept).toEqual({ layout: shapeOf(TIGHT), rules: TIGHT });
    expect([rig.guard.detail, reverted(), rig.store.meta('declined')]).toEqual([null, [], '']);
  });

  it('lasts once a knock has opened something', async () => {
    await started();
    await apply(TIGHT);
    await rig.doorkeeper.knocks([knockOf(ANNA)]);
    await rig.settle();
    expect([rig.guard.mode, holds()]).toEqual(['guarding', shapeOf(TIGHT)]);
  });

  it('is gone at once when it is rolled back, which can be done once', async () => {
    await started();
    await apply(TIGHT);
    await rig.guard.rollback();
    expect([rig.guard.mode, holds()]).toEqual(['guarding', LAYOUT]);
    expect(reverted()).toEqual(['rolled back by an operator; the previous rules hold again']);
    await expect(rig.guard.rollback()).rejects.toMatchObject({ code: 'SP_NOTHING_PROVISIONAL' });
  });

  it('gives way to another one, for which the time begins anew, and the last rules that lasted stay behind it', async () => {
    await started();
    await apply(TIGHT);
    await rig.clock.advance(seconds(50));
    expect(await apply(OTHER)).toBe(true);
    await rig.clock.advance(seconds(50));
    expect(holds()).toEqual(shapeOf(OTHER));
    await rig.clock.advance(seconds(11));
    expect(holds()).toEqual(LAYOUT);
  });

  it('of two at one moment is one', async () => {
    await started();
    const both = await Promise.all([rig.guard.apply({ rules: TIGHT }), rig.guard.apply({ rules: TIGHT })]);
    expect([both, rig.book.fallback]).toEqual([[false, true], RULES]);
  });

  it('to the same rules is none', async () => {
    await started();
    expect([await apply({ ...RULES }), rig.guard.mode, rig.loads()]).toEqual([false, 'guarding', 1]);
  });

  it('that the kernel does not take changes nothing', async () => {
    await started();
    rig.firewall.fault = BROKEN;
    await expect(rig.guard.apply({ rules: TIGHT })).rejects.toBe(BROKEN);
    rig.firewall.fault = undefined;
    expect([rig.guard.mode, rig.book.current, holds()]).toEqual(['guarding', RULES, LAYOUT]);
  });

  it('is still provisional where the kernel does not take that it is confirmed', async () => {
    await started();
    await apply(TIGHT);
    rig.firewall.fault = BROKEN;
    await expect(rig.guard.confirm()).rejects.toBe(BROKEN);
    rig.firewall.fault = undefined;
    expect([rig.guard.mode, rig.book.fallback]).toEqual(['provisional', RULES]);
    await rig.clock.advance(seconds(61));
    expect(holds()).toEqual(LAYOUT);
  });

  it('comes back with what is left of its time where somebody takes the table away', async () => {
    await started();
    await apply(TIGHT);
    await rig.clock.advance(seconds(40));
    rig.firewall.flush();
    await rig.guard.repair({ pid: 4711, program: 'nft' });
    await rig.settle();
    expect([holds(), rig.firewall.arming]).toEqual([shapeOf(TIGHT), { kind: 'provisional', remaining: seconds(20) }]);
    await rig.clock.advance(seconds(20));
    expect(holds()).toEqual(LAYOUT);
  });

  it('has the previous rules behind it again where somebody takes only those away', async () => {
    await started();
    await apply(TIGHT);
    rig.firewall.switchOff();
    await rig.guard.repairQuietly();
    await rig.settle();
    expect(holds()).toEqual(shapeOf(TIGHT));
    await rig.clock.advance(minutes(1));
    expect(holds()).toEqual(LAYOUT);
  });

  it('lets in whom both let in, where an entry comes or goes meanwhile', async () => {
    await started();
    await apply({ ...RULES, entries: [{ target: target('192.0.2.1'), services: [service('ssh')], note: null }] });
    await rig.guard.setRanges();
    const { entries, fallback } = rig.firewall.ranges;
    expect([entries.get(service('ssh'))?.length, fallback?.get(service('ssh'))]).toEqual([1, undefined]);
  });

  it('gives way to the previous rules at the end of the daemon', async () => {
    await started();
    await apply(TIGHT);
    await rig.guard.takeDown();
    expect([rig.guard.mode, holds(), rig.store.meta('declined')]).toEqual(['guarding', LAYOUT, undefined]);
  });

  it('that cannot be kept lasts all the same, says so, and is kept when it is confirmed again', async () => {
    await started();
    await apply(TIGHT);
    rig.firewall.keepFault = FULL;
    await rig.guard.confirm();
    expect([rig.guard.mode, rig.guard.unkept, rig.firewall.kept?.rules]).toEqual(['guarding', FULL, RULES]);
    rig.firewall.keepFault = undefined;
    await rig.guard.confirm();
    expect([rig.guard.unkept, rig.firewall.kept?.rules]).toEqual([undefined, TIGHT]);
  });

  it('after the panic command has nothing behind it, as everything is open', async () => {
    await started();
    rig.firewall.panic();
    await rig.guard.repair(null);
    await apply(TIGHT);
    expect([rig.guard.mode, rig.guard.isChanging, holds()]).toEqual(['provisional', false, shapeOf(TIGHT)]);
    await rig.clock.advance(seconds(61));
    expect([rig.guard.mode, holds()]).toEqual(['reverted', undefined]);
  });
});

describe('a port of WireGuard that the host has elsewhere now', () => {
  const tunnel = (port: number) => ({ ...TIGHT, openPorts: [parsePortRange(`udp/${port}`)] });
  const watch = (now: (rules: typeof RULES) => Promise<typeof RULES | undefined>) =>
    new TunnelWatch({ guard: rig.guard, book: rig.book, now, log: rig.log });

  it('is opened for good and kept, and the one before is closed; the journal tells of it', async () => {
    await started({ rules: tunnel(51_820) });
    await watch(async () => tunnel(51_821)).look();
    expect([rig.guard.mode, holds()]).toEqual(['guarding', shapeOf(tunnel(51_821))]);
    expect(rig.firewall.kept?.rules).toEqual(tunnel(51_821));
    expect(rig.details('firewall.adjusted')).toEqual([
      'WireGuard listens elsewhere now: everyone to udp/51820 is let in no longer; everyone to udp/51821 is let in',
    ]);
  });

  it('is left alone where nothing is new, while a change waits, and where other rules hold by then', async () => {
    await started({ rules: tunnel(51_820) });
    const loads = rig.loads();
    await watch(async () => undefined).look();
    await watch(async () => {
      await apply(OTHER);
      return tunnel(51_821);
    }).look();
    expect(holds()).toEqual(shapeOf(OTHER));
    await watch(async () => tunnel(51_821)).look();
    expect([holds(), rig.loads(), rig.details('firewall.adjusted')]).toEqual([shapeOf(OTHER), loads + 1, []]);
  });

  it('leaves the rules as they were where the kernel does not take them, and tries again', async () => {
    await started({ rules: tunnel(51_820) });
    rig.firewall.fault = BROKEN;
    const tunnels = watch(async () => tunnel(51_821));
    await tunnels.look();
    expect(rig.book.current).toEqual(tunnel(51_820));
    rig.firewall.fault = undefined;
    await tunnels.look();
    expect(holds()).toEqual(shapeOf(tunnel(51_821)));
  });
});

describe('a start with rules other than those that lasted', () => {
  it('tries them for a while, with those behind them', async () => {
    await started({ rules: TIGHT, previous: RULES });
    expect([rig.guard.mode, rig.guard.isChanging, holds()]).toEqual(['provisional', true, shapeOf(TIGHT)]);
    expect(rig.firewall.kept).toBeUndefined();
    await rig.clock.advance(seconds(301));
    expect([rig.guard.mode, holds(), rig.store.meta('declined')]).toEqual(['guarding', LAYOUT, rulesDigest(TIGHT)]);
  });

  it.each([
    ['that are not kept yet', RULES, null, undefined, [RULES, null, false]],
    ['that are the same', RULES, RULES, undefined, [RULES, null, false]],
    ['that only open', OPEN, RULES, undefined, [OPEN, null, false]],
    ['without the port of a tunnel that is not up yet', RULES, TUNNEL, undefined, [RULES, null, false]],
    ['that close something', TIGHT, RULES, undefined, [TIGHT, RULES, false]],
    ['that close something else than what was declined', TIGHT, RULES, rulesDigest(OTHER), [TIGHT, RULES, false]],
    ['that nobody confirmed when they were tried', TIGHT, RULES, rulesDigest(TIGHT), [RULES, null, true]],
  ])('%s', (_, configured, kept, declined, expected) => {
    const { current, fallback, isDeclined } = openingRules({ configured, kept, declined });
    expect([current, fallback, isDeclined]).toEqual(expected);
  });

  it('sees that a change has lapsed while no gateway ran', () => {
    const found = { table: 'intact', arming: null, hasFallback: true } as const;
    expect(hasLapsed({ fallback: RULES }, found)).toBe(true);
    expect(hasLapsed({ fallback: RULES }, { ...found, arming: { kind: 'provisional', remaining: seconds(9) } })).toBe(
      false,
    );
    expect(hasLapsed({ fallback: RULES }, { ...found, table: 'foreign' })).toBe(false);
    expect(hasLapsed({ fallback: null }, found)).toBe(false);
  });
});
