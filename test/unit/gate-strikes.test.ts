import { afterEach, describe, expect, it, vi } from 'vitest';
import { parseTarget, type Target } from '../../src/core/address.ts';
import type { IgnoredSource } from '../../src/core/knock/strikes.ts';
import { type Duration, hours, minutes, seconds } from '../../src/core/time.ts';
import { Strikes } from '../../src/gate/strikes.ts';
import { viewStrikes } from '../../src/gate/views.ts';
import { EIGHT } from '../support/fake-clock.ts';
import { gateRig, LAPTOP } from '../support/gate-rig.ts';
import { SSH } from '../support/grants.ts';

const LIMIT = { wrong: 20, per: minutes(1), ignoreFor: minutes(10) };
const EVE = parseTarget('203.0.113.66');
const NETWORK = parseTarget('2001:db8:1:2::/64');

describe('strikes', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  function rig({ limit = LIMIT as typeof LIMIT | null, fault = undefined as Error | undefined } = {}) {
    const gate = gateRig();
    const ignored: IgnoredSource[] = [];
    const forgiven: Target[] = [];
    const strikes = new Strikes({
      limit,
      source: {
        ignored: async () => {
          if (fault !== undefined) throw fault;
          return ignored;
        },
        forgive: async (targets) => {
          if (fault !== undefined) throw fault;
          forgiven.push(...targets);
        },
      },
      ...gate,
    });
    const ignore = (target: string, remaining: Duration = minutes(5)) =>
      ignored.push({ target: parseTarget(target), remaining });
    return { ...gate, strikes, ignore, forgiven };
  }

  const many = (n: number) => Array.from({ length: n }, (_, i) => parseTarget(`10.0.${i >> 8}.${i & 255}`));

  it('are recorded and logged, each once, with what was done and for how long', async () => {
    const { strikes, store, log, settle } = rig();
    strikes.struck([EVE, NETWORK]);
    await settle();
    const detail = '20 wrong packets within 1m; its knocks are ignored for 10m';
    const event = { at: EIGHT, event: 'strike.ignored', method: 'knock', detail };
    expect(store.events).toEqual([
      { ...event, address: EVE },
      { ...event, address: NETWORK },
    ]);
    expect(log.messages('warn')).toEqual([`strike.ignored: ${detail}`, `strike.ignored: ${detail}`]);
  });

  it('of a flood fill neither the journal nor the log: what is left out is counted in one line', async () => {
    const { strikes, store, log, clock } = rig();
    strikes.struck(many(5000));
    await clock.advance(seconds(10));
    expect(store.events).toHaveLength(100);
    expect(log.lines).toHaveLength(101);
    expect(log.lines.at(-1)).toMatchObject({
      fields: { sources: 4900 },
      message: 'more sources are ignored than the journal takes',
    });
    // 100 more have become free by then, and no more.
    strikes.struck(many(150));
    expect(log.lines).toHaveLength(201);
    strikes.stop();
    expect(log.lines.at(-1)).toMatchObject({ fields: { sources: 50 } });
    expect(log.lines).toHaveLength(202);
  });

  it('in the long run are recorded ten a second at most', async () => {
    const { strikes, store, clock } = rig();
    strikes.struck(many(100));
    for (let second = 0; second < 30; second++) {
      await clock.advance(seconds(1));
      strikes.struck(many(50));
    }
    await clock.advance(seconds(10));
    expect(store.events).toHaveLength(100 + 30 * 10);
  });

  it('that were recorded and are not over are known after a restart, with what is left of their time', async () => {
    const { strikes, clock, recorder } = rig();
    strikes.struck([EVE]);
    await clock.advance(minutes(8));
    strikes.struck([NETWORK]);
    await recorder.tell({ at: clock.now(), event: 'attempt.refused', address: EVE });
    await clock.advance(minutes(1));
    expect(await strikes.recorded()).toEqual([
      { target: EVE, remaining: minutes(1) },
      { target: NETWORK, remaining: minutes(9) },
    ]);
    await clock.advance(minutes(5));
    expect(await strikes.recorded()).toEqual([{ target: NETWORK, remaining: minutes(4) }]);
  });

  it('overlap with a target that they lie in, or in whose network it lies', async () => {
    const { strikes, ignore } = rig();
    for (const one of [EVE, '203.0.114.1', NETWORK]) ignore(one);
    const within = async (target: string) => (await strikes.ignoredIn(parseTarget(target))).map((one) => one.target);
    expect(await within('203.0.113.66')).toEqual([EVE]);
    expect(await within('203.0.113.67')).toEqual([]);
    expect(await within('203.0.113.0/24')).toEqual([EVE]);
    expect(await within('2001:db8:1:2::9')).toEqual([NETWORK]);
    expect(await within('2001:db8:1:3::9')).toEqual([]);
    expect(await within('::/0')).toEqual([NETWORK]);
  });

  it('are cleared by what is opened without a knock, and not by a knock', async () => {
    const { doorkeeper, cleared, start } = rig();
    await start();
    const request = { user: null, services: SSH, ttl: hours(1), note: null };
    await doorkeeper.open({ ...request, target: EVE, method: 'cli' });
    await doorkeeper.open({ ...request, target: LAPTOP, method: 'phone' });
    expect(cleared).toEqual([EVE, LAPTOP]);
  });

  it('that cannot be cleared or read hold up nothing, and it is logged', async () => {
    const { strikes, log } = rig({ fault: new Error('the kernel says no') });
    await strikes.clear(EVE);
    expect(await strikes.ignoredIn(EVE)).toEqual([]);
    expect(log.messages('warn')).toEqual(['the strikes could not be cleared', 'the ignored sources cannot be read']);
  });

  it('that are switched off tell, ignore and clear nothing', async () => {
    const { strikes, store, forgiven, ignore, settle } = rig({ limit: null });
    ignore(EVE);
    strikes.struck([EVE]);
    await strikes.clear(EVE);
    await settle();
    expect([store.events, forgiven, await strikes.ignored(), await strikes.recorded()]).toEqual([[], [], [], []]);
  });

  it('are shown with the limit, all counted and the latest fifty named', () => {
    const { clock } = rig();
    const ignored = many(60).map((target, i) => ({ target, remaining: seconds(i + 1) }));
    const view = viewStrikes(LIMIT, ignored, clock);
    expect(view).toMatchObject({ limit: 20, per_s: 60, ignore_s: 600, ignored_count: 60 });
    expect(view?.ignored).toHaveLength(50);
    expect(view?.ignored[0]).toEqual({ address: '10.0.0.59', until: '2026-03-01T08:01:00.000Z', remaining_s: 60 });
    expect(viewStrikes(LIMIT, null, clock)).toMatchObject({ ignored_count: null, ignored: [] });
    expect(viewStrikes(null, [], clock)).toBeNull();
  });
});
