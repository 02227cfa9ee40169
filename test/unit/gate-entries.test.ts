import { beforeEach, describe, expect, it } from 'vitest';
import { type Entry, MOST_ENTRIES } from '../../src/core/entry.ts';
import { SallyportError } from '../../src/core/errors.ts';
import { formatDeparted, parseDeparted } from '../../src/core/grants/departed.ts';
import { hours } from '../../src/core/time.ts';
import { Departures } from '../../src/gate/departures.ts';
import { Entries } from '../../src/gate/entries.ts';
import { Recorder } from '../../src/gate/recorder.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { FakeLog, FakeStore } from '../support/gate-fakes.ts';
import { SSH, SSH_AND_WEB, target } from '../support/grants.ts';

const FULL = new SallyportError('SP_STORE_FULL', { directory: '/state' });
const OFFICE = target('203.0.113.0/28');

let clock: FakeClock;
let store: FakeStore;
let held: string[];
let written: string[][];

function entriesOf(
  options: { stored?: Entry[]; configured?: Entry[]; provided?: Entry[]; meta?: Record<string, string> } = {},
): Entries {
  const entries: Entries = new Entries({
    recorder: new Recorder({ store, log: new FakeLog() }),
    clock,
    state: { entries: options.stored ?? [], meta: options.meta ?? {} },
    departures: new Departures(clock, options.meta?.departed),
    hold: async (targets) => void held.push(...targets),
    setRanges: async () => void written.push(entries.list().map((one) => one.target)),
  });
  entries.use([...(options.configured ?? []), ...(options.provided ?? [])], null);
  return entries;
}

const configured = (text: string): Entry => ({
  ...{ id: 'config-1', target: target(text), services: SSH, note: null, source: 'config' },
  createdAt: clock.now(),
});
const wanted = { target: OFFICE, services: SSH, note: 'head office', source: 'operator' } as const;
/** What the store has of those that were taken away. */
const departed = () => parseDeparted(store.meta('departed')).map((one) => one.target);

beforeEach(() => {
  clock = new FakeClock();
  store = new FakeStore();
  held = [];
  written = [];
});

it('many that leave at once are remembered in one go, each once, for as long as they are held', () => {
  const departures = new Departures(clock, undefined);
  const many = Array.from({ length: 50_000 }, (_, n) => target(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`));
  departures.add(many);
  clock.advance(hours(25));
  const again = departures.add(many.slice(0, 10));
  expect(again.kind === 'meta' && parseDeparted(again.value)).toHaveLength(many.length);
  clock.advance(hours(2));
  const last = departures.add([OFFICE]);
  const left = last.kind === 'meta' ? parseDeparted(last.value).map((one) => one.target) : [];
  expect(left).toEqual([...many.slice(0, 10), OFFICE]);
});

describe('an entry', () => {
  it('beyond the most there may be is refused, and nothing is kept of it; those that are there go on', async () => {
    const full = Array.from({ length: MOST_ENTRIES }, (_, n) => ({
      ...{ ...wanted, id: `E${n}`, target: target(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`) },
      createdAt: clock.now(),
    }));
    const entries = entriesOf({ stored: full });
    await expect(entries.add(wanted)).rejects.toMatchObject({
      code: 'SP_ENTRIES_FULL',
      message: 'there are 100000 entries already',
    });
    expect([store.kept, written, entries.list().length]).toEqual([[], [], MOST_ENTRIES]);
    const [first] = full;
    if (first === undefined) throw new Error('unreachable');
    expect(await entries.add({ ...wanted, target: first.target })).toEqual(first);
    await entries.remove(first);
    const others = Array.from({ length: 10 }, (_, n) => entries.add({ ...wanted, target: target(`198.51.100.${n}`) }));
    const outcomes = await Promise.allSettled(others);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', ...Array(9).fill('rejected')]);
    expect(entries.list()).toHaveLength(MOST_ENTRIES);
  });

  it('is on the disk, then it counts, then it is in the kernel', async () => {
    const entries = entriesOf();
    const entry = await entries.add(wanted);
    expect(entry).toEqual({ ...wanted, id: expect.stringMatching(/^E[0-9a-f]{8}$/), createdAt: clock.now() });
    expect(store.kept[0]).toEqual({ kind: 'entry.put', entry });
    expect(store.events).toEqual([
      { at: clock.now(), event: 'entry.added', address: OFFICE, services: SSH, detail: 'head office' },
    ]);
    expect([entries.list(), written]).toEqual([[entry], [[OFFICE]]]);
    expect([entries.find(entry.id), entries.find(entry.id.toUpperCase()), entries.find('E0')]).toEqual([
      entry,
      entry,
      undefined,
    ]);
  });

  it('that cannot be kept does not count and is not in the kernel', async () => {
    const entries = entriesOf();
    store.fault = () => FULL;
    await expect(entries.add(wanted)).rejects.toBe(FULL);
    expect([entries.list(), written]).toEqual([[], []]);
  });

  it('for the same target and services is the same, with a new note where one is given', async () => {
    const entries = entriesOf();
    const first = await entries.add(wanted);
    expect(await entries.add({ ...wanted, note: null })).toBe(first);
    expect(await entries.add(wanted)).toBe(first);
    expect(written).toHaveLength(1);
    const renamed = await entries.add({ ...wanted, note: 'branch' });
    expect(renamed).toEqual({ ...first, note: 'branch' });
    const other = await entries.add({ ...wanted, services: SSH_AND_WEB });
    expect(other.id).not.toBe(first.id);
    expect(entries.list()).toEqual([renamed, other]);
  });

  it('that is removed is held, as its replies would pass otherwise, and remembered for a day', async () => {
    const entries = entriesOf();
    const entry = await entries.add(wanted);
    await entries.remove(entry);
    expect([entries.list(), held, departed()]).toEqual([[], [OFFICE], [OFFICE]]);
    expect(written.at(-1)).toEqual([]);
    expect(store.told).toEqual(['entry.added', 'entry.removed']);
    const second = await entries.add({ ...wanted, target: target('192.0.2.7') });
    clock.advance(hours(20));
    await entries.remove(second);
    expect(departed()).toEqual([OFFICE, '192.0.2.7']);
    clock.advance(hours(20));
    await entries.remove(await entries.add(wanted));
    expect(departed()).toEqual(['192.0.2.7', OFFICE]);
  });

  it('that cannot be taken from the disk stays', async () => {
    const entries = entriesOf();
    const entry = await entries.add(wanted);
    store.fault = () => FULL;
    await expect(entries.remove(entry)).rejects.toBe(FULL);
    expect([entries.list(), held, written.length]).toEqual([[entry], [], 1]);
  });

  it('of the configuration is listed and cannot be removed here', async () => {
    const fixed = configured('198.51.100.0/24');
    const entries = entriesOf({ configured: [fixed] });
    const entry = await entries.add(wanted);
    expect(entries.list()).toEqual([entry, fixed]);
    await expect(entries.remove(fixed)).rejects.toMatchObject({ code: 'SP_ENTRY_CONFIGURED' });
    expect(entries.list()).toEqual([entry, fixed]);
  });

  it('of an earlier run is there again', () => {
    const stored: Entry = { ...wanted, id: 'E12345678', createdAt: clock.now() };
    expect(entriesOf({ stored: [stored] }).list()).toEqual([stored]);
  });
});

describe('what was taken out of the configuration', () => {
  it('is held from the next start on, and what is still in it is not', async () => {
    const meta = {
      configured: '203.0.113.0/28 198.51.100.0/24',
      departed: formatDeparted([{ target: target('192.0.2.1'), at: clock.now() }]),
    };
    await entriesOf({ configured: [configured('198.51.100.0/24')], meta }).start();
    expect(held).toEqual([OFFICE]);
    expect([departed(), store.meta('configured')]).toEqual([['192.0.2.1', OFFICE], '198.51.100.0/24']);
  });

  it('is nothing at the first start', async () => {
    await entriesOf({ configured: [configured('198.51.100.0/24')] }).start();
    expect([held, store.meta('departed'), store.meta('configured')]).toEqual([[], undefined, '198.51.100.0/24']);
  });
});
