import type { Address } from '../core/address.js';
import type { EventName, JournalEvent } from '../core/journal.js';
import type { NameNews, NameTracker } from '../core/names/tracker.js';
import { type Duration, formatDuration } from '../core/time.js';

/** What is said of a look-up, in the journal and in the log: one sentence for each event. */
export function eventsOf(tracker: NameTracker, news: NameNews, nxdomainAfter: Duration): Omit<JournalEvent, 'at'>[] {
  const { name, addresses } = tracker;
  const { entered, left, turn, isRoutine } = news;
  const event = (what: EventName, detail: string) => ({ event: what, detail: `${name}: ${detail}` });
  const why = problemsOf(tracker);
  const told: Omit<JournalEvent, 'at'>[] = [];
  if (turn === 'dropped') {
    const went = left.length > 0 ? `; out: ${left.join(', ')}` : '';
    told.push(event('name.dropped', `${why} for ${formatDuration(nxdomainAfter)}${went}`));
  } else if (entered.length + left.length > 0 && !isRoutine) {
    const isFirst = left.length === 0 && entered.length === addresses.length;
    const [address] = entered;
    const only = entered.length === 1 && address !== undefined ? { address } : {};
    told.push({ ...event(isFirst ? 'name.resolved' : 'name.moved', movement(entered, left)), ...only });
  }
  if (turn === 'failed') told.push(event('name.failed', `${why}${keptOf(tracker, nxdomainAfter)}`));
  if (turn === 'recovered') told.push(event('name.recovered', `it is ${addresses.join(', ')}`));
  return told;
}

/** What is wrong with a name; empty where nothing is. */
export function problemsOf({ problems }: Pick<NameTracker, 'problems'>): string {
  return problems.map(({ text }) => text).join('; ');
}

function movement(entered: readonly Address[], left: readonly Address[]): string {
  const parts = [
    ...(entered.length > 0 ? [`in: ${entered.join(', ')}`] : []),
    ...(left.length > 0 ? [`out: ${left.join(', ')}`] : []),
  ];
  return parts.join('; ');
}

function keptOf({ addresses, condition }: NameTracker, nxdomainAfter: Duration): string {
  if (addresses.length === 0) return '; it lets nobody in';
  const until = condition === 'missing' ? ` until there was none for ${formatDuration(nxdomainAfter)}` : '';
  return `; still in${until}: ${addresses.join(', ')}`;
}

/** What is wrong with which of these names, in words; null where nothing is. */
export function problemOfAll(trackers: readonly NameTracker[]): string | null {
  const bad = trackers.filter(({ problems }) => problems.length > 0);
  const [first] = bad;
  if (first === undefined) return null;
  const more = bad.length > 1 ? `, and ${bad.length - 1} more` : '';
  return `${first.name}: ${problemsOf(first)}${more}`;
}
