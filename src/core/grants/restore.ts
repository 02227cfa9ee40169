import type { Target } from '../address.js';
import type { KernelElement } from '../firewall.js';
import type { ServiceName } from '../service.js';
import type { StoredState } from '../store.js';
import { after, between, type Clock, type Duration, type Instant, type Monotonic, millis } from '../time.js';
import type { User } from '../user.js';
import { type CommentedGrant, namesAlone, parseComment } from './comment.js';
import { parseDeparted } from './departed.js';
import type { Grant, GrantId, GrantRecord } from './grant.js';
import type { HeldTargets } from './held.js';

/** What the clocks have gone through since the records were written. */
export interface Lapse {
  /** Whether the records were written since the machine was booted, so that their monotonic times hold. */
  readonly isSameBoot: boolean;
  /** The wall clock when the daemon was last known to run. */
  readonly lastAlive: Instant | null;
  readonly maxTtl: Duration;
}

/**
 * A recorded grant with the end that it has now, which may be past. The kernel's timeout is the truth where the elements that
 * name the grant name it alone. Without such an element a grant gets what is left of its time: exactly so within one boot;
 * after a boot by the wall clock, but never more than was left when the daemon was last known to run, so a clock set wrong at
 * boot cannot lengthen it.
 * @param elements what the kernel has for the services and the target of the grant
 */
export function restoreGrant(
  record: GrantRecord,
  elements: readonly KernelElement[],
  lapse: Lapse,
  clock: Clock,
): Grant {
  const { grant } = record;
  const now = clock.monotonic();
  const until = aloneUntil(grant.id, elements) ?? after(now, timeLeft(record, lapse, clock));
  return { ...grant, expires: Math.min(until, after(now, lapse.maxTtl)) as Monotonic };
}

/** When the kernel ends a grant; undefined where it does not tell. */
function aloneUntil(id: GrantId, elements: readonly KernelElement[]): Monotonic | undefined {
  let found: Monotonic | undefined;
  for (const { until, comment } of elements) {
    if (until === null || comment === null) continue;
    if (namesAlone(comment, id)) found ??= until;
    else if (parseComment(comment).some((one) => one.id === id)) return undefined;
  }
  return found;
}

/** Grants that only the kernel knows: opened just before a crash. */
export interface Adopted {
  readonly adopted: readonly Grant[];
  /** Of users who were removed meanwhile: they are to end. */
  readonly orphaned: readonly Grant[];
}

/** The grants of which elements tell, each element given once, and of which nobody else knows. */
export function adoptGrants(
  elements: Iterable<KernelElement>,
  isKnown: (id: GrantId) => boolean,
  users: Users,
  lapse: Lapse,
  clock: Clock,
): Adopted {
  const adopted: Grant[] = [];
  const orphaned: Grant[] = [];
  for (const stranger of strangersAmong(elements, isKnown)) {
    const { userId } = stranger.commented;
    const list = userId === null || users.has(userId) ? adopted : orphaned;
    list.push(adopt(stranger, users, lapse, clock));
  }
  return { adopted, orphaned };
}

export type Users = ReadonlyMap<number, Pick<User, 'id' | 'name'>>;

/** A grant that only the kernel knows. */
interface Stranger {
  readonly commented: CommentedGrant;
  readonly target: Target;
  /** When its element ends, which other grants may share. */
  readonly until: Monotonic;
  readonly scopes: ServiceName[];
  /** Whether all elements that name it name no other. */
  isAlone: boolean;
}

function strangersAmong(elements: Iterable<KernelElement>, isKnown: (id: GrantId) => boolean): Iterable<Stranger> {
  const strangers = new Map<GrantId, Stranger>();
  for (const { scope, target, until, comment } of elements) {
    if (until === null || comment === null) continue;
    const named = parseComment(comment);
    const isAlone = named.length === 1;
    for (const commented of named) {
      if (isKnown(commented.id)) continue;
      const known = strangers.get(commented.id);
      if (known === undefined) {
        strangers.set(commented.id, { commented, target, until, scopes: [scope as ServiceName], isAlone });
      } else {
        known.scopes.push(scope as ServiceName);
        known.isAlone &&= isAlone;
      }
    }
  }
  return strangers.values();
}

function timeLeft({ grant, expiresAt }: GrantRecord, lapse: Lapse, clock: Clock): Duration {
  if (lapse.isSameBoot) return between(clock.monotonic(), grant.expires);
  const byClock = expiresAt - clock.now();
  const whenLastAlive = lapse.lastAlive === null ? grant.ttl : expiresAt - lapse.lastAlive;
  return millis(Math.min(byClock, whenLastAlive, grant.ttl));
}

function adopt(
  { commented, target, until, scopes, isAlone }: Stranger,
  users: Users,
  lapse: Lapse,
  clock: Clock,
): Grant {
  const user = commented.userId === null ? undefined : users.get(commented.userId);
  // Where the wall clock has gone back behind what it was, the later of the two is nearer to the truth.
  const now = Math.max(clock.now(), lapse.lastAlive ?? 0);
  const byComment = commented.openedAt + commented.ttl - now;
  const remaining = between(clock.monotonic(), until);
  const left = millis(Math.min(isAlone ? remaining : Math.min(remaining, byComment, commented.ttl), lapse.maxTtl));
  return {
    id: commented.id,
    user: user === undefined ? null : { id: user.id, name: user.name },
    target,
    services: scopes.sort(),
    method: commented.method,
    openedAt: commented.openedAt,
    expires: after(clock.monotonic(), left),
    ttl: commented.ttl,
    note: null,
  };
}

/** Holds what had a grant within the last day, as far as its record tells. */
export function holdRecorded(held: HeldTargets, record: GrantRecord, clock: Clock): void {
  const at = record.ended?.at ?? record.expiresAt;
  // When it ended or ends, on the monotonic clock as well as it can be told.
  held.hold(record.grant.target, after(clock.monotonic(), millis(at - clock.now())));
}

/** Holds what had an entry within the last day. */
export function holdDeparted(held: HeldTargets, { departed }: StoredState['meta'], clock: Clock): void {
  const now = clock.monotonic();
  for (const { target, at } of parseDeparted(departed)) {
    held.hold(target, after(now, millis(Math.min(0, at - clock.now()))));
  }
  held.prune(now);
}
