import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../src/core/address.ts';
import { readRdap, readWhois } from '../../src/core/whose.ts';
import { findWhose, type Informants } from '../../src/host/whose.ts';

const ADDRESS = parseAddress('8.8.4.4');

const RDAP = {
  objectClassName: 'ip network',
  name: 'EXAMPLE-NET',
  startAddress: '8.8.4.0',
  endAddress: '8.8.4.255',
  cidr0_cidrs: [{ v4prefix: '8.8.4.0', length: 24 }],
  country: 'NL',
  entities: [
    {
      roles: ['registrant'],
      vcardArray: [
        'vcard',
        [
          ['version', {}, 'text', '4.0'],
          ['fn', {}, 'text', 'Example Ltd'],
        ],
      ],
      entities: [{ roles: ['abuse'], vcardArray: ['vcard', [['email', {}, 'text', 'abuse@example.net']]] }],
    },
  ],
};
const RIPE = `% This is the RIPE Database query service.
% Abuse contact for '8.8.4.0 - 8.8.4.255' is 'abuse@example.net'

inetnum:        8.8.4.0 - 8.8.4.255
netname:        EXAMPLE-NET
country:        NL
org:            ORG-EX1-RIPE

organisation:   ORG-EX1-RIPE
org-name:       Example Ltd
`;
const ARIN = `NetRange:       8.8.4.0 - 8.8.4.255
CIDR:           8.8.4.0/24
NetName:        EXAMPLE-NET
Organization:   Example Inc. (EXAM)
Country:        US
OrgAbuseEmail:  abuse@example.com
`;

const fails = (code: string) => Promise.reject(Object.assign(new Error(code), { code }));
const answers = (body: string, status = 200) => Promise.resolve(new Response(body, { status }));

/** Nobody answers, but for those who are given. */
function asking(given: {
  names?: Record<string, string[]>;
  reverse?: () => Promise<string[]>;
  rdap?: () => Promise<Response>;
  whois?: string;
}): Informants & { asked: string[] } {
  const asked: string[] = [];
  const lookUp = (name: string) => Promise.resolve(given.names?.[name] ?? []);
  return {
    asked,
    dns: { reverse: given.reverse ?? (() => fails('ENOTFOUND')), resolve4: lookUp, resolve6: lookUp } as never,
    fetch: ((url: string) => {
      asked.push(url);
      return given.rdap?.() ?? fails('ECONNREFUSED');
    }) as never,
    host: {
      run: async (file, args) => {
        asked.push([file, ...args].join(' '));
        return given.whois;
      },
    },
  };
}

describe('reverse DNS', () => {
  it('gives the names of an address, and says whether they lead back to it', async () => {
    const ask = asking({
      reverse: async () => ['dns.example.net.', 'bank.example.com'],
      names: { 'dns.example.net': ['8.8.8.8', ADDRESS], 'bank.example.com': ['192.0.2.1'] },
    });
    const found = await findWhose(ADDRESS, { online: false, ask });
    expect(found.names).toEqual([
      { name: 'dns.example.net', confirmed: true },
      { name: 'bank.example.com', confirmed: false },
    ]);
    expect(found.problems).toEqual([]);
  });

  it('is no trouble where an address has no name, and told of where nobody answers', async () => {
    const found = await findWhose(ADDRESS, { online: false, ask: asking({}) });
    expect(found).toEqual({ names: [], network: null, problems: [] });
    const silent = asking({ reverse: () => new Promise(() => undefined) });
    const late = await findWhose(ADDRESS, { online: false, ask: silent });
    expect(late.problems).toEqual(['reverse DNS did not answer (ETIMEOUT)']);
  });

  it('gives no more than a few names, and none that is not one', async () => {
    const many = Array.from({ length: 100 }, (_, i) => `host${i}.example.net`);
    const ask = asking({ reverse: async () => ['a b', '\u001b[2J', '', ...many] });
    const { names } = await findWhose(ADDRESS, { online: false, ask });
    expect(names.map(({ name }) => name)).toEqual(many.slice(0, 4));
  });
});

describe('a registry', () => {
  it('is asked only where the operator wants it', async () => {
    const ask = asking({ rdap: () => answers(JSON.stringify(RDAP)) });
    await findWhose(ADDRESS, { online: false, ask });
    expect(ask.asked).toEqual([]);
    const { network } = await findWhose(ADDRESS, { online: true, ask });
    expect(ask.asked).toEqual(['https://rdap.org/ip/8.8.4.4']);
    expect(network).toEqual({
      owner: 'Example Ltd',
      network: '8.8.4.0/24',
      country: 'NL',
      abuse: 'abuse@example.net',
      source: 'rdap',
    });
  });

  it.each([
    ['cannot be reached', undefined],
    ['refuses', () => answers('{}', 429)],
    ['answers with nonsense', () => answers('<html>')],
    ['answers without end', () => answers('x'.repeat(2_000_000))],
  ])('that %s gives way to the program whois', async (_, rdap) => {
    const ask = asking({ whois: RIPE, ...(rdap === undefined ? {} : { rdap }) });
    const { network, problems } = await findWhose(ADDRESS, { online: true, ask });
    expect(ask.asked.at(-1)).toBe('whois 8.8.4.4');
    expect(network).toMatchObject({ owner: 'Example Ltd', source: 'whois' });
    expect(problems).toEqual([]);
  });

  it('that is not to be had, nor whois, is told of', async () => {
    const { network, problems } = await findWhose(ADDRESS, { online: true, ask: asking({}) });
    expect(network).toBeNull();
    expect(problems).toEqual([expect.stringContaining('no registry answered')]);
  });

  it.each(['192.168.1.7', '100.64.0.9', 'fd00::1', '2001:db8::7'])('is not asked for %s', async (text) => {
    const ask = asking({});
    const { problems } = await findWhose(parseAddress(text), { online: true, ask });
    expect([ask.asked, problems]).toEqual([[], ['it is no address of the internet, and no registry knows it']]);
  });
});

describe('what whois prints', () => {
  it('is understood in the words of RIPE and of ARIN', () => {
    const abuse = 'abuse@example.net';
    expect(readWhois(RIPE)).toEqual({
      owner: 'Example Ltd',
      network: '8.8.4.0 - 8.8.4.255',
      country: 'NL',
      abuse,
      source: 'whois',
    });
    expect(readWhois(ARIN)).toMatchObject({
      owner: 'Example Inc. (EXAM)',
      network: '8.8.4.0/24',
      abuse: 'abuse@example.com',
    });
    expect(readWhois('No match.\n')).toBeUndefined();
  });

  it('and what RDAP answers never throws, nor brings control characters or long lines', () => {
    const isTame = (found: ReturnType<typeof readWhois>) => {
      for (const value of Object.values(found ?? {})) {
        expect(value ?? '').not.toMatch(/\p{C}/u);
        expect((value ?? '').length).toBeLessThanOrEqual(120);
      }
    };
    const line = fc.tuple(fc.constantFrom('netname', 'CIDR', 'country', 'x'), fc.string({ unit: 'binary' }));
    const output = fc.array(line).map((lines) => lines.map(([key, value]) => `${key}:  ${value}`).join('\n'));
    fc.assert(fc.property(output, (text) => isTame(readWhois(text))));
    fc.assert(fc.property(fc.jsonValue(), (value) => isTame(readRdap(value))));
    const odd = fc.record({ ...RDAP_SHAPE }, { requiredKeys: ['objectClassName'] });
    fc.assert(fc.property(odd, (value) => isTame(readRdap(value))));
  });
});

/** The members of an answer, each with anything in it. */
const RDAP_SHAPE = {
  objectClassName: fc.constant('ip network'),
  name: fc.anything(),
  country: fc.string({ unit: 'binary' }),
  cidr0_cidrs: fc.array(fc.anything()),
  entities: fc.array(fc.record({ roles: fc.constant(['abuse', 'registrant']), vcardArray: fc.array(fc.anything()) })),
};
