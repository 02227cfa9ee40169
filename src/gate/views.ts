import type { Config } from '../config/config.js';
import type {
  ClaimView,
  EntryView,
  GrantView,
  IgnoredView,
  JournalView,
  StatusView,
  StrikesView,
  UserCard,
  UserView,
} from '../control/contract/gateway.js';
import type { Claim } from '../core/claims.js';
import type { Entry } from '../core/entry.js';
import type { Grant } from '../core/grants/grant.js';
import type { IgnoredSource, StrikeLimit } from '../core/knock/strikes.js';
import type { PhoneHealth } from '../core/phone/link.js';
import { formatPortRange } from '../core/ports.js';
import { canCarryCode } from '../core/sequence.js';
import { ALL, type Services } from '../core/service.js';
import type { NumberedEvent } from '../core/store.js';
import { after, between, type Clock, type Duration, toIso, wallTime } from '../core/time.js';
import type { User } from '../core/user.js';
import type { NameDesk, TrackedEntry } from './name-desk.js';
import { problemsOf } from './name-words.js';
import type { People } from './people.js';

/** So many ignored sources are named by `status`, the latest. */
const MOST_IGNORED = 50;

/** Seconds with milliseconds, as JSON has durations. */
export function inSeconds(duration: Duration): number {
  return Math.round(duration) / 1000;
}

export function viewGrant(grant: Grant, clock: Clock): GrantView {
  const remaining = between(clock.monotonic(), grant.expires);
  return {
    id: grant.id,
    address: grant.target,
    user: grant.user?.name ?? null,
    services: [...grant.services],
    method: grant.method,
    opened_at: toIso(grant.openedAt),
    expires_at: toIso(wallTime(clock, grant.expires)),
    remaining_s: Math.max(0, inSeconds(remaining)),
    ttl_s: inSeconds(grant.ttl),
    note: grant.note,
  };
}

/** Those of the claims that count, without their codes. */
export function viewClaims(claims: readonly Claim[], people: People, clock: Clock): ClaimView[] {
  return claims.flatMap(({ user: { id, name, sequenceId }, address, code, expires }) => {
    const user = people.ofSequence(sequenceId);
    if (user?.id !== id) return [];
    const remaining = Math.max(0, inSeconds(between(clock.monotonic(), expires)));
    const waitsFor = code !== null ? 'code' : user.approval === 'callback' ? 'callback' : 'call';
    const until = toIso(wallTime(clock, expires));
    return { address, user: name, method: 'knock', waits_for: waitsFor, expires_at: until, remaining_s: remaining };
  });
}

export function viewPhone({ state, detail, calls }: PhoneHealth): NonNullable<StatusView['parts']['phone']> {
  return { state, ...(detail === null ? {} : { detail }), calls };
}

export function viewEntry(entry: Entry): EntryView {
  const { id, target, services, note, source, createdAt } = entry;
  return { id, target, services: [...services], note, source, created_at: toIso(createdAt), tracked: null };
}

/** A host name in the form of an entry. */
export function viewName({ entry, tracker }: TrackedEntry, clock: Clock): EntryView {
  const { id, name, services, note, source, createdAt } = entry;
  const { resolvedAt } = tracker.record();
  return {
    ...{ id, target: name, services: [...services], note, source, created_at: toIso(createdAt) },
    tracked: {
      state: tracker.condition,
      addresses: [...tracker.addresses],
      resolved_at: resolvedAt === null ? null : toIso(resolvedAt),
      next_at: toIso(wallTime(clock, tracker.due)),
      detail: tracker.problems.length === 0 ? null : problemsOf(tracker),
    },
  };
}

export function viewNames({ size, problem }: NameDesk): NonNullable<StatusView['parts']['names']> {
  return { state: problem === null ? 'ok' : 'degraded', detail: problem ?? `${size} tracked`, tracked: size };
}

export function viewUser(user: User, open: number): UserView {
  return {
    name: user.name,
    services: [...user.services],
    ttl_s: user.ttl === null ? null : inSeconds(user.ttl),
    max_addresses: user.maxAddresses,
    ports: user.sequence.length,
    account: user.account,
    pin_set: user.pinHash !== null,
    approval: user.approval,
    number: user.number,
    created_at: toIso(user.createdAt),
    open,
  };
}

/** The card holds the sequence: it is for the user and for nobody else. */
export function viewCard(user: User, { services, grants, phone }: Config): UserCard {
  const canPair = phone.configured && user.account !== null && user.pinHash !== null && canCarryCode(user.sequence);
  return {
    name: user.name,
    sequence: user.sequence.map(({ protocol, port }) => ({ protocol, port })),
    services: [...user.services],
    ttl_s: inSeconds(user.ttl ?? grants.ttl),
    approval: user.approval,
    host: null,
    wait: observablePort(user, services),
    call: canPair ? phone.extension : null,
  };
}

export function viewEvent(event: NumberedEvent): JournalView {
  return {
    seq: event.seq,
    at: toIso(event.at),
    event: event.event,
    user: event.user ?? null,
    address: event.address ?? null,
    method: event.method ?? null,
    services: event.services === undefined || event.services === null ? null : [...event.services],
    grant: event.grant ?? null,
    detail: event.detail ?? null,
  };
}

export function viewIgnored({ target, remaining }: IgnoredSource, clock: Clock): IgnoredView {
  const until = wallTime(clock, after(clock.monotonic(), remaining));
  return { address: target, until: toIso(until), remaining_s: Math.max(0, inSeconds(remaining)) };
}

/** `ignored` is null where it could not be read. */
export function viewStrikes(
  limit: StrikeLimit | null,
  ignored: readonly IgnoredSource[] | null,
  clock: Clock,
): StrikesView | null {
  if (limit === null) return null;
  const latest = [...(ignored ?? [])].sort((a, b) => b.remaining - a.remaining).slice(0, MOST_IGNORED);
  return {
    limit: limit.wrong,
    per_s: inSeconds(limit.per),
    ignore_s: inSeconds(limit.ignoreFor),
    ignored_count: ignored?.length ?? null,
    ignored: latest.map((one) => viewIgnored(one, clock)),
  };
}

/** A TCP port that answers once it is open: the first of the user's services, in the order of the configuration. */
function observablePort(user: User, services: Services): string | null {
  const isMine = (name: string) => user.services.includes(ALL) || (user.services as readonly string[]).includes(name);
  const ranges = [...services].filter(([name]) => isMine(name)).flatMap(([, mine]) => mine);
  const tcp = ranges.find(({ protocol, first, last }) => protocol === 'tcp' && first === last);
  return tcp === undefined ? null : formatPortRange(tcp);
}
