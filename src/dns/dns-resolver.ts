import { promises as dns, type RecordWithTtl } from 'node:dns';
import { type Family, parseAddress } from '../core/address.js';
import type { HostName } from '../core/names/host-name.js';
import type { FamilyAnswer, Lookup, LookupFailure, NameResolver } from '../core/names/lookup.js';
import { type Duration, seconds } from '../core/time.js';

/** How long one server is waited for at the first try (the second waits twice as long). */
const TRY_MS = 1000;
const TRIES = 2;
const DEADLINE = seconds(5);

/** What c-ares calls its errors; anything else is an answer that makes no sense. */
const FAILURES: Readonly<Record<string, LookupFailure>> = {
  ETIMEOUT: 'timeout',
  ECANCELLED: 'timeout',
  ESERVFAIL: 'servfail',
  EREFUSED: 'refused',
  ECONNREFUSED: 'refused',
};

export interface DnsResolverOptions {
  /** `address` or `address:port`, IPv6 with a port in brackets; none: those of /etc/resolv.conf. */
  readonly servers: readonly string[];
  readonly deadline?: Duration;
}

/**
 * Asks name servers by c-ares: no thread, and neither /etc/hosts nor a search list. Each look-up has a channel of its own,
 * so that it can be broken off alone, and so that a change of /etc/resolv.conf counts from the next one on: a channel
 * reads that file only when it is made.
 */
export class DnsResolver implements NameResolver {
  readonly #servers: readonly string[];
  readonly #deadline: Duration;
  readonly #underWay = new Set<dns.Resolver>();

  constructor({ servers, deadline = DEADLINE }: DnsResolverOptions) {
    this.#servers = servers;
    this.#deadline = deadline;
  }

  async lookUp(name: HostName): Promise<Lookup> {
    const deadline = performance.now() + this.#deadline;
    try {
      const servers = this.#servers.length > 0 ? this.#servers : new dns.Resolver().getServers();
      return await this.#ask(name, servers, deadline);
    } catch {
      return { 4: BAD, 6: BAD };
    }
  }

  /** c-ares goes on to the next server where one is silent; where one fails out loud, we do. */
  async #ask(name: HostName, servers: readonly string[], deadline: number): Promise<Lookup> {
    const found = await this.#askOnce(name, servers, deadline);
    const rest = servers.slice(1);
    if (rest.length === 0 || !hasFailedAloud(found) || performance.now() >= deadline) return found;
    const others = await this.#ask(name, rest, deadline);
    const better = (family: Family) => (found[family].kind === 'failed' ? others[family] : found[family]);
    return { 4: better(4), 6: better(6) };
  }

  async #askOnce(name: HostName, servers: readonly string[], deadline: number): Promise<Lookup> {
    const channel = new dns.Resolver({ timeout: TRY_MS, tries: TRIES });
    channel.setServers(servers);
    const timer = setTimeout(() => channel.cancel(), Math.max(0, deadline - performance.now()));
    this.#underWay.add(channel);
    try {
      const [four, six] = await Promise.all([
        answerOf(channel.resolve4(name, { ttl: true })),
        answerOf(channel.resolve6(name, { ttl: true })),
      ]);
      return { 4: four, 6: six };
    } finally {
      clearTimeout(timer);
      this.#underWay.delete(channel);
    }
  }

  /** Breaks off what is under way: it comes out as a time-out. */
  stop(): void {
    for (const channel of this.#underWay) channel.cancel();
  }
}

const BAD: FamilyAnswer = { kind: 'failed', why: 'bad' };

function hasFailedAloud(found: Lookup): boolean {
  return [found[4], found[6]].some((answer) => answer.kind === 'failed' && answer.why !== 'timeout');
}

async function answerOf(asked: Promise<readonly RecordWithTtl[]>): Promise<FamilyAnswer> {
  let records: readonly RecordWithTtl[];
  try {
    records = await asked;
  } catch (error) {
    const { code = '' } = error as { code?: string };
    if (code === 'ENOTFOUND') return { kind: 'nxdomain' };
    if (code === 'ENODATA') return { kind: 'empty' };
    return { kind: 'failed', why: FAILURES[code] ?? 'bad' };
  }
  // A chain of aliases that leads nowhere, or in a circle.
  if (records.length === 0) return { kind: 'empty' };
  try {
    const addresses = records.map(({ address }) => parseAddress(address));
    return { kind: 'addresses', addresses, ttl: seconds(Math.min(...records.map(({ ttl }) => ttlOf(ttl)))) };
  } catch {
    // An IPv4 address in IPv6 clothes, say.
    return BAD;
  }
}

/** RFC 2181, section 8: a TTL with the highest bit set counts as 0. c-ares tells that of the first 256 records only. */
function ttlOf(ttl: number | undefined): number {
  return ttl === undefined || ttl < 0 || ttl > 0x7fff_ffff ? 0 : ttl;
}
