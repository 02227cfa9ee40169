import type { ClaimView, EntryView, GrantView, TrackedView } from '../../control/contract/views.js';
import { humanDuration, seconds } from '../../core/time.js';
import { clean, list } from '../text.js';
import { table } from './table.js';
import type { Terminal } from './terminal.js';

/** `59m 12s`. */
export function remaining(remainingSeconds: number): string {
  return humanDuration(seconds(remainingSeconds));
}

/** A moment for a person: `2026-03-01 08:00:00Z`. */
export function moment(iso: string): string {
  return clean(iso.replace('T', ' ').replace(/\.\d+Z$/, 'Z'));
}

/** Grants, the one that ends first on top. */
export function grantTable(terminal: Terminal, grants: readonly (GrantView & Seen)[]): Promise<string> {
  const rows = [...grants]
    .sort((a, b) => a.remaining_s - b.remaining_s)
    .map((grant) => [
      terminal.paint('bold', clean(grant.address)),
      clean(grant.user ?? '-'),
      list(grant.services),
      grant.method,
      terminal.paint(grant.remaining_s < 60 ? 'yellow' : 'green', `${remaining(grant.remaining_s)} left`),
      ...seen(terminal, grant),
      terminal.paint('dim', clean(grant.id)),
      clean(grant.note ?? ''),
    ]);
  const head = ['address', 'user', 'services', 'method', 'until', ...seenHead(grants), 'id', 'note'];
  return table(terminal, head, rows);
}

/** Entries, then the host names among them, each under a head; none where there are none. */
export async function entryBlocks(terminal: Terminal, entries: readonly (EntryView & Seen)[]): Promise<string[]> {
  const fixed = entries.filter(({ tracked }) => tracked === null);
  const names = entries.filter(({ tracked }) => tracked !== null);
  const head = (text: string) => `${terminal.paint('bold', text)}\n`;
  return [
    ...(fixed.length > 0 ? [head('Let in until removed') + (await entryTable(terminal, fixed))] : []),
    ...(names.length > 0 ? [head('Host names, let in until removed') + (await nameTable(terminal, names))] : []),
  ];
}

function entryTable(terminal: Terminal, entries: readonly (EntryView & Seen)[]): Promise<string> {
  const rows = entries.map((entry) => [
    terminal.paint('bold', clean(entry.target)),
    list(entry.services),
    entry.source,
    ...seen(terminal, entry),
    terminal.paint('dim', clean(entry.id)),
    clean(entry.note ?? ''),
  ]);
  return table(terminal, ['target', 'services', 'from', ...seenHead(entries), 'id', 'note'], rows);
}

/** Only a list tells when somebody was last seen. */
interface Seen {
  readonly last_seen?: string | null;
}

const seenHead = ([first]: readonly Seen[]) => (first?.last_seen === undefined ? [] : ['last seen']);

function seen(terminal: Terminal, { last_seen }: Seen): string[] {
  if (last_seen === undefined) return [];
  return [last_seen === null ? terminal.paint('dim', 'not lately') : moment(last_seen)];
}

function nameTable(terminal: Terminal, entries: readonly (EntryView & Seen)[]): Promise<string> {
  const rows = entries.flatMap(({ target, services, source, id, note, tracked, ...rest }) =>
    tracked === null
      ? []
      : [
          [
            terminal.paint('bold', clean(target)),
            list(services),
            ...trackedCells(terminal, tracked),
            source,
            ...seen(terminal, rest),
            terminal.paint('dim', clean(id)),
            clean([note, tracked.detail].filter((text) => text !== null).join('; ')),
          ],
        ],
  );
  return table(
    terminal,
    ['name', 'services', 'addresses', 'state', 'resolved', 'from', ...seenHead(entries), 'id', 'note'],
    rows,
  );
}

/** A host name's addresses, state and latest answer. */
export function trackedCells(terminal: Terminal, { addresses, state, resolved_at }: TrackedView): string[] {
  return [
    addresses.length === 0 ? '-' : list(addresses),
    terminal.paint(state === 'ok' ? 'green' : 'yellow', state),
    resolved_at === null ? 'never' : moment(resolved_at),
  ];
}

/** What a host name that was just let in stands for. */
export function namedNow({ addresses, detail, state }: TrackedView): string {
  const why = detail === null ? '' : ` (${clean(detail)})`;
  if (addresses.length > 0) return `it is ${list(addresses)}${why}, and followed wherever it moves`;
  return `it has no address now${why}: it lets nobody in until it has${state === 'missing' ? '; is it spelt right?' : ''}`;
}

/** `203.0.113.7 (alice, ssh)`. */
export function grantLine(grant: GrantView): string {
  const what = [...(grant.user === null ? [] : [grant.user]), ...grant.services];
  return `${clean(grant.address)} (${list(what)})`;
}

export function entryLine(entry: EntryView): string {
  return `${clean(entry.target)} (${list(entry.services)})`;
}

/** What a claim waits for. */
export const WAITS_FOR: Readonly<Record<ClaimView['waits_for'], string>> = {
  code: 'its code by phone',
  call: 'a call',
  callback: 'an answer to our call',
};
