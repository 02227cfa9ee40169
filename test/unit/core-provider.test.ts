import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/parse.ts';
import type { Entry } from '../../src/core/entry.ts';
import { parseHostName } from '../../src/core/names/host-name.ts';
import { formatPortRange, parsePortRange } from '../../src/core/ports.ts';
import {
  formatProviderNames,
  leftoversIn,
  PROVIDER_SCOPES,
  type Provider,
  type ProviderName,
  parseProviderNames,
  providedEntries,
  providersOf,
} from '../../src/core/provider.ts';
import { SERVICE_NAME, toScope } from '../../src/core/service.ts';
import { providerPorts } from '../../src/layout.ts';
import { LEAST } from '../support/config-sample.ts';
import { errorOf } from '../support/core-arbitraries.ts';
import { SSH, target } from '../support/grants.ts';

const provider = (name: string, changes: Partial<Provider> = {}): Provider => ({
  name: name as ProviderName,
  title: name,
  signalling: { names: [parseHostName(`sip.${name}.example`)], targets: [target('203.0.113.8')] },
  protocols: ['sip', 'iax', 'rtp'],
  media: { names: [], targets: [target('203.0.113.64/27')] },
  retired: null,
  source: 'shipped',
  ...changes,
});
const catalogueOf = (...providers: Provider[]) => new Map(providers.map((one) => [one.name, one]));
const GONE = { since: '2016-05', why: 'it was shut down' };
const names = (...all: string[]) => all as ProviderName[];

const ALL_OPENED = [
  ['SIP', 'udp/5060,tcp/5060-5061'],
  ['IAX', 'udp/4569'],
  ['RTP', 'udp/10000-20000'],
];
const openedUnder = (policy: 'guard' | 'lockdown', closed: string[], open: string[] = []) => {
  const read = parseConfig(`${LEAST}firewall: {policy: ${policy}}\n`, 'sallyport.yaml');
  if (!read.ok) throw new Error('it does not load');
  const opened = providerPorts(read.config, closed.map(parsePortRange), open.map(parsePortRange));
  return opened.map(([scope, ports]) => [scope, ports.map(formatPortRange).join()]);
};

const entry = (text: string, source: Entry['source'] = 'operator'): Entry => ({
  ...{ id: 'E1', target: target(text), services: SSH, note: null, source },
  createdAt: 0 as Entry['createdAt'],
});

describe('what is opened to providers', () => {
  it('has names that no service can have, and that nobody else can be given', () => {
    for (const scope of PROVIDER_SCOPES) {
      expect(SERVICE_NAME.test(scope)).toBe(false);
      expect(errorOf(() => toScope([scope], new Map())).code).toBe('SP_SERVICE_UNKNOWN');
    }
  });

  it('is what of their ports is closed, and closes nothing', () => {
    const opened = (...closed: string[]) => openedUnder('guard', closed);
    expect(opened('tcp/22')).toEqual([]);
    expect(opened('tcp/22', 'udp/5060', 'tcp/5061', 'udp/9000-12000')).toEqual([
      ['SIP', 'udp/5060,tcp/5061'],
      ['RTP', 'udp/10000-12000'],
    ]);
    expect(opened('udp/1-65535', 'tcp/1-65535', 'udp/5060')).toEqual(ALL_OPENED);
  });

  it('is all of their ports under lockdown, but what that leaves open to everyone', () => {
    expect(openedUnder('lockdown', ['tcp/22'])).toEqual(ALL_OPENED);
    expect(openedUnder('lockdown', ['udp/5060'], ['udp/5060', 'udp/12000', 'udp/19990-29999', 'tcp/4569'])).toEqual([
      ['SIP', 'udp/5060,tcp/5060-5061'],
      ['IAX', 'udp/4569'],
      ['RTP', 'udp/10000-11999,udp/12001-19989'],
    ]);
  });

  it('are the entries of those that are enabled, and in no case of a retired one', () => {
    const catalogue = catalogueOf(provider('acme'), provider('gone', { retired: GONE }), provider('other'));
    const enabled = providersOf(catalogue, names('gone', 'acme', 'nobody', 'acme'));
    expect(enabled.map(({ name }) => name)).toEqual(['acme']);
    expect(providedEntries(enabled)).toEqual([
      expect.objectContaining({
        target: '203.0.113.8',
        services: ['IAX', 'RTP', 'SIP'],
        note: 'acme',
        source: 'provider',
      }),
      expect.objectContaining({ target: '203.0.113.64/27', services: ['RTP'] }),
    ]);
  });
});

describe('the names of enabled providers', () => {
  it('are kept as they are, without what is none', () => {
    expect(parseProviderNames(formatProviderNames(names('voip.ms', 'les.net')))).toEqual(['voip.ms', 'les.net']);
    expect(parseProviderNames(undefined)).toEqual([]);
    expect(parseProviderNames(' Acme  voip.ms ../etc')).toEqual(['voip.ms']);
  });
});

describe('what still lets a retired provider in', () => {
  const catalogue = catalogueOf(provider('acme'), provider('gone', { retired: GONE }));
  const found = (entries: Entry[], tracked: string[] = []) =>
    leftoversIn(catalogue, entries, tracked.map(parseHostName)).map(({ by }) =>
      typeof by === 'string' ? by : by.target,
    );

  it('is an entry for its address or a network around it, and a name of it', () => {
    expect(found([entry('203.0.113.8'), entry('203.0.0.0/16'), entry('203.0.113.64/26')])).toEqual([
      '203.0.113.8',
      '203.0.0.0/16',
      '203.0.113.64/26',
    ]);
    expect(found([], ['sip.gone.example', 'sip.acme.example'])).toEqual(['sip.gone.example']);
  });

  it('is no other address, and none for everyone', () => {
    expect(found([entry('203.0.113.9'), entry('0.0.0.0/0'), entry('2001:db8::/32')])).toEqual([]);
  });
});
