import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseAddress, parseTarget, rangeOf } from '../../src/core/address.ts';
import { SallyportError } from '../../src/core/errors.ts';
import type { RangeContents } from '../../src/core/firewall.ts';
import type { State, StepKey } from '../../src/core/knock/automaton.ts';
import { hours, type Monotonic, minutes, seconds } from '../../src/core/time.ts';
import type { Culprit } from '../../src/gate/guard.ts';
import { service } from '../support/core-arbitraries.ts';
import { EIGHT } from '../support/fake-clock.ts';
import {
  ANNA,
  BEN,
  foreignElement,
  type GateRig,
  gateRig,
  knockOf,
  LAPTOP,
  PHONE,
  person,
  type RigOptions,
  stepsOf,
} from '../support/gate-rig.ts';
import { openRequest, SSH } from '../support/grants.ts';

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
    await rig.guard.apply();
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
    await rig.guard.apply();
    await rig.clock.advance(minutes(2));
    expect([rig.guard.mode, rig.store.meta('confirmed')]).toEqual(['reverted', 'no']);
    await rig.guard.apply();
    await rig.guard.confirm();
    expect([rig.guard.mode, rig.store.meta('confirmed')]).toEqual(['guarding', 'yes']);
  });

  it('is not put up anew where it stands', async () => {
    await started();
    await rig.guard.apply();
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
    const empty = { steps: new Map(), elements: [], ranges: { entries: new Map(), grants: new Map() } };
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
    const empty = { steps: new Map(), elements: [], ranges: { entries: new Map(), grants: new Map() } };
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

describe('panic', () => {
  it('found at the start is left as it is, until somebody applies the guard again', async () => {
    await started({}, ({ firewall }) => firewall.panic());
    await knock();
    await repair();
    await quietly();
    await rig.clock.advance(hours(1));
    expect([rig.guard.mode, rig.firewall.table, rig.loads()]).toEqual(['open', 'opened', 0]);
    expect(rig.store.told.filter((one) => one.startsWith('firewall') || one.startsWith('drift'))).toEqual([]);
    await rig.guard.apply();
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

describe('what somebody else changes is put right, and the journal names the program', () => {
  beforeEach(async () => {
    await started();
    await knock();
  });

  const deeds: Record<string, [change: () => void, told: string]> = {
    'the table deleted': [
      () => rig.firewall.flush(),
      'the table was deleted by nft (process 4711); all is back as it was',
    ],
    'a rule changed': [
      () => {
        rig.firewall.table = 'foreign';
        rig.firewall.elements.clear();
      },
      'the rules were changed by nft (process 4711); all is back as it was',
    ],
    'a grant deleted': [
      () => rig.firewall.elements.delete(`ssh ${LAPTOP}`),
      `deleted: ${LAPTOP} by nft (process 4711); put right`,
    ],
    'a grant lengthened': [
      () => {
        const element = rig.firewall.elements.get(`ssh ${LAPTOP}`);
        if (element) rig.firewall.elements.set(`ssh ${LAPTOP}`, { ...element, until: 9e9 as typeof element.until });
      },
      `given another time: ${LAPTOP} by nft (process 4711); put right`,
    ],
    'a grant made everlasting': [
      () => {
        const element = rig.firewall.elements.get(`ssh ${LAPTOP}`);
        if (element) rig.firewall.elements.set(`ssh ${LAPTOP}`, { ...element, forever: true });
      },
      `given another time: ${LAPTOP} by nft (process 4711); put right`,
    ],
    'somebody let in': [
      () => rig.firewall.elements.set(`ssh ${PHONE}`, foreignElement(PHONE, 9e9)),
      `let in past us: ${PHONE} by nft (process 4711); put right`,
    ],
    'a held address let go': [
      () => rig.firewall.elements.delete(`held ${LAPTOP}`),
      `changed among the held: ${LAPTOP} by nft (process 4711); put right`,
    ],
    'a step changed': [
      () => {
        const [key] = rig.firewall.steps.keys();
        rig.firewall.steps.set(key as StepKey, 0 as State);
        rig.firewall.steps.set(99 as StepKey, 8 as State);
      },
      'the sequences were changed by nft (process 4711); put right',
    ],
    'the guard switched off': [
      () => rig.firewall.switchOff(),
      'the guard was switched off by nft (process 4711); put right',
    ],
    'nothing that can be told': [
      () => undefined,
      'something in our table was changed by nft (process 4711); put right',
    ],
  };

  it.each(Object.keys(deeds))('%s', async (name) => {
    await rig.clock.advance(minutes(20));
    const before = { elements: new Map(rig.firewall.elements), steps: new Map(rig.firewall.steps) };
    const [change, told] = deeds[name] ?? [];
    change?.();
    await repair();
    expect(repairs()).toEqual([told]);
    expect(rig.firewall.open).toEqual([`ssh ${LAPTOP}`]);
    expect((await rig.firewall.readElements())[0]?.remaining).toBe(minutes(40));
    expect([rig.firewall.elements, rig.firewall.steps]).toEqual([before.elements, before.steps]);
    expect([rig.guard.mode, rig.firewall.table, rig.firewall.arming]).toEqual([
      'guarding',
      'intact',
      { kind: 'permanent' },
    ]);
    await quietly();
    expect(repairs()).toHaveLength(1);
  });

  it.each(Object.keys(deeds).filter((name) => name !== 'nothing that can be told'))(
    '%s, where the kernel cannot tell of changes and we look ourselves',
    async (name) => {
      deeds[name]?.[0]();
      await quietly();
      expect(repairs()).toEqual([deeds[name]?.[1].replace('nft (process 4711)', 'an unknown program')]);
      await quietly();
      expect(repairs()).toHaveLength(1);
    },
  );

  describe('in the interval sets', () => {
    const office = parseTarget('192.0.2.0/24');
    const range = rangeOf(office);
    const entries = new Map([[service('ssh'), [range]]]);
    const grants = new Map([[service('web'), [{ ...range, until: 9e9 as Monotonic }]]]);
    const deeds: Record<string, RangeContents> = {
      'an entry deleted': { entries: new Map(), grants: new Map() },
      'an entry added': { entries: new Map([...entries, [service('web'), [range]]]), grants: new Map() },
      'a network let in': { entries, grants },
    };

    it.each(Object.keys(deeds))('%s', async (name) => {
      const entry = {
        id: 'E1',
        target: office,
        services: SSH,
        note: null,
        source: 'operator',
        createdAt: EIGHT,
      } as const;
      rig.entries.push(entry);
      await rig.guard.setRanges(rig.doorkeeper.ranges());
      await quietly();
      expect(repairs()).toEqual([]);
      for (const look of [() => repair(), quietly]) {
        rig.firewall.ranges = deeds[name] ?? rig.firewall.ranges;
        await look();
        expect(rig.firewall.ranges).toEqual(rig.doorkeeper.ranges());
      }
      expect(repairs()).toEqual([
        'something in our table was changed by nft (process 4711); put right',
        'the ranges were changed by an unknown program; put right',
      ]);
    });
  });

  it('in a provisional guard for the time that it has left', async () => {
    await started({ isConfirmed: false });
    await rig.clock.advance(minutes(2));
    rig.firewall.flush();
    await repair();
    expect([rig.guard.mode, rig.firewall.arming]).toEqual([
      'provisional',
      { kind: 'provisional', remaining: minutes(3) },
    ]);
    await rig.clock.advance(seconds(181));
    expect([rig.guard.mode, rig.firewall.isGuarding]).toEqual(['reverted', false]);
  });

  it('in one round for all that is heard while it is under way, with the names of all', async () => {
    rig.firewall.flush();
    const all = [MALLORY, { pid: 5, program: 'ufw' }, { pid: null, program: null }, { pid: 5, program: 'ufw' }];
    await Promise.all(all.map((one) => rig.guard.repair(one)));
    await rig.settle();
    expect(rig.loads()).toBe(2);
    expect(repairs()).toEqual([
      'the table was deleted by nft (process 4711); all is back as it was',
      'something in our table was changed by ufw (process 5) and an unknown program; put right',
    ]);
  });
});

describe('looking for drift', () => {
  beforeEach(() => started());

  it('says nothing where nothing is wrong, however often', async () => {
    await knock();
    for (let i = 0; i < 100; i++) {
      await quietly();
      await rig.clock.advance(minutes(1));
    }
    await repair(null);
    expect([repairs(), rig.log.messages('warn')]).toEqual([[], []]);
  });

  it('passes over what is open in services that are not guarded', async () => {
    await started({ users: [person(1, 'anna', { services: [service('db'), service('ssh')] })] });
    await knock();
    await quietly();
    await repair(null);
    expect([rig.firewall.open, repairs()]).toEqual([[`ssh ${LAPTOP}`], []]);
  });

  it('does not take for drift what is opened, renewed or closed while it looks', async () => {
    let n = 0;
    rig.firewall.onCall = (call) => {
      if (call !== 'readElements' && call !== 'readHeld') return;
      // The ledger knows of it, the kernel that is being read does not yet: each time that we look.
      n++;
      void rig.doorkeeper.knocks([knockOf(ANNA, parseAddress(`192.0.2.${n}`)), knockOf(BEN, PHONE)]);
      const [oldest] = rig.ledger.all();
      if (n % 2 === 0 && oldest !== undefined) void rig.doorkeeper.end([oldest], 'revoked');
    };
    for (let i = 0; i < 20; i++) {
      await quietly();
      await repair(null);
      await rig.clock.advance(seconds(2));
    }
    rig.firewall.onCall = undefined;
    expect(n).toBeGreaterThan(80);
    expect(repairs()).toEqual([]);
    await rig.settle();
    expect(rig.firewall.open).toHaveLength(rig.ledger.size);
  });

  it('leaves what was opened while it repaired something else', async () => {
    await knock();
    rig.firewall.elements.delete(`ssh ${LAPTOP}`);
    rig.firewall.onCall = (call) => {
      if (call === 'readElements') void rig.doorkeeper.knocks([knockOf(BEN, PHONE)]);
    };
    await repair();
    rig.firewall.onCall = undefined;
    await rig.settle();
    expect(rig.firewall.open).toEqual([`ssh ${LAPTOP}`, `ssh ${PHONE}`]);
    expect(repairs()).toEqual([`deleted: ${LAPTOP} by nft (process 4711); put right`]);
  });
});

describe('where the packet filter fails', () => {
  beforeEach(async () => {
    await started();
    await knock();
  });

  it('it says so, tries again every second, and is well when that works', async () => {
    rig.firewall.flush();
    rig.firewall.fault = BROKEN;
    await repair();
    expect([rig.guard.mode, rig.guard.detail]).toEqual(['failed', 'the kernel refused the rules: no memory']);
    await rig.clock.advance(seconds(10));
    expect(rig.firewall.table).toBe('absent');
    rig.firewall.fault = undefined;
    await rig.clock.advance(seconds(1));
    expect([rig.guard.mode, rig.guard.detail, rig.firewall.open]).toEqual(['guarding', null, [`ssh ${LAPTOP}`]]);
    expect(repairs()).toHaveLength(1);
  });

  it('it does not try ever more often, however many report of it', async () => {
    rig.firewall.flush();
    rig.firewall.fault = BROKEN;
    for (let i = 0; i < 50; i++) {
      await quietly();
      await rig.clock.advance(seconds(1));
    }
    let looks = 0;
    rig.firewall.onCall = (call) => {
      if (call === 'inspect') looks++;
    };
    await rig.clock.advance(seconds(10));
    expect(looks).toBeGreaterThanOrEqual(9);
    expect(looks).toBeLessThanOrEqual(11);
  });

  it('a change of ours that it did not take is made good within seconds', async () => {
    rig.firewall.fault = BROKEN;
    await expect(rig.guard.setRanges({ entries: new Map(), grants: new Map() })).rejects.toBe(BROKEN);
    rig.people.remove(BEN);
    await expect(rig.guard.syncSteps()).rejects.toBe(BROKEN);
    expect(rig.guard.mode).toBe('failed');
    rig.firewall.fault = undefined;
    await rig.clock.advance(seconds(2));
    expect([rig.guard.mode, rig.firewall.steps]).toEqual(['guarding', stepsOf(ANNA)]);
  });

  it('a provisional guard stays provisional, and lapses in its time', async () => {
    await started({ isConfirmed: false });
    rig.firewall.fault = BROKEN;
    await knock();
    expect([rig.guard.mode, rig.guard.detail]).toEqual(['provisional', 'the kernel refused the rules: no memory']);
    await rig.clock.advance(minutes(6));
    expect([rig.guard.mode, rig.guard.detail]).toEqual(['reverted', null]);
  });

  it('it tries no more once it is stopped', async () => {
    rig.firewall.flush();
    rig.firewall.fault = BROKEN;
    await repair();
    rig.guard.stop();
    rig.firewall.fault = undefined;
    await rig.clock.advance(seconds(60));
    expect(rig.firewall.table).toBe('absent');
  });
});

describe('the automaton in the kernel', () => {
  it('follows the users, by no more than what changed', async () => {
    await started();
    const before = rig.firewall.calls.length;
    await rig.guard.syncSteps();
    expect(rig.firewall.calls.slice(before)).toEqual([]);
    const carl = person(3, 'carl');
    rig.people.take(carl);
    rig.people.remove(BEN);
    await rig.guard.syncSteps();
    expect(rig.firewall.calls.slice(before)).toEqual(['changeSteps']);
    expect(rig.firewall.steps).toEqual(stepsOf(ANNA, carl));
  });

  it('is left alone while there is no table of ours', async () => {
    await started({}, ({ firewall }) => firewall.panic());
    rig.people.remove(BEN);
    await rig.guard.syncSteps();
    expect(rig.firewall.calls).toEqual([]);
    await rig.guard.apply();
    expect(rig.firewall.steps).toEqual(stepsOf(ANNA));
  });
});
