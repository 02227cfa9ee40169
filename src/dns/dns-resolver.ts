import { promises as dns, type RecordWithTtl } from 'node:dns';
import { parseAddress } from '../core/address.js';
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
 * Asks name servers by c-ares, in this process: no lock, no thread, and neither /etc/hosts nor a search list. Each look-up has a
 * channel of its own, so that it can be broken off alone, and so that a change of /etc/resolv.conf counts from the next
 * one on: a channel reads that file only when it is made.
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
    const channel = new dns.Resolver({ timeout: TRY_MS, tries: TRIES });
    const timer = setTimeout(() => channel.cancel(), this.#deadline);
    this.#underWay.add(channel);
    try {
      if (this.#servers.length > 0) channel.setServers(this.#servers);
      const [four, six] = await Promise.all([
        answerOf(channel.resolve4(name, { ttl: true })),
        answerOf(channel.resolve6(name, { ttl: true })),
      ]);
      return { 4: four, 6: six };
    } catch {
      return { 4: BAD, 6: BAD };
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
  return ttl === undefined || ttl < 0 ? 0 : ttl;
}
