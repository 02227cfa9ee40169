import type { EndReason, Grant, GrantRecord } from '../core/grants/grant.js';
import type { GrantLedger, Opened } from '../core/grants/ledger.js';
import type { JournalEvent } from '../core/journal.js';
import type { Change } from '../core/store.js';
import { type Clock, formatDuration, wallTime } from '../core/time.js';
import type { Log } from './log.js';
import type { Recorder } from './recorder.js';

export interface GrantRecordsOptions {
  readonly ledger: GrantLedger;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly log: Log;
}

/** What store, journal and log are told of grants. */
export class GrantRecords {
  readonly #o: GrantRecordsOptions;

  constructor(options: GrantRecordsOptions) {
    this.#o = options;
  }

  /** A grant was opened or renewed: what it is, what gave way, who shares the address. */
  opened({ outcome, grant, evicted, sharedWith }: Opened): Promise<void> {
    const { user, target: address, services, method, id, note } = grant;
    const about = { user: user?.name ?? null, address, method, services, grant: id };
    // Where it was ended while the kernel opened it, its end came before its record, and must stand.
    const isOver = this.#o.ledger.get(id) === undefined;
    const changes = [this.putChange(grant, isOver ? { at: this.#o.clock.now(), reason: 'revoked' } : null)];
    const event = outcome === 'opened' ? 'grant.opened' : 'grant.renewed';
    const detail = `for ${formatDuration(grant.ttl)}${note === null ? '' : `: ${note}`}`;
    changes.push(this.#journal({ event, ...about, detail }));
    for (const old of evicted) {
      this.logEnd(old, 'evicted');
      changes.push(...this.endChanges(old, 'evicted', `gave way to ${address}: the user has no more addresses`));
    }
    if (sharedWith.length > 0) {
      const others = sharedWith.join(', ');
      changes.push(
        this.#journal({
          event: 'address.shared',
          ...about,
          detail: `also open here: ${others}; each can use what the others opened`,
        }),
      );
      this.#o.log.warn({ user: about.user, address, others: sharedWith }, 'several users behind one address');
    }
    this.#o.log.info({ user: about.user, address, services, method, grant: id, ttl: formatDuration(grant.ttl) }, event);
    return this.#o.recorder.record(changes);
  }

  /** The record of a grant as it stands. */
  putChange(grant: Grant, ended: GrantRecord['ended'] = null): Change {
    return { kind: 'grant.put', record: { grant, expiresAt: wallTime(this.#o.clock, grant.expires), ended } };
  }

  /** The end of a grant: its record, and the word in the journal. */
  endChanges(grant: Grant, reason: EndReason, detail: string | null): Change[] {
    const { user, target: address, services, method, id } = grant;
    const { clock } = this.#o;
    // A daemon that was frozen hears of an expiry late; the kernel kept the time.
    const at = reason === 'expired' ? wallTime(clock, grant.expires) : clock.now();
    const event = endEvent(reason);
    return [
      { kind: 'grant.end', id, at, reason },
      { kind: 'journal', event: { at, event, user: user?.name ?? null, address, services, method, grant: id, detail } },
    ];
  }

  /** Says in the log that it has ended. */
  logEnd({ user, target: address, method, id }: Grant, reason: EndReason): void {
    this.#o.log.info({ user: user?.name ?? null, address, method, grant: id }, endEvent(reason));
  }

  #journal(event: Omit<JournalEvent, 'at'>): Change {
    return { kind: 'journal', event: { at: this.#o.clock.now(), ...event } };
  }

  /** A word in the journal, whenever it can be written. */
  tell(event: Omit<JournalEvent, 'at'>): void {
    void this.#o.recorder.record([this.#journal(event)]);
  }
}

function endEvent(reason: EndReason): 'grant.expired' | 'grant.revoked' {
  return reason === 'expired' ? 'grant.expired' : 'grant.revoked';
}
