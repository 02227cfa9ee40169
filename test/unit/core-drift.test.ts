import { describe, expect, it } from 'vitest';
import { parseTarget, rangeOf } from '../../src/core/address.ts';
import type { KernelRange, RangeContents, SetScope } from '../../src/core/firewall.ts';
import { rangesDiffer } from '../../src/core/grants/drift.ts';
import { type Monotonic, millis, minutes } from '../../src/core/time.ts';
import { service } from '../support/core-arbitraries.ts';
import { FakeClock } from '../support/fake-clock.ts';

const SSH = service('ssh');
const SCOPES = new Set<SetScope>([SSH, 'held']);
const OFFICE = rangeOf(parseTarget('198.51.100.0/24'));
const HOME = rangeOf(parseTarget('2001:db8:7::/48'));

describe('the interval sets differ from what they should hold', () => {
  const clock = new FakeClock();
  const until = (ms: number) => (clock.monotonic() + ms) as Monotonic;
  const desired: RangeContents = {
    entries: new Map([
      [SSH, [OFFICE]],
      [service('web'), [HOME]],
    ]),
    grants: new Map([[SSH, [{ ...HOME, until: until(minutes(10)) }]]]),
  };
  const entry: KernelRange = { ...OFFICE, scope: SSH, holds: 'entry', remaining: null };
  const grant: KernelRange = { ...HOME, scope: SSH, holds: 'grant', remaining: minutes(10) };
  const differ = (...kernel: KernelRange[]) => rangesDiffer(desired, kernel, SCOPES, clock);

  it('not where all is there, and what is not guarded is not', () => {
    expect(differ(entry, grant)).toBe(false);
    expect(differ(grant, { ...entry })).toBe(false);
  });

  it('where one is missing', () => {
    expect(differ(entry)).toBe(true);
    expect(differ(grant)).toBe(true);
  });

  it('where one is wider, of another scope, or too many', () => {
    expect(differ({ ...entry, last: entry.last + 1n }, grant)).toBe(true);
    expect(differ({ ...entry, scope: 'held' }, grant)).toBe(true);
    expect(differ(entry, grant, { ...entry, holds: 'grant', remaining: minutes(1) })).toBe(true);
    expect(differ(entry, grant, { ...HOME, scope: SSH, holds: 'entry', remaining: null })).toBe(true);
  });

  it('where one has another time, or none, or an entry has an end', () => {
    expect(differ(entry, { ...grant, remaining: minutes(20) })).toBe(true);
    expect(differ(entry, { ...grant, remaining: null })).toBe(true);
    expect(differ({ ...entry, remaining: minutes(5) }, grant)).toBe(true);
    expect(differ(entry, { ...grant, remaining: millis(minutes(10) - 2000) })).toBe(false);
  });

  it('not where one is about to end, or has just ended', () => {
    const ending: RangeContents = { entries: new Map(), grants: new Map([[SSH, [{ ...HOME, until: until(1000) }]]]) };
    expect(rangesDiffer(ending, [], SCOPES, clock)).toBe(false);
    const gone: KernelRange = { ...HOME, scope: SSH, holds: 'grant', remaining: millis(500) };
    expect(rangesDiffer({ entries: new Map(), grants: new Map() }, [gone], SCOPES, clock)).toBe(false);
  });
});
