import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadCatalogue, parseCatalogue, readCatalogue, SHIPPED } from '../../src/config/catalogue.ts';
import { formatProblem } from '../../src/config/problem.ts';
import { openingsOf, type Provider, type ProviderName } from '../../src/core/provider.ts';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-catalogue-'));
afterAll(() => rmSync(directory, { recursive: true }));

const own = (providers: string) => `version: 1\nproviders:\n${providers}`;
const problems = (text: string) => {
  const read = parseCatalogue(text, 'own.yaml');
  return read.ok ? [] : read.problems.map(formatProblem);
};
const only = (providers: string): Provider => {
  const read = parseCatalogue(own(providers), 'own.yaml');
  if (!read.ok || read.providers[0] === undefined) throw new Error(problems(own(providers)).join('\n'));
  return read.providers[0];
};
const named = (name: string) => name as ProviderName;

describe('the shipped catalogue', () => {
  it('is good, in the order of names, active ones first', async () => {
    const read = parseCatalogue(readFileSync(SHIPPED, 'utf8'), SHIPPED);
    if (!read.ok) throw new Error(read.problems.map(formatProblem).join('\n'));
    const names = read.providers.map(({ name, retired }) => `${retired === null ? 'a' : 'b'} ${name}`);
    expect(names).toEqual([...names].sort());
  });

  it('has the providers to start from, each with SIP, IAX and RTP', async () => {
    const catalogue = await loadCatalogue({ catalogue: null });
    const active = [...catalogue.values()].filter(({ retired }) => retired === null);
    expect(active.flatMap(({ signalling }) => signalling.names).sort()).toEqual(
      [
        ...['outbound1.vitelity.net', 'inbound1.vitelity.net', 'didforsale.com', 'callcentric.com', 'sipgate.com'],
        ...['atlanta', 'chicago', 'dallas', 'houston', 'losangeles', 'newyork', 'seattle', 'tampa', 'montreal'].map(
          (city) => `${city}.voip.ms`,
        ),
        ...['montreal2', 'toronto', 'toronto2', 'london'].map((city) => `${city}.voip.ms`),
        ...['chi-in.voipstreet.com', 'did.voip.les.net', 'magnum.axvoice.com', 'proxy.sipthor.net'],
        ...['sip.voipwelcome.com', 'incoming.future-nine.com', 'outgoing.future-nine.com'],
        ...['den.teliax.net', 'lax.teliax.net', 'nyc.teliax.net', 'atl.teliax.net'],
        ...['gvgw1.simonics.com', 'sip2sip.info'],
      ].sort(),
    );
    for (const provider of active) {
      for (const { services } of openingsOf(provider).names) expect(services).toEqual(['IAX', 'RTP', 'SIP']);
    }
  });

  it('is in the documents as it is', async () => {
    const rows = [...(await loadCatalogue({ catalogue: null })).values()].map(
      ({ name, title, signalling, retired }) => {
        const mark = retired === null ? '' : ` (retired ${retired.since})`;
        return `| ${name}${mark} | ${title} | ${[...signalling.names, ...signalling.targets].join(', ')} |`;
      },
    );
    const page = readFileSync(new URL('../../docs/providers.md', import.meta.url), 'utf8');
    expect(page.trim().split('\n').slice(-rows.length)).toEqual(rows);
  });

  it('has those that are gone as retired', async () => {
    const catalogue = await loadCatalogue({ catalogue: null });
    expect(catalogue.get(named('ipkall'))).toMatchObject({
      signalling: { targets: ['66.54.140.46', '66.54.140.47'] },
      retired: { since: '2016-05' },
    });
    expect(catalogue.get(named('google-voice'))).toMatchObject({
      signalling: { names: ['googlelabs.com', 'talk.google.com', 'gmail.com'] },
      retired: { since: '2018-06' },
    });
  });
});

describe('a catalogue', () => {
  it('opens RTP alone to media, and what is narrowed to the rest', () => {
    const provider = only(`  acme:
    title: Acme
    signalling: [SIP.Acme.example., 203.0.113.8]
    media: [203.0.113.64/27, media.acme.example, 203.0.113.8]
    protocols: [sip]
`);
    expect(openingsOf(provider)).toEqual({
      names: [
        { host: 'sip.acme.example', services: ['SIP'] },
        { host: 'media.acme.example', services: ['RTP'] },
      ],
      targets: [
        { host: '203.0.113.8', services: ['RTP', 'SIP'] },
        { host: '203.0.113.64/27', services: ['RTP'] },
      ],
    });
  });

  it('adds providers to those that come along, and replaces those of the same name', async () => {
    const file = join(directory, 'own.yaml');
    writeFileSync(
      file,
      own('  acme: {title: Acme, signalling: [sip.acme.example]}\n  voip.ms: {title: Mine, signalling: [192.0.2.9]}\n'),
    );
    const catalogue = await loadCatalogue({ catalogue: file });
    expect(catalogue.get(named('acme'))?.source).toBe('own');
    expect(catalogue.get(named('voip.ms'))).toMatchObject({ title: 'Mine', signalling: { names: [] }, source: 'own' });
    expect(catalogue.get(named('vitelity'))?.source).toBe('shipped');
    expect([...catalogue.keys()]).toEqual([...catalogue.keys()].sort());
  });

  it.each([
    ['', 'own.yaml:1: the file is empty; it needs at least version: 1 and providers'],
    ['version: 1\n', 'own.yaml:1 providers: it is missing'],
    [
      own('  Acme: {title: A, signalling: [a.example]}\n'),
      'own.yaml:3 providers.Acme: "Acme" is not the name of a provider (try voip.ms)',
    ],
    [
      own('  acme:\n    title: A\n    names: [a.example]\n'),
      'own.yaml:5 providers.acme.names: unknown key "names"; known here: title, signalling, media, protocols, retired',
    ],
    [
      own('  acme:\n    title: A\n    signalling: []\n'),
      'own.yaml:5 providers.acme.signalling: name at least one host: a host name, an address or a CIDR',
    ],
    [
      own('  acme:\n    title: A\n    signalling: [127.0.0.1]\n'),
      'own.yaml:5 providers.acme.signalling[0]: 127.0.0.1 may never be let in: it is or holds a loopback address',
    ],
    [
      own('  acme: {title: A, signalling: [a b]}\n'),
      'own.yaml:3 providers.acme.signalling[0]: "a b" is not a host name, an address or a CIDR (try sip.example.net or 203.0.113.0/28)',
    ],
    [
      own('  acme: {title: A, signalling: [a.example], protocols: [ssh]}\n'),
      'own.yaml:3 providers.acme.protocols[0]: "ssh" is none of: sip | iax | rtp',
    ],
    [
      own('  acme: {title: A, signalling: [a.example], retired: {since: last year, why: x}}\n'),
      'own.yaml:3 providers.acme.retired.since: "last year" is not a month (try 2016-05)',
    ],
  ])('that is faulty is refused with its line: %j', (text, expected) => {
    expect(problems(text)).toContain(expected);
  });

  it('that cannot be read, or is faulty, is an error that names it', async () => {
    const file = join(directory, 'faulty.yaml');
    writeFileSync(file, own('  acme: {title: A}\n  other: {}\n'));
    await expect(loadCatalogue({ catalogue: join(directory, 'none.yaml') })).rejects.toMatchObject({
      code: 'SP_CATALOGUE_UNREADABLE',
      message: expect.stringContaining('there is no such file'),
    });
    await expect(loadCatalogue({ catalogue: file })).rejects.toMatchObject({
      code: 'SP_CONFIG_INVALID',
      message: expect.stringContaining(`${file}:3 providers.acme.signalling: it is missing (and 2 more)`),
    });
    const read = await readCatalogue({ catalogue: file });
    expect(read.ok ? [] : read.problems).toHaveLength(3);
  });
});
