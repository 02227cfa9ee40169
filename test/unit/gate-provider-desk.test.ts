import { beforeEach, describe, expect, it } from 'vitest';
import { parseCatalogue } from '../../src/config/catalogue.ts';
import { parseHostName } from '../../src/core/names/host-name.ts';
import type { Lookup } from '../../src/core/names/lookup.ts';
import type { NameEntry } from '../../src/core/names/name-entry.ts';
import { NameTracker } from '../../src/core/names/tracker.ts';
import { parsePortRange } from '../../src/core/ports.ts';
import type { Catalogue, ProviderName } from '../../src/core/provider.ts';
import { days } from '../../src/core/time.ts';
import { Departures } from '../../src/gate/departures.ts';
import { Entries } from '../../src/gate/entries.ts';
import { ProviderDesk } from '../../src/gate/provider-desk.ts';
import { Recorder } from '../../src/gate/recorder.ts';
import { service } from '../support/core-arbitraries.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { FakeLog, FakeStore } from '../support/gate-fakes.ts';
import { RULES } from '../support/gate-rig.ts';
import { target } from '../support/grants.ts';
import { both, found, NXDOMAIN } from '../support/names.ts';

const CATALOGUE = `version: 1
providers:
  acme:
    title: Acme
    signalling: [sip.acme.example, 203.0.113.8]
    media: [203.0.113.64/27]
  gone: {title: Gone, signalling: [66.54.140.46, talk.gone.example], retired: {since: 2016-05, why: it was shut down}}
  small: {title: Small, signalling: [one.small.example, two.small.example], protocols: [sip]}
`;

let clock: FakeClock;
let store: FakeStore;
let held: string[];
let tracked: string[][];
let trackers: Map<string, NameTracker>;
let entries: Entries;

const name = (text: string) => text as ProviderName;
const entryOf = (text: string): NameEntry => ({
  ...{ id: text, name: parseHostName(text), services: [service('ssh')], note: null, source: 'operator' },
  createdAt: clock.now(),
});
/** What a name server says of a host name. */
const says = (host: string, lookup: Lookup) => {
  const rules = { maxAddresses: 16, nxdomainAfter: days(1), refusal: () => undefined };
  const tracker = trackers.get(host) ?? new NameTracker({ name: parseHostName(host), rules, clock });
  trackers.set(host, tracker);
  tracker.take(lookup);
};

function deskOf({
  configured = [],
  meta = {},
  others = [],
  size = 0,
}: {
  configured?: string[];
  meta?: Record<string, string>;
  others?: string[];
  size?: number;
} = {}): ProviderDesk {
  const read = parseCatalogue(CATALOGUE, 'own.yaml');
  if (!read.ok) throw new Error('the catalogue is faulty');
  const catalogue: Catalogue = new Map(read.providers.map((one) => [one.name, one]));
  const recorder = new Recorder({ store, log: new FakeLog() });
  entries = new Entries({
    ...{ clock, state: { entries: [], meta } },
    recorder: new Recorder({ store: new FakeStore(), log: new FakeLog() }),
    departures: new Departures(clock, undefined),
    hold: async (targets) => void held.push(...targets),
    setRanges: async () => undefined,
  });
  const rules = {
    ...RULES,
    guarded: new Map([[service('SIP'), [parsePortRange('udp/5060')]]]),
    names: [entryOf('home.example.org')],
    providers: configured.map(name),
  };
  const desk: ProviderDesk = new ProviderDesk({
    ...{ catalogue, recorder, clock, entries, state: { meta } },
    book: { current: rules },
    names: {
      tracker: (host) => trackers.get(host),
      list: () => others.map((text) => ({ entry: entryOf(text), tracker: {} as NameTracker })),
      size,
    },
    onChanged: async () => {
      const { entries: targets, names } = desk.given(rules);
      entries.use(targets, null);
      tracked.push(names.map((one) => `${one.name} ${one.services}`));
    },
  });
  entries.use(desk.given(rules).entries, null);
  void entries.start();
  return desk;
}

beforeEach(() => {
  clock = new FakeClock();
  store = new FakeStore();
  held = [];
  tracked = [];
  trackers = new Map();
});

describe('a provider that is enabled', () => {
  it('is on the disk, and its addresses and names are let in to what is its, at once', async () => {
    const desk = deskOf();
    const shown = await desk.enable('acme');
    expect(shown).toMatchObject({ status: 'enabled', by: 'command', names: 1, networks: 2 });
    expect(store.meta('providers')).toBe('acme');
    expect(store.events).toEqual([{ at: clock.now(), event: 'provider.enabled', detail: 'acme' }]);
    expect(entries.list().map(({ target, services }) => `${target} ${services}`)).toEqual([
      '203.0.113.8 IAX,RTP,SIP',
      '203.0.113.64/27 RTP',
    ]);
    expect(tracked).toEqual([['home.example.org ssh', 'sip.acme.example IAX,RTP,SIP']]);
    expect(shown.ports).toEqual([
      { service: 'SIP', ports: ['udp/5060'] },
      { service: 'IAX', ports: [] },
      { service: 'RTP', ports: [] },
    ]);
  });

  it('is so after a restart, and enabling it again changes nothing', async () => {
    const desk = deskOf({ meta: { providers: 'acme' } });
    await desk.enable('acme');
    expect(desk.show('acme').by).toBe('command');
    expect([store.kept, tracked]).toEqual([[], []]);
  });

  it('is put out at once when it is disabled, and what it had is held', async () => {
    const desk = deskOf();
    await Promise.all([desk.enable('acme'), desk.enable('small')]);
    expect(store.meta('providers')).toBe('acme small');
    expect(await desk.disable('acme')).toMatchObject({ status: 'off', by: null });
    expect(store.meta('providers')).toBe('small');
    expect([entries.list(), held]).toEqual([[], ['203.0.113.8', '203.0.113.64/27']]);
    expect(tracked.at(-1)).toEqual(['home.example.org ssh', 'one.small.example SIP', 'two.small.example SIP']);
    expect(await desk.disable('acme')).toMatchObject({ status: 'off' });
  });

  it('by the configuration stays so for commands', async () => {
    const desk = deskOf({ configured: ['acme'] });
    expect(desk.show('acme')).toMatchObject({ status: 'enabled', by: 'config' });
    await desk.enable('acme');
    expect(store.kept).toEqual([]);
    await expect(desk.disable('acme')).rejects.toMatchObject({ code: 'SP_PROVIDER_CONFIGURED' });
  });

  it('that cannot be kept is not let in', async () => {
    const desk = deskOf();
    store.fault = () => new Error('the disk is full');
    await expect(desk.enable('acme')).rejects.toThrow();
    expect([desk.show('acme').status, entries.list(), tracked]).toEqual(['off', [], []]);
  });

  it('has entries that only go with it', async () => {
    const desk = deskOf();
    await desk.enable('acme');
    const [entry] = entries.list();
    if (entry === undefined) throw new Error('it has none');
    await expect(entries.remove(entry)).rejects.toMatchObject({
      code: 'SP_ENTRY_PROVIDED',
      fix: expect.stringContaining('sallyport provider disable acme'),
    });
  });
});

describe('a provider of more names than can be tracked', () => {
  it('is not let in', async () => {
    const desk = deskOf({ size: 1000 });
    await expect(desk.enable('acme')).rejects.toMatchObject({ code: 'SP_NAMES_FULL' });
    expect([store.kept, tracked]).toEqual([[], []]);
  });
});

describe('a provider that there is not', () => {
  it('is refused with the name that was probably meant', async () => {
    const desk = deskOf();
    await expect(desk.enable('acmee')).rejects.toMatchObject({
      code: 'SP_PROVIDER_UNKNOWN',
      message: 'there is no provider "acmee" (did you mean acme?)',
    });
    expect(() => desk.show('nobody')).toThrow('there is no provider "nobody"');
    await expect(desk.disable('nobody')).rejects.toMatchObject({ code: 'SP_PROVIDER_UNKNOWN' });
  });

  it('but is enabled is named, and can be dropped', async () => {
    const desk = deskOf({ configured: ['acmee'], meta: { providers: 'former' } });
    expect(desk.list().filter(({ status }) => status === 'unknown')).toMatchObject([
      { name: 'acmee', by: 'config', problems: [expect.any(String)] },
      { name: 'former', by: 'command', problems: [expect.any(String)] },
    ]);
    expect(desk.notices()).toEqual([
      'trusted.providers: no catalogue has a provider acmee (did you mean acme?), so it lets nobody in; mend or drop the line',
      'provider: no catalogue has a provider former, so it lets nobody in; drop it: sallyport provider disable former',
    ]);
    await desk.disable('former');
    expect(store.meta('providers')).toBe('');
  });
});

describe('a retired provider', () => {
  it('cannot be enabled', async () => {
    await expect(deskOf().enable('gone')).rejects.toMatchObject({
      code: 'SP_PROVIDER_RETIRED',
      message: 'gone is retired since 2016-05: it was shut down',
    });
  });

  it('of the configuration lets nobody in, and is told of', async () => {
    const desk = deskOf({ configured: ['gone'] });
    expect(desk.show('gone')).toMatchObject({ status: 'retired', by: 'config', problems: [expect.any(String)] });
    expect(desk.notices()).toEqual([
      'trusted.providers: gone is retired since 2016-05 (it was shut down), so it lets nobody in; mend or drop the line',
    ]);
  });

  it('that something else lets in is told of as long as it does', async () => {
    const desk = deskOf({ others: ['talk.gone.example', 'home.example.org'] });
    const entry = await entries.add({
      ...{ target: target('66.54.140.0/24'), services: [service('ssh')], note: null, source: 'operator' },
    });
    expect(desk.notices()).toEqual([
      expect.stringMatching(
        /^66\.54\.140\.0\/24 still lets in gone, .*take it out: sallyport revoke 66\.54\.140\.0\/24$/,
      ),
      expect.stringMatching(/^talk\.gone\.example still lets in gone, which is retired since 2016-05/),
    ]);
    await entries.remove(entry);
    expect(desk.notices()).toHaveLength(1);
  });
});

describe('what is told of a provider', () => {
  it('has the addresses of its names as they stand, where it is enabled', async () => {
    says('sip.acme.example', found(['198.51.100.9', '2001:db8::9']));
    const desk = deskOf();
    expect(desk.show('acme')).toMatchObject({ status: 'off', addresses: 0 });
    expect(desk.show('acme').hosts[0]).toMatchObject({ host: 'sip.acme.example', tracked: null });
    await desk.enable('acme');
    expect(desk.show('acme')).toMatchObject({ addresses: 2, problems: [] });
    expect(desk.show('acme').hosts[0]?.tracked).toMatchObject({
      state: 'ok',
      addresses: ['198.51.100.9', '2001:db8::9'],
    });
  });

  it('names a name that is gone, and calls it dead with the advice to drop it when all are', () => {
    says('one.small.example', both(NXDOMAIN));
    says('two.small.example', found(['198.51.100.9']));
    const byCommand = deskOf({ meta: { providers: 'small' } });
    expect(byCommand.show('small').problems).toEqual(['one.small.example: there is no such name (NXDOMAIN)']);
    expect(byCommand.notices()).toEqual([]);
    says('two.small.example', both(NXDOMAIN));
    const advice =
      'small seems to be gone: none of its names exists any more; drop it: sallyport provider disable small';
    expect([byCommand.show('small').problems, byCommand.notices()]).toEqual([[advice], [advice]]);
    expect(deskOf({ configured: ['small'] }).notices()).toEqual([
      'small seems to be gone: none of its names exists any more; take it out of trusted.providers',
    ]);
    expect(deskOf().notices()).toEqual([]);
  });
});
