import type { ElementPlace, Firewall, KernelElement } from '../core/firewall.js';
import type { ElementIndex } from '../core/grants/element-index.js';
import { isHashTarget } from '../core/grants/elements.js';
import type { Grant, GrantId } from '../core/grants/grant.js';
import type { HeldTargets } from '../core/grants/held.js';
import type { GrantLedger } from '../core/grants/ledger.js';
import { type Remains, restoreGrants, restoring, restoringHeld } from '../core/grants/restore.js';
import type { JournalEvent } from '../core/journal.js';
import type { Change, StoredState } from '../core/store.js';
import { type Clock, type Duration, type Instant, millis, wallTime } from '../core/time.js';
import type { User } from '../core/user.js';
import type { Adoption } from './contents-repair.js';
import type { Log } from './log.js';
import { newPace } from './pace.js';
import type { Recorder } from './recorder.js';

/** A grant whose recorded end is off by less is not recorded anew. */
const SMALL = millis(1000);

export interface RecoveryOptions {
  readonly state: StoredState;
  /** The users there are at the moment, by their ids. */
  readonly users: () => ReadonlyMap<number, User>;
  /** Null where the kernel has no table of ours. */
  readonly elements: Iterable<KernelElement> | null;
  readonly boot: string | undefined;
  readonly maxTtl: Duration;
  readonly clock: Clock;
  readonly ledger: GrantLedger;
  readonly held: HeldTargets;
  readonly recorder: Recorder;
  readonly log: Log;
}

/** Adds what a quick reading of the kernel has missed: the elements of recorded grants, each looked up by itself. */
export async function complete(
  elements: ElementIndex<KernelElement>,
  {
    firewall,
    state,
    ipv6Prefix,
    clock,
  }: { firewall: Firewall; state: StoredState; ipv6Prefix: 64 | 128; clock: Clock },
): Promise<void> {
  const pace = newPace(clock);
  const missed: ElementPlace[] = [];
  for (const { grant, ended } of state.grants) {
    if (ended !== null || !isHashTarget(grant.target, ipv6Prefix)) continue;
    for (const scope of grant.services) {
      const isSeen = elements.get(scope, grant.target) !== undefined;
      if (!isSeen && firewall.scopes.has(scope)) missed.push({ scope, target: grant.target });
    }
    if (pace.isDue) await pace.rest();
  }
  if (missed.length === 0) return;
  for (const element of await firewall.findElements(missed)) elements.add(element);
}

/**
 * At the start: brings store, kernel and clocks together in the ledger, and records what was found out.
 * @returns what adopts a grant that was not found yet
 */
export async function recover(options: RecoveryOptions): Promise<Adoption> {
  const { state, elements, maxTtl, clock, ledger, held, recorder, log } = options;
  const pace = newPace(clock);
  const remains: Remains = {
    records: state.grants,
    elements,
    isSameBoot: options.boot !== undefined && options.boot === state.meta.boot_id,
    lastAlive: state.meta.last_alive === undefined ? null : (Number(state.meta.last_alive) as Instant),
    users: options.users(),
    maxTtl,
  };
  const restored = await pace.finish(restoring(remains, clock));
  await pace.finish(restoringHeld(held, state, clock));
  const recorded = new Map<GrantId, (typeof state.grants)[number]>();
  for (const record of state.grants) recorded.set(record.grant.id, record);
  const adopted = new Set(restored.adopted);
  for (const grant of restored.orphaned) void recorder.record(orphaned(grant, clock));
  for (const grant of restored.live) {
    ledger.restore(grant);
    held.hold(grant.target, grant.expires);
    if (adopted.has(grant)) void recorder.record(adoption(grant, clock));
    else if (!isAsRecorded(grant, recorded.get(grant.id), clock)) void recorder.record([put(grant, clock)]);
    if (pace.isDue) await pace.rest();
  }
  for (const grant of state.users.flatMap((user) => ledger.trim(user))) {
    const event = tell(grant, 'grant.revoked', clock.now(), 'gave way: the user has no more addresses');
    void recorder.record([{ kind: 'grant.end', id: grant.id, at: clock.now(), reason: 'evicted' }, event]);
  }
  for (const { id, grant, at } of restored.ended) {
    const event = tell(grant, 'grant.expired', at, 'while the gateway was not running');
    void recorder.record([{ kind: 'grant.end', id, at, reason: 'expired' }, event]);
    if (pace.isDue) await pace.rest();
  }
  if (restored.live.length > 0) {
    log.info({ grants: restored.live.length, adopted: restored.adopted.length }, 'grants restored');
  }
  return adopter(new Set(recorded.keys()), { ...remains, records: [], elements: null }, options);
}

/**
 * What the records knew, or the ledger has had since, is passed over. A function of its own, so that what it returns keeps
 * nothing of the state that was loaded but the ids.
 */
function adopter(
  known: ReadonlySet<GrantId>,
  remains: Remains,
  {
    users,
    clock,
    ledger,
    held,
    recorder,
    log,
  }: Pick<RecoveryOptions, 'users' | 'clock' | 'ledger' | 'held' | 'recorder' | 'log'>,
): Adoption {
  const take = (elements: readonly KernelElement[]) => {
    const isNew = ({ id }: Grant) => !known.has(id) && !ledger.hasHad(id);
    const restored = restoreGrants({ ...remains, users: users(), elements }, clock);
    for (const grant of restored.orphaned.filter(isNew)) void recorder.record(orphaned(grant, clock));
    for (const grant of restored.adopted.filter(isNew)) {
      ledger.restore(grant);
      held.hold(grant.target, grant.expires);
      void recorder.record(adoption(grant, clock));
      log.info({ address: grant.target, grant: grant.id }, 'a grant from before the crash was found');
    }
  };
  return { take, end: () => ledger.forgetEnded() };
}

function isAsRecorded(grant: Grant, record: StoredState['grants'][number] | undefined, clock: Clock): boolean {
  return (
    record !== undefined &&
    Math.abs(record.expiresAt - wallTime(clock, grant.expires)) < SMALL &&
    Math.abs(record.grant.expires - grant.expires) < SMALL
  );
}

function put(grant: Grant, clock: Clock): Change {
  return { kind: 'grant.put', record: { grant, expiresAt: wallTime(clock, grant.expires), ended: null } };
}

/** Together, so that another crash leaves no grant without a word in the journal. */
function adoption(grant: Grant, clock: Clock): Change[] {
  return [put(grant, clock), tell(grant, 'grant.opened', grant.openedAt, 'found in the kernel after a crash')];
}

/** Nobody is to be let in by it: what the kernel still has of it is taken out as something that nothing asks for. */
function orphaned(grant: Grant, clock: Clock): Change[] {
  const record = {
    grant,
    expiresAt: wallTime(clock, grant.expires),
    ended: { at: clock.now(), reason: 'revoked' },
  } as const;
  return [
    { kind: 'grant.put', record },
    tell(grant, 'grant.opened', grant.openedAt, 'found in the kernel after a crash'),
    tell(grant, 'grant.revoked', clock.now(), 'the user was removed'),
  ];
}

function tell(grant: Grant, event: JournalEvent['event'], at: Instant, detail: string): Change {
  const { target: address, user, services, method, id } = grant;
  return {
    kind: 'journal',
    event: { at, event, user: user?.name ?? null, address, services, method, grant: id, detail },
  };
}
