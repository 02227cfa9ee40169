import type { KernelElement } from '../core/firewall.js';
import type { Grant } from '../core/grants/grant.js';
import type { HeldTargets } from '../core/grants/held.js';
import type { GrantLedger } from '../core/grants/ledger.js';
import { restoreGrants, restoreHeld } from '../core/grants/restore.js';
import type { JournalEvent } from '../core/journal.js';
import type { Change, StoredState } from '../core/store.js';
import { type Clock, type Duration, type Instant, millis, wallTime } from '../core/time.js';
import type { Log } from './log.js';
import type { Recorder } from './recorder.js';

/** A grant whose recorded end is off by less is not recorded anew. */
const SMALL = millis(1000);

export interface RecoveryOptions {
  readonly state: StoredState;
  /** Null where the kernel has no table of ours. */
  readonly elements: readonly KernelElement[] | null;
  readonly boot: string | undefined;
  readonly maxTtl: Duration;
  readonly clock: Clock;
  readonly ledger: GrantLedger;
  readonly held: HeldTargets;
  readonly recorder: Recorder;
  readonly log: Log;
}

/** At the start: brings store, kernel and clocks together in the ledger, and records what was found out. */
export function recover(options: RecoveryOptions): void {
  const { state, elements, boot, maxTtl, clock, ledger, held, recorder, log } = options;
  const { boot_id, last_alive } = state.meta;
  const restored = restoreGrants(
    {
      records: state.grants,
      elements,
      isSameBoot: boot !== undefined && boot === boot_id,
      lastAlive: last_alive === undefined ? null : (Number(last_alive) as Instant),
      users: new Map(state.users.map((user) => [user.id, user])),
      maxTtl,
    },
    clock,
  );
  restoreHeld(held, state, clock);
  const recorded = new Map(
    state.grants.map(({ grant, expiresAt }) => [grant.id, { expires: grant.expires, expiresAt }]),
  );
  const adopted = new Set(restored.adopted);
  for (const grant of restored.live) {
    ledger.restore(grant);
    held.hold(grant.target, grant.expires);
    const known = recorded.get(grant.id);
    const expiresAt = wallTime(clock, grant.expires);
    const isKnown =
      known !== undefined &&
      Math.abs(known.expiresAt - expiresAt) < SMALL &&
      Math.abs(known.expires - grant.expires) < SMALL;
    if (isKnown) continue;
    const put: Change = { kind: 'grant.put', record: { grant, expiresAt, ended: null } };
    // Together, so that another crash leaves no grant without a word in the journal.
    const event = tell(grant, 'grant.opened', grant.openedAt, 'found in the kernel after a crash');
    void recorder.record(adopted.has(grant) ? [put, event] : [put]);
  }
  for (const grant of state.users.flatMap((user) => ledger.trim(user))) {
    const event = tell(grant, 'grant.revoked', clock.now(), 'gave way: the user has no more addresses');
    void recorder.record([{ kind: 'grant.end', id: grant.id, at: clock.now(), reason: 'evicted' }, event]);
  }
  for (const { id, grant, at } of restored.ended) {
    const event = tell(grant, 'grant.expired', at, 'while the gateway was not running');
    void recorder.record([{ kind: 'grant.end', id, at, reason: 'expired' }, event]);
  }
  if (restored.live.length > 0) {
    log.info({ grants: restored.live.length, adopted: restored.adopted.length }, 'grants restored');
  }
}

function tell(grant: Grant, event: JournalEvent['event'], at: Instant, detail: string): Change {
  const { target: address, user, services, method, id } = grant;
  return {
    kind: 'journal',
    event: { at, event, user: user?.name ?? null, address, services, method, grant: id, detail },
  };
}
