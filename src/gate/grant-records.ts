import type { EndReason, Grant, GrantId } from '../core/grants/grant.js';
import type { Opened } from '../core/grants/ledger.js';
import type { JournalEvent } from '../core/journal.js';
import type { Change } from '../core/store.js';
import { type Clock, formatDuration, wallTime } from '../core/time.js';
import type { Log } from './log.js';
import type { Recorder } from './recorder.js';

export interface GrantRecordsOptions {
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly log: Log;
}

/** What store, journal and log are told of grants. */
export class GrantRecords {
  readonly #o: GrantRecordsOptions;
  /** What the kernel is being told of, and nobody else yet. */
  readonly #begun = new Map<GrantId, Opened[]>();

  constructor(options: GrantRecordsOptions) {
    this.#o = options;
  }

  /** The ledger has opened or renewed; `opened` or `undone` follows. */
  begin(one: Opened): void {
    const others = this.#begun.get(one.grant.id);
    if (others === undefined) this.#begun.set(one.grant.id, [one]);
    else others.push(one);
  }

  /** The kernel did not take it. */
  undone(one: Opened): void {
    this.#end(one);
  }

  /**
   * The kernel has it: what it is, what gave way, who shares the address. Nothing is recorded where the
   * end came first, and brought this with it (`endChanges`).
   */
  opened(one: Opened): Promise<void> {
    return this.#end(one) ? this.#o.recorder.record(this.#openingChanges(one)) : Promise.resolve();
  }

  #end(one: Opened): boolean {
    const { id } = one.grant;
    const begun = this.#begun.get(id) ?? [];
    const others = begun.filter((other) => other !== one);
    if (others.length > 0) this.#begun.set(id, others);
    else this.#begun.delete(id);
    return others.length < begun.length;
  }

  #openingChanges({ outcome, grant, evicted, sharedWith }: Opened): Change[] {
    const { user, target: address, services, method, id, note } = grant;
    const about = { user: user?.name ?? null, address, method, services, grant: id };
    const changes = [this.putChange(grant)];
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
    return changes;
  }

  /** The record of a grant as it stands. */
  putChange(grant: Grant): Change {
    return { kind: 'grant.put', record: { grant, expiresAt: wallTime(this.#o.clock, grant.expires), ended: null } };
  }

  /**
   * The end of a grant: its record, and the word in the journal. A beginning that was not recorded yet is recorded right away,
   * whatever the kernel will say of it: after a crash, a grant of which only the end was kept would be taken for one that nobody
   * knew.
   */
  endChanges(grant: Grant, reason: EndReason, detail: string | null): Change[] {
    for (const one of this.#begun.get(grant.id) ?? []) void this.opened(one);
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
