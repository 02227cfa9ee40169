import { type Address, parseAddress, parseTarget, type Target } from '../core/address.js';
import type { Entry } from '../core/entry.js';
import type { EndReason, Grant, GrantId, GrantRecord, Method } from '../core/grants/grant.js';
import { parseGrantId } from '../core/grants/id.js';
import type { EventName, JournalEvent } from '../core/journal.js';
import { parseHostName } from '../core/names/host-name.js';
import type { NameEntry, ResolvedName } from '../core/names/name-entry.js';
import { formatSequence, LONGEST_SEQUENCE, parseSequence, type Sequence, SHORTEST_SEQUENCE } from '../core/sequence.js';
import { ALL, EVERYTHING, type Scope, SERVICE_NAME, type ServiceName } from '../core/service.js';
import type { MetaKey, NumberedEvent } from '../core/store.js';
import type { Duration, Instant, Monotonic } from '../core/time.js';
import { type Approval, LARGEST_SEQUENCE_ID, parsePhoneNumber, parseUserName, type User } from '../core/user.js';
import { bad, isNull, oneOf, parsed, type Row, text, textLike, textOrNull, whole } from './columns.js';

// What core knows as types, as rows and back. A `…Row` never throws on a value that breaks its type: the decoder, which
// every row passes before it is written too, is the one judge. Times are whole milliseconds, rounded down: an expiry read
// back is never later than the one recorded.

const METHODS: Readonly<Record<Method, true>> = { knock: true, spa: true, phone: true, cli: true, console: true };
const END_REASONS: Readonly<Record<EndReason, true>> = { expired: true, revoked: true, evicted: true };
const APPROVED_BY: Readonly<Record<Approval, true>> = { none: true, phone: true, callback: true };
const SOURCES: Readonly<Record<Entry['source'], true>> = { operator: true, setup: true, config: true };

const EVENT_NAME = /^[a-z]+\.[a-z]+$/;
const ACCOUNT = /^\d{1,32}$/;
const META_KEY = /^[a-z_]{1,64}$/;
const ENTRY_ID = /^\S{1,64}$/;

export function userRow(user: User): Row {
  return {
    id: user.id,
    name: user.name,
    services: scopeText(user.services),
    ttl: floor(user.ttl),
    max_addresses: user.maxAddresses,
    account: user.account ?? null,
    pin_hash: user.pinHash ?? null,
    approval: user.approval,
    number: user.number ?? null,
    created_at: floor(user.createdAt),
    sequence_id: user.sequenceId,
    steps: Array.isArray(user.sequence) ? formatSequence(user.sequence) : null,
  };
}

export function toUser(row: Row): User {
  return {
    id: whole(row, 'id', 1),
    name: parsed(row, 'name', parseUserName),
    services: toScope(row, 'services'),
    ttl: isNull(row, 'ttl') ? null : (whole(row, 'ttl', 1) as Duration),
    maxAddresses: whole(row, 'max_addresses', 1),
    sequenceId: whole(row, 'sequence_id', 1, LARGEST_SEQUENCE_ID),
    sequence: parsed(row, 'steps', toSequence),
    account: isNull(row, 'account') ? null : textLike(row, 'account', ACCOUNT),
    pinHash: textOrNull(row, 'pin_hash'),
    approval: oneOf(row, 'approval', APPROVED_BY),
    number: isNull(row, 'number') ? null : parsed(row, 'number', parsePhoneNumber),
    createdAt: whole(row, 'created_at') as Instant,
  };
}

export function entryRow(entry: Entry): Row {
  return {
    id: entry.id,
    target: entry.target,
    services: scopeText(entry.services),
    note: entry.note ?? null,
    source: entry.source,
    created_at: floor(entry.createdAt),
  };
}

export function toEntry(row: Row): Entry {
  return {
    id: textLike(row, 'id', ENTRY_ID),
    target: parsed(row, 'target', parseTarget),
    services: toScope(row, 'services'),
    note: textOrNull(row, 'note'),
    source: oneOf(row, 'source', SOURCES),
    createdAt: whole(row, 'created_at') as Instant,
  };
}

export function nameRow(entry: NameEntry): Row {
  const { id, name, services, note, createdAt } = entry;
  return { id, name, services: scopeText(services), note, created_at: floor(createdAt) };
}

export function toNameEntry(row: Row): NameEntry {
  return {
    id: textLike(row, 'id', ENTRY_ID),
    name: parsed(row, 'name', parseHostName),
    services: toScope(row, 'services'),
    note: textOrNull(row, 'note'),
    source: 'operator',
    createdAt: whole(row, 'created_at') as Instant,
  };
}

export function resolvedRow({ name, addresses, resolvedAt, missingSince }: ResolvedName): Row {
  return {
    name,
    addresses: JSON.stringify(addresses),
    resolved_at: floor(resolvedAt),
    missing_since: floor(missingSince),
  };
}

export function toResolved(row: Row): ResolvedName {
  return {
    name: parsed(row, 'name', parseHostName),
    addresses: parsed(row, 'addresses', parseAddresses),
    resolvedAt: isNull(row, 'resolved_at') ? null : (whole(row, 'resolved_at') as Instant),
    missingSince: isNull(row, 'missing_since') ? null : (whole(row, 'missing_since') as Instant),
  };
}

export function grantRow({ grant, expiresAt, ended }: GrantRecord): Row {
  return {
    id: grant.id,
    user_id: grant.user?.id ?? null,
    user_name: grant.user?.name ?? null,
    target: grant.target,
    services: scopeText(grant.services),
    method: grant.method,
    opened_at: floor(grant.openedAt),
    expires_at: floor(expiresAt),
    expires_mono: floor(grant.expires),
    ttl: floor(grant.ttl),
    note: grant.note ?? null,
    ended_at: ended ? floor(ended.at) : null,
    end_reason: ended ? ended.reason : null,
  };
}

export function toGrantRecord(row: Row): GrantRecord {
  return {
    grant: {
      id: toGrantId(row, 'id'),
      user: isNull(row, 'user_id') && isNull(row, 'user_name') ? null : toHolder(row),
      target: parsed(row, 'target', parseTarget),
      services: toScope(row, 'services'),
      method: oneOf(row, 'method', METHODS),
      openedAt: whole(row, 'opened_at') as Instant,
      expires: whole(row, 'expires_mono') as Monotonic,
      ttl: whole(row, 'ttl', 0) as Duration,
      note: textOrNull(row, 'note'),
    },
    expiresAt: whole(row, 'expires_at') as Instant,
    ended:
      isNull(row, 'ended_at') && isNull(row, 'end_reason')
        ? null
        : { at: whole(row, 'ended_at') as Instant, reason: oneOf(row, 'end_reason', END_REASONS) },
  };
}

export function eventRow(event: JournalEvent): Row {
  return {
    at: floor(event.at),
    event: event.event,
    user: event.user ?? null,
    address: event.address ?? null,
    method: event.method ?? null,
    services: event.services ? scopeText(event.services) : null,
    grant_id: event.grant ?? null,
    detail: event.detail ?? null,
  };
}

/** The names of events are not held against a list: a journal that a later version wrote on is no damage. */
export function toEvent(row: Row): JournalEvent {
  return {
    at: whole(row, 'at') as Instant,
    event: textLike(row, 'event', EVENT_NAME) as EventName,
    user: textOrNull(row, 'user'),
    address: isNull(row, 'address') ? null : parsed<Target>(row, 'address', parseTarget),
    method: isNull(row, 'method') ? null : oneOf(row, 'method', METHODS),
    services: isNull(row, 'services') ? null : toScope(row, 'services'),
    grant: isNull(row, 'grant_id') ? null : toGrantId(row, 'grant_id'),
    detail: textOrNull(row, 'detail'),
  };
}

export function toNumberedEvent(row: Row): NumberedEvent {
  return { seq: whole(row, 'seq', 1), ...toEvent(row) };
}

export function endRow(end: { readonly id: GrantId; readonly at: Instant; readonly reason: EndReason }): Row {
  return { id: end.id, ended_at: floor(end.at), end_reason: end.reason };
}

export function toEnd(row: Row): NonNullable<GrantRecord['ended']> & { readonly id: GrantId } {
  return {
    id: toGrantId(row, 'id'),
    at: whole(row, 'ended_at') as Instant,
    reason: oneOf(row, 'end_reason', END_REASONS),
  };
}

export function metaRow(key: MetaKey, value: string): Row {
  return { key, value };
}

export function toMeta(row: Row): readonly [MetaKey, string] {
  return [textLike(row, 'key', META_KEY) as MetaKey, text(row, 'value')];
}

/** Whole milliseconds; what is not a number stays as it is, for the decoder to refuse. */
function floor<T>(value: T): T | number {
  return typeof value === 'number' ? Math.floor(value) : value;
}

function scopeText(scope: Scope): string {
  return JSON.stringify(scope);
}

/** Few scopes and users serve many rows: each is parsed once, and the rows share it. */
const MOST_SHARED = 10_000;
const scopes = new Map<string, Scope>();
const holders = new Map<number, NonNullable<Grant['user']>>();

function share<K, V>(shared: Map<K, V>, key: K, value: V): V {
  if (shared.size >= MOST_SHARED) shared.clear();
  shared.set(key, value);
  return value;
}

function toScope(row: Row, column: string): Scope {
  const value = text(row, column);
  return scopes.get(value) ?? share(scopes, value, parsed(row, column, parseScope));
}

function toHolder(row: Row): NonNullable<Grant['user']> {
  const id = whole(row, 'user_id', 1);
  const known = holders.get(id);
  if (known !== undefined && known.name === row.user_name) return known;
  return share(holders, id, { id, name: parsed(row, 'user_name', parseUserName) });
}

function parseScope(value: string): Scope {
  const names: unknown = JSON.parse(value);
  if (!Array.isArray(names) || names.length === 0 || !names.every(isServiceName)) return bad('services');
  return names.includes(ALL) ? EVERYTHING : [...new Set(names)].sort();
}

function parseAddresses(value: string): Address[] {
  const addresses: unknown = JSON.parse(value);
  return Array.isArray(addresses) ? addresses.map((one) => parseAddress(String(one))) : bad('addresses');
}

function toGrantId(row: Row, column: string): GrantId {
  const value = text(row, column);
  return parseGrantId(value) === value ? (value as GrantId) : bad(column);
}

function isServiceName(name: unknown): name is ServiceName {
  return typeof name === 'string' && SERVICE_NAME.test(name);
}

function toSequence(value: string): Sequence {
  const sequence = parseSequence(value);
  return sequence.length >= SHORTEST_SEQUENCE && sequence.length <= LONGEST_SEQUENCE ? sequence : bad('steps');
}
