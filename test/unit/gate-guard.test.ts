import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SallyportError } from '../../src/core/errors.ts';
import { hours, minutes, seconds } from '../../src/core/time.ts';
import type { Culprit } from '../../src/gate/guard/repair-rounds.ts';
import {
  ANNA,
  BEN,
  foreignElement,
  type GateRig,
  gateRig,
  knockOf,
  LAPTOP,
  LAYOUT,
  PHONE,
  person,
  type RigOptions,
  RULES,
  stepsOf,
} from '../support/gate-rig.ts';
import { openRequest, SSH, target } from '../support/grants.ts';

const BROKEN = new SallyportError('SP_FIREWALL_FAILED', { problem: 'no memory' });
const MALLORY: Culprit = { pid: 4711, program: 'nft' };

let rig: GateRig;

async function started(options: RigOptions = {}, before: (rig: GateRig) => Promise<void> | void = () => undefined) {
  rig = gateRig(options);
  await before(rig);
  await rig.start();
  await rig.settle();
}

const knock = async () => {
  await rig.doorkeeper.knocks([knockOf(ANNA)]);
  await rig.settle();
};
const repair = async (culprit: Culprit | null = MALLORY) => {
  await rig.guard.repair(culprit);
  await rig.settle();
};
const quietly = async () => {
  await rig.guard.repairQuietly();
  await rig.settle();
};
const repairs = () => rig.details('drift.repaired');

afterEach(() => {
  rig.doorkeeper.stop();
  rig.guard.stop();
  vi.useRealTimers();
});

describe('a first start', () => {
  beforeEach(() => started({ isConfirmed: false }));

  it('puts the guard up for a while only, and says so', () => {
    expect([rig.guard.mode, rig.guard.isProvisional]).toEqual(['provisional', true]);
    expect(rig.firewall.arming).toEqual({ kind: 'provisional', remaining: minutes(5) });
    expect(rig.firewall.steps).toEqual(stepsOf(ANNA, BEN));
    expect(rig.guard.revertsAt).toBe(rig.clock.monotonic() + minutes(5));
    expect(rig.details('firewall.provisional')).toEqual(['for 5m']);
    expect(rig.loads()).toBe(1);
  });

  it('is there to stay once a knock has opened it', async () => {
    await rig.clock.advance(minutes(4));
    await knock();
    expect([rig.guard.mode, rig.guard.revertsAt, rig.firewall.arming]).toEqual([
      'guarding',
      undefined,
      { kind: 'permanent' },
    ]);
    expect([rig.details('firewall.confirmed'), rig.store.meta('confirmed')]).toEqual([
      ['a knock has opened it'],
      'yes',
    ]);
    await rig.clock.advance(hours(2));
    expect(rig.firewall.isGuarding).toBe(true);
    expect(rig.store.told).not.toContain('firewall.reverted');
  });

  it('is there to stay once an operator confirms it, and is confirmed once', async () => {
    await Promise.all([rig.guard.confirm(), rig.guard.confirm(), knock()]);
    await rig.guard.confirm();
    expect([rig.guard.mode, rig.store.meta('confirmed')]).toEqual(['guarding', 'yes']);
    expect(rig.details('firewall.confirmed')).toEqual(['confirmed by an operator']);
    expect(rig.firewall.calls.filter((call) => call === 'arm')).toHaveLength(1);
  });

  it('lapses in the kernel by itself, and everybody is told', async () => {
    await rig.clock.advance(minutes(5));
    expect(rig.firewall.isGuarding).toBe(false);
    await rig.clock.advance(seconds(1));
    expect([rig.guard.mode, rig.guard.revertsAt, rig.guard.isProvisional]).toEqual(['reverted', undefined, false]);
    expect(rig.details('firewall.reverted')).toEqual(['nobody confirmed it, and no knock opened it']);
    expect(rig.store.meta('confirmed')).toBe('no');
    expect(rig.log.messages('warn').at(-1)).toContain('everything is open');
  });

  it('that has lapsed is not put up again by a repair, nor confirmed by a knock or an operator', async () => {
    await rig.clock.advance(minutes(6));
    await repair();
    await quietly();
    await knock();
    expect([rig.guard.mode, rig.firewall.isGuarding, repairs()]).toEqual(['reverted', false, []]);
    await expect(rig.guard.confirm()).rejects.toMatchObject({ code: 'SP_FIREWALL_OPEN' });
    await expect(rig.guard.rollback()).rejects.toMatchObject({ code: 'SP_NOTHING_PROVISIONAL' });
  });

  it('is not confirmed where the kernel did not take it, and the next knock tries again', async () => {
    rig.firewall.onCall = (call) => {
      rig.firewall.fault = call === 'arm' ? BROKEN : undefined;
    };
    await knock();
    expect([rig.guard.mode, rig.store.meta('confirmed')]).toEqual(['provisional', undefined]);
    rig.firewall.onCall = undefined;
    rig.firewall.fault = undefined;
    await rig.clock.advance(seconds(2));
    await knock();
    expect([rig.guard.mode, rig.store.meta('confirmed')]).toEqual(['guarding', 'yes']);
  });

  it('is undone by a rollback', async () => {
    await rig.guard.rollback();
    await rig.settle();
    expect([rig.guard.mode, rig.firewall.table, rig.store.meta('confirmed')]).toEqual(['reverted', 'absent', 'no']);
    expect(rig.details('firewall.reverted')).toEqual(['rolled back by an operator']);
    await rig.clock.advance(minutes(10));
    expect(rig.details('firewall.reverted')).toHaveLength(1);
    // With no table there is nothing to write to; the grants are kept for when it is put up again.
    await knock();
    expect([rig.firewall.elements.size, rig.ledger.size]).toEqual([0, 1]);
  });

  it('is taken down at the end, and is not put up again on the way', async () => {
    await rig.guard.takeDown();
    await quietly();
    await repair();
    expect([rig.firewall.table, repairs()]).toEqual(['absent', []]);
  });
});

describe('a guard that was taken down', () => {
  it('is put up again for a minute, with all that is open', async () => {
    await started({ isConfirmed: false });
    await rig.guard.rollback();
    await knock();
    await rig.guard.apply({ rules: RULES });
    await rig.settle();
    expect([rig.guard.mode, rig.firewall.arming]).toEqual([
      'provisional',
      { kind: 'provisional', remaining: minutes(1) },
    ]);
    expect(rig.firewall.open).toEqual([`ssh ${LAPTOP}`]);
    await rig.clock.advance(minutes(2));
    expect([rig.guard.mode, rig.details('firewall.reverted').length]).toEqual(['reverted', 2]);
  });

  it('that was confirmed once has to be confirmed again', async () => {
    await started({ isConfirmed: true });
    rig.firewall.panic();
    await repair();
    await rig.guard.apply({ rules: RULES });
    await rig.clock.advance(minutes(2));
    expect([rig.guard.mode, rig.store.meta('confirmed')]).toEqual(['reverted', 'no']);
    await rig.guard.apply({ rules: RULES });
    await rig.guard.confirm();
    expect([rig.guard.mode, rig.store.meta('confirmed')]).toEqual(['guarding', 'yes']);
  });

  it('is not put up anew where it stands', async () => {
    await started();
    await rig.guard.apply({ rules: RULES });
    expect([rig.guard.mode, rig.loads()]).toEqual(['guarding', 1]);
  });
});

describe('a later start', () => {
  it('puts a confirmed guard up for good', async () => {
    await started();
    expect([rig.guard.mode, rig.firewall.arming, rig.guard.revertsAt]).toEqual([
      'guarding',
      { kind: 'permanent' },
      undefined,
    ]);
    expect(rig.store.told).toEqual([]);
  });

  it('finds its table, does not load it again, and corrects what differs', async () => {
    await started({}, async ({ firewall, guard, ledger, doorkeeper }) => {
      ledger.open(openRequest({ user: ANNA }));
      await firewall.load(
        {
          shape: { layout: LAYOUT, fallback: null },
          steps: stepsOf(person(7, 'gone')),
          elements: [foreignElement(PHONE, 9_000_000)],
          ranges: { entries: new Map(), grants: new Map() },
        },
        { kind: 'permanent' },
      );
      void [guard, doorkeeper];
    });
    expect(rig.loads()).toBe(0);
    expect([rig.firewall.open, rig.firewall.steps]).toEqual([[`ssh ${LAPTOP}`], stepsOf(ANNA, BEN)]);
    expect([rig.guard.mode, repairs()]).toEqual(['guarding', []]);
  });

  it('goes on with a provisional guard for the time that it has left', async () => {
    const empty = {
      shape: { layout: LAYOUT, fallback: null },
      steps: new Map(),
      elements: [],
      ranges: { entries: new Map(), grants: new Map() },
    };
    await started({ isConfirmed: false }, async ({ firewall, clock }) => {
      await firewall.load(empty, { kind: 'provisional', remaining: minutes(5) });
      await clock.advance(minutes(3));
    });
    expect([rig.guard.mode, rig.loads()]).toEqual(['provisional', 0]);
    expect(rig.details('firewall.provisional')).toEqual(['for 2m']);
    await rig.clock.advance(minutes(2));
    expect(rig.firewall.isGuarding).toBe(false);
    await rig.clock.advance(seconds(1));
    expect(rig.guard.mode).toBe('reverted');
  });

  it('arms a table whose rules are not consulted', async () => {
    const empty = {
      shape: { layout: LAYOUT, fallback: null },
      steps: new Map(),
      elements: [],
      ranges: { entries: new Map(), grants: new Map() },
    };
    await started({ isConfirmed: true }, async ({ firewall, clock }) => {
      await firewall.load(empty, { kind: 'provisional', remaining: seconds(1) });
      await clock.advance(seconds(2));
    });
    expect([rig.guard.mode, rig.firewall.arming, rig.loads()]).toEqual(['guarding', { kind: 'permanent' }, 0]);
  });

  it('loads anew over a table of another layout, and over none', async () => {
    await started({}, ({ firewall }) => {
      firewall.table = 'foreign';
    });
    expect([rig.guard.mode, rig.firewall.table, rig.loads()]).toEqual(['guarding', 'intact', 1]);
  });

  it('that cannot load fails, and says why', async () => {
    await expect(
      started({}, ({ firewall }) => {
        firewall.fault = BROKEN;
      }),
    ).rejects.toBe(BROKEN);
    expect(rig.guard.mode).toBe('failed');
  });

  it('goes on where older connections cannot be looked at', async () => {
    await started({ onLoaded: () => Promise.reject(new Error('no /proc')) });
    expect([rig.guard.mode, rig.log.messages('warn')]).toEqual([
      'guarding',
      ['older connections could not be looked at'],
    ]);
  });
});

describe('a guard that waits after quick starts of the machine', () => {
  beforeEach(() => started({ wait: minutes(4) }));

  it('is not up, and says for how long', async () => {
    expect([rig.guard.mode, rig.guard.guardsIn, rig.guard.revertsAt]).toEqual(['waiting', minutes(4), undefined]);
    expect(rig.firewall.table).toBe('absent');
    await rig.clock.advance(minutes(1));
    expect(rig.guard.detail).toBe(
      'everything is open for 3m more, since the machine was started 3 times within 10m; close at once: sallyport firewall apply',
    );
    expect(rig.details('firewall.waiting')).toEqual(['for 4m: since the machine was started 3 times within 10m']);
    expect(rig.log.messages('warn').at(-1)).toContain('EVERYTHING IS OPEN');
  });

  it('goes up by itself and for good when the time is over, with the grants that came meanwhile', async () => {
    await knock();
    expect([rig.firewall.elements.size, rig.ledger.size]).toEqual([0, 1]);
    await rig.clock.advance(minutes(5));
    expect([rig.guard.mode, rig.guard.guardsIn, rig.guard.detail]).toEqual(['guarding', undefined, null]);
    expect(rig.firewall.arming).toEqual({ kind: 'permanent' });
    expect([...rig.firewall.elements.values()]).toContainEqual(
      expect.objectContaining({ scope: 'ssh', target: LAPTOP }),
    );
    expect(rig.details('firewall.closed')).toHaveLength(1);
    expect(repairs()).toEqual([]);
  });

  it('stays down meanwhile, whatever is looked at, knocked or confirmed', async () => {
    await repair();
    await quietly();
    await expect(rig.guard.confirm()).rejects.toMatchObject({ code: 'SP_FIREWALL_OPEN' });
    await expect(rig.guard.rollback()).rejects.toMatchObject({ code: 'SP_NOTHING_PROVISIONAL' });
    expect([rig.guard.mode, rig.firewall.table]).toEqual(['waiting', 'absent']);
  });

  it('goes up at once where an operator wants it', async () => {
    await rig.guard.apply({ rules: RULES });
    await rig.guard.confirm();
    await rig.clock.advance(minutes(10));
    expect([rig.guard.mode, rig.loads(), rig.details('firewall.closed')]).toEqual(['guarding', 1, []]);
  });

  it('does not go up after the panic command', async () => {
    rig.firewall.panic();
    await repair();
    await rig.clock.advance(minutes(10));
    expect([rig.guard.mode, rig.guard.guardsIn, rig.firewall.table]).toEqual(['open', undefined, 'opened']);
  });

  it('is tried again where the kernel does not take it', async () => {
    rig.firewall.fault = BROKEN;
    await rig.clock.advance(minutes(4));
    await rig.clock.advance(seconds(1));
    expect(rig.guard.mode).toBe('failed');
    rig.firewall.fault = undefined;
    await rig.clock.advance(seconds(3));
    expect([rig.guard.mode, rig.firewall.isGuarding]).toEqual(['guarding', true]);
  });

  it('does not wait where the guard is found up', async () => {
    await started({ wait: minutes(4) }, async ({ guard, firewall }) => {
      await guard.apply({ rules: RULES });
      await guard.confirm();
      guard.stop();
      expect(firewall.table).toBe('intact');
    });
    expect([rig.guard.mode, rig.details('firewall.waiting')]).toEqual(['guarding', []]);
  });
});

describe('panic', () => {
  it('found at the start is left as it is, until somebody applies the guard again', async () => {
    await started({}, ({ firewall }) => firewall.panic());
    await knock();
    await repair();
    await quietly();
    await rig.clock.advance(hours(1));
    expect([rig.guard.mode, rig.firewall.table, rig.loads()]).toEqual(['open', 'opened', 0]);
    expect(rig.store.told.filter((one) => one.startsWith('firewall') || one.startsWith('drift'))).toEqual([]);
    await rig.guard.apply({ rules: RULES });
    expect(rig.firewall.isGuarding).toBe(true);
  });

  it('given while it runs is respected, not repaired, and told once with the program that did it', async () => {
    await started();
    rig.firewall.panic();
    await repair();
    await repair();
    await quietly();
    expect([rig.guard.mode, rig.firewall.table]).toEqual(['open', 'opened']);
    expect([rig.details('firewall.opened'), repairs()]).toEqual([['by the panic command (nft (process 4711))'], []]);
    await expect(rig.guard.confirm()).rejects.toMatchObject({ code: 'SP_FIREWALL_OPEN' });
  });

  it('ends a provisional time: nothing lapses later', async () => {
    await started({ isConfirmed: false });
    rig.firewall.panic();
    await repair();
    await rig.clock.advance(minutes(10));
    expect([rig.guard.mode, rig.details('firewall.reverted')]).toEqual(['open', []]);
  });
});

describe('the automaton in the kernel', () => {
  it('follows the users, by no more than what changed', async () => {
    await started();
    const before = rig.firewall.calls.length;
    await rig.guard.changeSteps(rig.people.take({ ...ANNA, maxAddresses: 2 }));
    expect(rig.firewall.calls.slice(before)).toEqual([]);
    const carl = person(3, 'carl');
    await rig.guard.changeSteps(rig.people.take(carl));
    await rig.guard.changeSteps(rig.people.remove(BEN));
    expect(rig.firewall.calls.slice(before)).toEqual(['changeSteps', 'changeSteps']);
    expect(rig.firewall.steps).toEqual(stepsOf(ANNA, carl));
  });

  it('is left alone while there is no table of ours', async () => {
    await started({}, ({ firewall }) => firewall.panic());
    await rig.guard.changeSteps(rig.people.remove(BEN));
    expect(rig.firewall.calls).toEqual([]);
    await rig.guard.apply({ rules: RULES });
    expect(rig.firewall.steps).toEqual(stepsOf(ANNA));
  });

  it('misses no change that is made while the guard is going up', async () => {
    rig = gateRig({});
    const carl = person(3, 'carl');
    rig.firewall.onCall = (call) => {
      if (call === 'load') void rig.guard.changeSteps(rig.people.take(carl));
    };
    await rig.start();
    await rig.settle();
    expect(rig.firewall.steps).toEqual(stepsOf(ANNA, BEN, carl));
  });

  it('is loaded as of one moment, however long loading takes: what changes meanwhile is written after it', async () => {
    rig = gateRig({});
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    rig.firewall.onCall = async (call) => {
      if (call === 'load') await held;
    };
    const starting = rig.start();
    await rig.settle();
    const changes = [
      rig.guard.changeSteps(rig.people.remove(ANNA)),
      rig.guard.changeSteps(rig.people.take(person(3, 'carl'))),
    ];
    release();
    await Promise.all([starting, ...changes]);
    expect(rig.firewall.calls.filter((call) => call !== 'change')).toEqual(['load', 'changeSteps', 'changeSteps']);
    expect(rig.firewall.steps).toEqual(stepsOf(BEN, person(3, 'carl')));
  });

  it('writes the interval sets once for all who ask while they are being written, with what each asked for', async () => {
    await started({});
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    rig.firewall.onCall = async (call) => {
      if (call === 'setRanges') await held;
    };
    rig.firewall.calls.length = 0;
    const add = (n: number) => {
      const about = { services: SSH, note: null, source: 'operator', createdAt: rig.clock.now() } as const;
      rig.entries.push({ id: `E${n}`, target: target(`203.0.${n}.1`), ...about });
      return rig.guard.setRanges();
    };
    const first = add(1);
    await rig.settle();
    const others = Array.from({ length: 100 }, (_, n) => add(2 + n));
    release();
    await Promise.all([first, ...others]);
    expect(rig.firewall.calls).toEqual(['setRanges', 'setRanges']);
    expect([...rig.firewall.ranges.entries.values()].flat()).toHaveLength(101);
  });

  it('follows the users again after a load that failed', async () => {
    await started({}, ({ firewall }) => firewall.panic());
    rig.firewall.fault = new Error('no memory');
    await expect(rig.guard.apply({ rules: RULES })).rejects.toThrow('no memory');
    await rig.guard.changeSteps(rig.people.remove(BEN));
    rig.firewall.fault = undefined;
    await rig.guard.apply({ rules: RULES });
    expect(rig.firewall.steps).toEqual(stepsOf(ANNA));
  });
});

describe('without a packet filter', () => {
  beforeEach(() =>
    started({ isConfirmed: false }, ({ firewall }) => {
      firewall.table = 'none';
    }),
  );

  it('says that nothing is closed, in the status, the log and the journal', () => {
    expect([rig.guard.mode, rig.guard.isProvisional, rig.guard.revertsAt]).toEqual(['none', false, undefined]);
    expect(rig.guard.detail).toBe('nothing is closed: firewall.driver is none');
    expect(rig.details('firewall.opened')).toEqual(['nothing is closed: firewall.driver is none']);
    expect(rig.log.messages('warn')).toEqual([expect.stringContaining('NOTHING IS CLOSED')]);
  });

  it('tells the sequences to whoever recognises them, and grants as ever', async () => {
    expect(rig.firewall.steps).toEqual(stepsOf(ANNA, BEN));
    await rig.guard.changeSteps(rig.people.remove(BEN));
    expect(rig.firewall.steps).toEqual(stepsOf(ANNA));
    await knock();
    expect([...rig.ledger.all()].map(({ target }) => target)).toEqual([LAPTOP]);
    expect(rig.store.told).not.toContain('firewall.confirmed');
  });

  it.each(['apply', 'confirm', 'rollback'] as const)('refuses %s in clear words', async (act) => {
    const asked = act === 'apply' ? rig.guard.apply({ rules: RULES }) : rig.guard[act]();
    await expect(asked).rejects.toMatchObject({
      code: 'SP_FIREWALL_NONE',
      message: expect.stringContaining('nothing is closed here'),
    });
    expect(rig.guard.mode).toBe('none');
  });

  it('has nothing to repair', async () => {
    await repair();
    expect([repairs(), rig.guard.mode]).toEqual([[], 'none']);
  });
});
