import { Resolver } from 'node:dns/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { type Address, coveringTargets, familyOf } from '../core/address.js';
import { type NetworkOwner, type ReverseName, readRdap, readWhois, type Whose } from '../core/whose.js';
import { type Host, localHost } from './host.js';
import { readAddress } from './inet.js';

/** So long each of the questions may take, in milliseconds. */
const DNS_MS = 1500;
const RDAP_MS = 4000;
const RDAP_BYTES = 1 << 20;
/** An address with more names than that is a joke. */
const MOST_NAMES = 4;
/** It leads to the registry in charge. */
const RDAP = 'https://rdap.org/ip/';
/** Addresses that no registry gives to anybody: private, shared, link-local, for documentation. */
const NOBODYS: ReadonlySet<string> = new Set([
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.168.0.0/16'],
  ...['192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/3'],
  ...['::/8', 'fc00::/7', 'fe80::/10', 'ff00::/8', '2001:db8::/32'],
]);

/** Who is asked. */
export interface Informants {
  readonly dns: Pick<Resolver, 'reverse' | 'resolve4' | 'resolve6'>;
  readonly fetch: typeof fetch;
  readonly host: Pick<Host, 'run'>;
}

function informants(): Informants {
  return { dns: new Resolver({ timeout: DNS_MS, tries: 1 }), fetch, host: localHost() };
}

/**
 * Whose an address is. Never fails: what cannot be found out is among the problems.
 * @param options.online asks a registry as well, which then knows whom one looks at
 */
export async function findWhose(
  address: Address,
  { online, ask = informants() }: { online: boolean; ask?: Informants },
): Promise<Whose> {
  const problems: string[] = [];
  const note = (problem: string) => void problems.push(problem);
  const [names, network] = await Promise.all([
    namesOf(address, ask, note),
    online ? ownerOf(address, ask, note) : Promise.resolve(null),
  ]);
  return { names, network, problems };
}

async function namesOf(address: Address, { dns }: Informants, note: (problem: string) => void): Promise<ReverseName[]> {
  const found = await within(DNS_MS, dns.reverse(address)).catch((error) => {
    if (!['ENOTFOUND', 'ENODATA'].includes(codeOf(error))) note(`reverse DNS did not answer (${codeOf(error)})`);
    return [];
  });
  const names = found.map((name) => name.replace(/\.$/, '')).filter((name) => /^[A-Za-z0-9_.-]{1,253}$/.test(name));
  const confirmed = await Promise.all(names.slice(0, MOST_NAMES).map((name) => leadsTo(name, address, dns)));
  return confirmed.map((isTrue, index) => ({ name: names[index] ?? '', confirmed: isTrue }));
}

async function leadsTo(name: string, address: Address, dns: Informants['dns']): Promise<boolean> {
  const asked = familyOf(address) === 4 ? dns.resolve4(name) : dns.resolve6(name);
  const found = await within(DNS_MS, asked).catch(() => []);
  return found.some((one) => readAddress(one) === address);
}

async function ownerOf(
  address: Address,
  ask: Informants,
  note: (problem: string) => void,
): Promise<NetworkOwner | null> {
  if (coveringTargets(address).some((target) => NOBODYS.has(target))) {
    note('it is no address of the internet, and no registry knows it');
    return null;
  }
  const found = (await askRdap(address, ask)) ?? readWhois((await ask.host.run('whois', [address])) ?? '');
  if (found === undefined) note('no registry answered: rdap.org cannot be reached, and the program whois told nothing');
  return found ?? null;
}

async function askRdap(address: Address, ask: Informants): Promise<NetworkOwner | undefined> {
  try {
    const headers = { accept: 'application/rdap+json' };
    const answer = await ask.fetch(`${RDAP}${address}`, { headers, signal: AbortSignal.timeout(RDAP_MS) });
    if (!answer.ok || answer.body === null) return undefined;
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    for await (const piece of answer.body) {
      bytes += piece.length;
      if (bytes > RDAP_BYTES) return undefined;
      pieces.push(piece);
    }
    return readRdap(JSON.parse(Buffer.concat(pieces).toString()));
  } catch {
    return undefined;
  }
}

/** Resolvers have time limits of their own, and keep to them as they like. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = wait(ms, undefined, { ref: false }).then(() => {
    throw Object.assign(new Error('too late'), { code: 'ETIMEOUT' });
  });
  return await Promise.race([work, late]);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
