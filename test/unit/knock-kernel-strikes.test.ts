import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { parseAddress, parseTarget, type Target } from '../../src/core/address.ts';
import { finalState, START } from '../../src/core/knock/automaton.ts';
import type { IgnoredSource } from '../../src/core/knock/strikes.ts';
import { toPort } from '../../src/core/ports.ts';
import { type Duration, minutes, seconds } from '../../src/core/time.ts';
import { KernelStrikes } from '../../src/knock/kernel-strikes.ts';
import type { LoggedPacket } from '../../src/netlink/nflog.ts';
import { stopTime } from '../support/fake-clock.ts';

const IGNORE_FOR = minutes(10);
const EVE = '203.0.113.66';
const V6 = '2001:db8:1:2::/64';

const rang = (source: string, mark: number = START): LoggedPacket => ({
  family: source.includes(':') ? 6 : 4,
  source: parseAddress(source),
  protocol: 'udp',
  destinationPort: toPort(28111),
  payload: new Uint8Array(),
  mark,
});
const ignored = (target: string, remaining: Duration = IGNORE_FOR): IgnoredSource => ({
  target: parseTarget(target),
  remaining,
});

describe('strikes in the kernel', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  function rig({ before = [] as IgnoredSource[], inKernel = [] as IgnoredSource[] } = {}) {
    const clock = stopTime();
    const kernel = { set: inKernel, reads: 0, fault: undefined as Error | undefined };
    const told: Target[] = [];
    const forgiven: (readonly Target[])[] = [];
    const problems: unknown[] = [];
    const strikes = new KernelStrikes({
      clock,
      ignoreFor: IGNORE_FOR,
      read: async () => {
        kernel.reads++;
        await setImmediate();
        if (kernel.fault !== undefined) throw kernel.fault;
        return kernel.set;
      },
      forgive: async (sources) => void forgiven.push(sources),
      toldBefore: async () => before,
      onProblem: (error) => problems.push(error),
    });
    const start = () => strikes.start((sources) => told.push(...sources));
    return { clock, kernel, told, forgiven, problems, strikes, start };
  }

  it('tells of a source that rings with the mark of the start, an IPv6 one as its /64, and of no completed knock', async () => {
    const { strikes, told, start } = rig();
    await start();
    strikes.ring([rang(EVE), rang('2001:db8:1:2:3::4'), rang('203.0.113.1', finalState(7))]);
    expect(told).toEqual([EVE, V6]);
  });

  it('tells at the start of those in the set, but not of those that an earlier run told of', async () => {
    const { told, start } = rig({
      before: [ignored(EVE, seconds(100))],
      inKernel: [ignored(EVE, seconds(99)), ignored(V6, seconds(50))],
    });
    await start();
    expect(told).toEqual([V6]);
  });

  it('tells of a source anew that was forgotten and struck again while the daemon was down', async () => {
    const { told, start } = rig({ before: [ignored(EVE, seconds(10))], inKernel: [ignored(EVE, minutes(9))] });
    await start();
    expect(told).toEqual([EVE]);
  });

  it('tells of one ignoring once, however often it rings and is read, and of the next one again', async () => {
    const { strikes, told, kernel, clock, start } = rig();
    await start();
    strikes.ring([rang(EVE), rang(EVE)]);
    await clock.advance(seconds(2));
    strikes.ring([rang(EVE)]);
    kernel.set = [ignored(EVE, seconds(598))];
    await strikes.collect();
    await clock.advance(minutes(9));
    kernel.set = [ignored(EVE, seconds(58))];
    await strikes.collect();
    expect(told).toEqual([EVE]);
    kernel.set = [];
    await clock.advance(seconds(58));
    strikes.ring([rang(EVE)]);
    expect(told).toEqual([EVE, EVE]);
  });

  it('looks a minute after a ring for those whose ring the kernel left out', async () => {
    const { strikes, told, kernel, clock, start } = rig();
    await start();
    strikes.ring([rang(EVE)]);
    kernel.set = [ignored(EVE, minutes(9)), ignored('203.0.113.67', minutes(9))];
    await clock.advance(seconds(59));
    expect(told).toEqual([EVE]);
    await clock.advance(seconds(1));
    await vi.waitFor(() => expect(told).toEqual([EVE, '203.0.113.67']));
  });

  it('a source that was forgiven and struck again is told of again', async () => {
    const { strikes, told, start } = rig();
    await start();
    strikes.ring([rang(EVE)]);
    await strikes.forgive([parseTarget(EVE)]);
    strikes.ring([rang(EVE)]);
    expect(told).toEqual([EVE, EVE]);
  });

  it.each([
    ['an address', EVE, [EVE]],
    ['an IPv6 address, as its /64', '2001:db8:1:2:3::4', [V6]],
    ['a network smaller than a /64, as that', '2001:db8:1:2::/80', [V6]],
    ['an IPv6 /64', V6, [V6]],
    ['an IPv4 network, as those in it that are ignored', '203.0.113.0/24', [EVE]],
    ['an IPv6 network, as those in it that are ignored', '2001:db8::/32', [V6]],
    ['everybody', '0.0.0.0/0', [EVE, '198.51.100.1']],
  ])('forgives %s', async (_, target, expected) => {
    const { strikes, forgiven, start } = rig({ inKernel: [EVE, V6, '198.51.100.1'].map((one) => ignored(one)) });
    await start();
    await strikes.forgive([parseTarget(target)]);
    expect(forgiven).toEqual([expected]);
  });

  it('shares a reading among those who ask while it goes on', async () => {
    const { strikes, kernel, start } = rig({ inKernel: [ignored(EVE)] });
    await start();
    const before = kernel.reads;
    expect(await Promise.all([strikes.ignored(), strikes.ignored()])).toEqual([[ignored(EVE)], [ignored(EVE)]]);
    expect(kernel.reads - before).toBe(1);
  });

  it('says once that the set cannot be read, and goes on', async () => {
    const { strikes, kernel, problems, told, start } = rig();
    kernel.fault = new Error('no');
    await start();
    await strikes.collect();
    expect(problems).toHaveLength(1);
    kernel.fault = undefined;
    kernel.set = [ignored(EVE)];
    await strikes.collect();
    expect(told).toEqual([EVE]);
  });

  it('tells of nobody after it was stopped', async () => {
    const { strikes, told, kernel, start } = rig();
    await start();
    strikes.stop();
    strikes.ring([rang(EVE)]);
    kernel.set = [ignored(EVE)];
    await strikes.collect();
    expect(told).toEqual([]);
  });
});
