import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { neverAllowed, parseAddress } from '../../src/core/address.ts';
import { SallyportError } from '../../src/core/errors.ts';
import { parseDeparted } from '../../src/core/grants/departed.ts';
import { type HostName, parseHostName } from '../../src/core/names/host-name.ts';
import type { Lookup } from '../../src/core/names/lookup.ts';
import { MOST_NAMES, type NameEntry, type ResolvedName } from '../../src/core/names/name-entry.ts';
import { days, type Instant, minutes, seconds } from '../../src/core/time.ts';
import { Departures } from '../../src/gate/departures.ts';
import { NameDesk } from '../../src/gate/name-desk.ts';
import { Recorder } from '../../src/gate/recorder.ts';
import { seededRandom } from '../support/core-arbitraries.ts';
import { stopTime, type TimerClock } from '../support/fake-clock.ts';
import { FakeLog, FakeStore } from '../support/gate-fakes.ts';
import { SSH, SSH_AND_WEB, target } from '../support/grants.ts';
import { both, failed, found, HOME, NXDOMAIN } from '../support/names.ts';

const [A, B] = ['203.0.113.7', '203.0.113.8'].map(target);
const OFFICE = parseHostName('office.example.org');
const FULL = new SallyportError('SP_STORE_FULL', { directory: '/state' });

let clock: TimerClock;
let store: FakeStore;
let log: FakeLog;
let held: string[];
/** What the kernel was given, each time. */
let written: string[][];
let answers: Map<HostName, Lookup>;
let asked: HostName[];
/** Look-ups wait for it. */
let gate: Promise<void> | undefined;
let atOnce: number;
let most: number;
let desk: NameDesk;

const given = (name: HostName, change: Partial<NameEntry> = {}): NameEntry => ({
  ...{ id: `config-${name}`, name, services: SSH, note: null, source: 'config', createdAt: 0 as Instant },
  ...change,
});

async function start(options: { given?: NameEntry[]; names?: NameEntry[]; resolved?: ResolvedName[] } = {}) {
  const recorder = new Recorder({ store, log });
  desk = new NameDesk({
    ...{ recorder, clock, log },
    resolver: {
      lookUp: async (name) => {
        asked.push(name);
        most = Math.max(most, ++atOnce);
        await gate;
        atOnce--;
        return answers.get(name) ?? both(failed());
      },
      stop: () => undefined,
    },
    rules: { nxdomainAfter: days(1), maxAddresses: 16, refusal: (one) => neverAllowed(one, new Set()) },
    schedule: '*/10 * * * *',
    state: { names: options.names ?? [], resolved: options.resolved ?? [] },
    given: options.given ?? [],
    departures: new Departures(clock, undefined),
    hold: async (targets) => void held.push(...targets),
    setRanges: async () => void written.push([...desk.entries()].map((one) => `${one.target} ${one.services}`)),
  });
  await desk.start();
  await settle();
}
const settle = () => clock.advance(seconds(0));
const kept = () => store.kept.flatMap((one) => (one.kind === 'resolved.put' ? [one.resolved] : []));
const departed = () => parseDeparted(store.meta('departed')).map((one) => one.target);
const known = (name: HostName, ...addresses: string[]): ResolvedName => ({
  ...{ name, addresses: addresses.map(parseAddress), resolvedAt: null, missingSince: null },
});

beforeEach(() => {
  clock = stopTime();
  store = new FakeStore();
  log = new FakeLog();
  [held, written, asked] = [[], [], []];
  answers = new Map();
  gate = undefined;
  [atOnce, most] = [0, 0];
});
afterEach(async () => {
  await desk.stop();
  vi.useRealTimers();
});

describe('a name of the configuration', () => {
  it('is in by what was kept, before anybody answers', async () => {
    gate = new Promise(() => undefined);
    await start({ given: [given(HOME)], resolved: [known(HOME, '203.0.113.7')] });
    expect([...desk.entries()]).toEqual([{ target: A, services: SSH }]);
  });

  it('is looked up by its TTL, moves in one step, and is recorded', async () => {
    answers.set(HOME, found(['203.0.113.7'], seconds(60)));
    await start({ given: [given(HOME)] });
    expect(written).toEqual([[`${A} ssh`]]);
    answers.set(HOME, found(['203.0.113.8'], seconds(60)));
    await clock.advance(seconds(59));
    expect(asked).toHaveLength(1);
    await clock.advance(seconds(1));
    expect([written.slice(1), held, departed()]).toEqual([[[`${B} ssh`]], [A], [A]]);
    expect(store.events.map(({ event, address, detail }) => [event, address, detail])).toEqual([
      ['name.resolved', A, `${HOME}: in: ${A}`],
      ['name.moved', B, `${HOME}: in: ${B}; out: ${A}`],
    ]);
    expect(kept().at(-1)).toEqual({ name: HOME, addresses: [B], resolvedAt: clock.now(), missingSince: null });
  });

  it('that stays as it is costs neither the disk nor the kernel anything', async () => {
    answers.set(HOME, found(['203.0.113.7'], seconds(60)));
    await start({ given: [given(HOME)] });
    const [changes, loads] = [store.kept.length, written.length];
    await clock.advance(minutes(59));
    expect(asked.length).toBeGreaterThan(50);
    expect([store.kept.length, written.length]).toEqual([changes, loads]);
    await clock.advance(minutes(1));
    expect(kept().at(-1)?.resolvedAt).toBe(clock.now());
  });

  it('that gives others all day is bounded: what it brings, what is told of it, kept of it and held of it', async () => {
    const random = seededRandom(1);
    const draw = () => Array.from({ length: 4 }, () => `198.${18 + random(2)}.${random(256)}.${random(256)}`);
    answers.get = () => found(draw(), seconds(1));
    await start({ given: [given(HOME)] });
    for (let n = 0; n < 24 * 60; n++) await clock.advance(minutes(1));
    expect([...desk.entries()]).toHaveLength(16);
    expect(new Set(held).size).toBeLessThanOrEqual(256);
    expect(departed().length).toBeLessThanOrEqual(256);
    expect(store.events.length).toBeLessThan(80);
    expect(written.length).toBeLessThan(80);
    expect(asked.length).toBeLessThan(800);
    expect(kept().at(-1)?.addresses).toEqual([...desk.entries()].map((one) => one.target));
    expect(desk.problem).toMatch(/home\.example\.org: A: it has had 256 addresses within a day/);
    expect(log.lines.length).toBeLessThan(80);
  });

  it('that fails is told of once, in the log and the journal, and said to be well again', async () => {
    answers.set(HOME, found(['203.0.113.7']));
    await start({ given: [given(HOME)] });
    expect(desk.problem).toBeNull();
    answers.delete(HOME);
    await clock.advance(minutes(60));
    expect(desk.problem).toBe(`${HOME}: the name server does not answer in time`);
    answers.set(HOME, found(['203.0.113.7']));
    await clock.advance(minutes(10));
    expect([desk.problem, store.told]).toEqual([null, ['name.resolved', 'name.failed', 'name.recovered']]);
    expect(log.messages('warn')).toEqual([
      `name.failed: ${HOME}: the name server does not answer in time; still in: ${A}`,
    ]);
  });

  it('that is no more is dropped after its time, over restarts', async () => {
    answers.set(HOME, found(['203.0.113.7']));
    await start({ given: [given(HOME)] });
    answers.set(HOME, both(NXDOMAIN));
    await clock.advance(minutes(60 * 12));
    await desk.stop();
    await start({ given: [given(HOME)], resolved: kept().slice(-1) });
    await clock.advance(minutes(60 * 11));
    expect(departed()).toEqual([]);
    await clock.advance(minutes(70));
    expect([departed(), written.at(-1)]).toEqual([[A], []]);
    expect(store.told.at(-1)).toBe('name.dropped');
  });

  it('that is taken out of it is put out at the next start', async () => {
    await start({ resolved: [known(HOME, '203.0.113.7')] });
    expect([held, departed()]).toEqual([[A], [A]]);
    expect(store.kept).toContainEqual({ kind: 'resolved.remove', name: HOME });
  });
});

describe('a name of an operator', () => {
  const wanted = { name: HOME, services: SSH, note: 'Ann', source: 'operator' } as const;

  it('is on the disk, then looked up, then in', async () => {
    answers.set(HOME, found(['203.0.113.7']));
    await start();
    const { entry, tracker } = await desk.add(wanted);
    expect(entry).toEqual({ ...wanted, id: expect.stringMatching(/^E[0-9a-f]{8}$/), createdAt: clock.now() });
    expect(store.kept[0]).toEqual({ kind: 'name.put', entry });
    expect([tracker.addresses, written]).toEqual([[A], [[`${A} ssh`]]]);
    expect(desk.find('HOME.example.org.').map((one) => one.entry)).toEqual([entry]);
    expect(desk.find(entry.id.toUpperCase()).map((one) => one.entry)).toEqual([entry]);
  });

  it('that cannot be kept is neither asked for nor in', async () => {
    await start();
    store.fault = () => FULL;
    await expect(desk.add(wanted)).rejects.toBe(FULL);
    expect([desk.list(), asked]).toEqual([[], []]);
  });

  it('is the same for the same services, another for others, and looked up once', async () => {
    answers.set(HOME, found(['203.0.113.7']));
    await start();
    const first = await desk.add(wanted);
    expect((await desk.add({ ...wanted, note: null })).entry).toBe(first.entry);
    expect((await desk.add({ ...wanted, note: 'Ann, at home' })).entry.id).toBe(first.entry.id);
    const other = await desk.add({ ...wanted, services: SSH_AND_WEB });
    expect(other.entry.id).not.toBe(first.entry.id);
    expect(asked).toEqual([HOME]);
    expect(written.at(-1)).toEqual([`${A} ssh`, `${A} ssh,web`]);
  });

  it('that is removed is out, held and forgotten', async () => {
    answers.set(HOME, found(['203.0.113.7']));
    await start();
    const { entry } = await desk.add(wanted);
    await desk.remove(entry);
    await settle();
    expect([written.at(-1), departed(), desk.list()]).toEqual([[], [A], []]);
    expect(held).toEqual([A]);
    expect(store.kept).toContainEqual({ kind: 'resolved.remove', name: HOME });
    await clock.advance(minutes(30));
    expect(asked).toEqual([HOME]);
  });

  it('goes, and the same of the configuration stays', async () => {
    answers.set(HOME, found(['203.0.113.7']));
    await start({ given: [given(HOME, { services: SSH_AND_WEB })] });
    const { entry } = await desk.add(wanted);
    await desk.remove(entry);
    expect(written.at(-1)).toEqual([`${A} ssh,web`]);
    await expect(desk.remove(given(HOME))).rejects.toThrow(expect.objectContaining({ code: 'SP_ENTRY_CONFIGURED' }));
  });

  it('is refused where there are too many names', async () => {
    const names = Array.from({ length: MOST_NAMES }, (_, i) => given(parseHostName(`n${i}.example.org`)));
    await start({ given: names });
    await expect(desk.add(wanted)).rejects.toThrow(expect.objectContaining({ code: 'SP_NAMES_FULL' }));
  });
});

describe('names of providers', () => {
  it('come and go together, and keep what others ask for', async () => {
    answers.set(HOME, found(['203.0.113.7']));
    answers.set(OFFICE, found(['203.0.113.8']));
    await start({ given: [given(HOME)] });
    desk.use([given(HOME), given(OFFICE, { source: 'provider', services: SSH_AND_WEB })], null);
    await settle();
    expect(written.at(-1)).toEqual([`${A} ssh`, `${B} ssh,web`]);
    desk.use([given(HOME)], null);
    expect([[...desk.entries()].map(({ target }) => target), held]).toEqual([[A], [B]]);
    await settle();
    expect(departed()).toEqual([B]);
  });

  it('are tracked for the previous rules as well, while a change of the rules is provisional', async () => {
    answers.set(HOME, found(['203.0.113.7']));
    answers.set(OFFICE, found(['203.0.113.8']));
    await start({ given: [given(HOME)] });
    desk.use([given(OFFICE)], [given(HOME)]);
    await clock.advance(minutes(0));
    await settle();
    const targets = (entries: Iterable<{ target: string }> | null) => [...(entries ?? [])].map(({ target }) => target);
    expect([targets(desk.entries()), targets(desk.fallbackEntries())]).toEqual([[B], [A]]);
    expect(held).toEqual([A]);
    desk.use([given(HOME)], null);
    expect([targets(desk.entries()), desk.fallbackEntries(), desk.size]).toEqual([[A], null, 1]);
  });
});

describe('many names', () => {
  it('are looked up eight at a time, and all of them by the schedule', async () => {
    const names = Array.from({ length: 50 }, (_, i) => parseHostName(`n${i}.example.org`));
    for (const name of names) answers.set(name, found(['203.0.113.7'], minutes(60)));
    let open = (): void => undefined;
    gate = new Promise((resolve) => {
      open = resolve;
    });
    await start({ given: names.map((name) => given(name)) });
    expect(asked).toHaveLength(8);
    open();
    await settle();
    expect([asked.length, most]).toEqual([50, 8]);
    await clock.advance(minutes(10));
    expect(asked).toHaveLength(100);
  });
});
