import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseAddress, parseTarget, rangeOf } from '../../src/core/address.ts';
import { SallyportError } from '../../src/core/errors.ts';
import type { RangeContents } from '../../src/core/firewall.ts';
import type { State, StepKey } from '../../src/core/knock/automaton.ts';
import { type Monotonic, minutes, seconds } from '../../src/core/time.ts';
import type { Culprit } from '../../src/gate/guard/repair-rounds.ts';
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
import { SSH } from '../support/grants.ts';

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
    expect(rig.firewall.inside[0]?.until).toBe(rig.clock.monotonic() + minutes(40));
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
      await rig.guard.setRanges();
      await quietly();
      expect(repairs()).toEqual([]);
      for (const look of [() => repair(), quietly]) {
        rig.firewall.ranges = deeds[name] ?? rig.firewall.ranges;
        await look();
        expect(rig.firewall.ranges).toEqual(rig.desired.ranges());
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
      if (call !== 'showElements') return;
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
      if (call === 'showElements') void rig.doorkeeper.knocks([knockOf(BEN, PHONE)]);
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
    await expect(rig.guard.setRanges()).rejects.toBe(BROKEN);
    await expect(rig.guard.changeSteps(rig.people.remove(BEN))).rejects.toBe(BROKEN);
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

describe('a repair of the automaton', () => {
  beforeEach(() => started());

  it('leaves out no step that changes while it looks, and undoes none', async () => {
    const carl = person(3, 'carl');
    const key = 99 as StepKey;
    rig.firewall.steps.set(key, 8 as State);
    const changes: Promise<void>[] = [];
    rig.firewall.onCall = (call) => {
      if (call !== 'readSteps' || changes.length > 0) return;
      changes.push(rig.guard.changeSteps(rig.people.remove(BEN)), rig.guard.changeSteps(rig.people.take(carl)));
    };
    await repair();
    await Promise.all(changes);
    expect(changes).toHaveLength(2);
    expect([rig.guard.mode, rig.firewall.steps]).toEqual(['guarding', stepsOf(ANNA, carl)]);
    expect(repairs()).toEqual(['the sequences were changed by nft (process 4711); put right']);
  });

  it('sees no drift in what we change ourselves while it looks', async () => {
    rig.firewall.onCall = (call) => {
      if (call !== 'readSteps') return;
      const now = rig.people.find('carl');
      const change = now === undefined ? rig.people.take(person(3, 'carl')) : rig.people.remove(now);
      void rig.guard.changeSteps(change);
    };
    for (let i = 0; i < 3; i++) await quietly();
    rig.firewall.onCall = undefined;
    await rig.settle();
    expect([repairs(), rig.guard.mode]).toEqual([[], 'guarding']);
    expect(rig.firewall.steps).toEqual(new Map(rig.people.steps()));
  });
});
