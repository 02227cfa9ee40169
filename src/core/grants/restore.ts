import type { Target } from '../address.js';
import type { KernelElement } from '../firewall.js';
import { finishAtOnce } from '../pace.js';
import type { ServiceName } from '../service.js';
import type { StoredState } from '../store.js';
import { after, between, type Clock, type Duration, type Instant, type Monotonic, millis } from '../time.js';
import type { User } from '../user.js';
import { type CommentedGrant, namesAlone, parseComment } from './comment.js';
import { parseDeparted } from './departed.js';
import { ElementIndex } from './element-index.js';
import type { Grant, GrantId, GrantRecord } from './grant.js';
import type { HeldTargets } from './held.js';

/** What is known of grants when the daemon starts: by the store, by the kernel, by the clocks. */
export interface Remains {
  readonly records: readonly GrantRecord[];
  /** Null where the kernel has no table of ours. */
  readonly elements: Iterable<KernelElement> | null;
  /** Whether the records were written since the machine was booted, so that their monotonic times hold. */
  readonly isSameBoot: boolean;
  /** The wall clock when the daemon was last known to run. */
  readonly lastAlive: Instant | null;
  readonly users: ReadonlyMap<number, Pick<User, 'id' | 'name'>>;
  readonly maxTtl: Duration;
}

export interface Restored {
  readonly live: readonly Grant[];
  /** Those of `live` that the store never saw: opened just before a crash. */
  readonly adopted: readonly Grant[];
  /** Grants that the store never saw, of users who were removed meanwhile: they are to end. */
  readonly orphaned: readonly Grant[];
  /** Records of grants that ran out meanwhile, and when. */
  readonly ended: readonly { readonly id: GrantId; readonly grant: Grant; readonly at: Instant }[];
}

/**
 * Reconciles store, kernel and clocks. The kernel's timeout is the truth where an element names one grant alone. Without
 * an element a grant gets what is left of its time: exactly so within one boot; after a boot by the wall clock, but never
 * more than was left when the daemon was last known to run, so a clock set wrong at boot cannot lengthen it.
 */
export function restoreGrants(remains: Remains, clock: Clock): Restored {
  return finishAtOnce(restoring(remains, clock));
}

/** As `restoreGrants`, step by step. */
export function* restoring(remains: Remains, clock: Clock): Generator<void, Restored> {
  const elements = remains.elements ?? [];
  const kernel =
    elements instanceof ElementIndex ? (elements as ElementIndex<KernelElement>) : ElementIndex.of(elements);
  const recorded = new Set<GrantId>();
  for (const { grant } of remains.records) recorded.add(grant.id);
  // Most elements name the grant of their record and no other: those need not be read word by word.
  const plain = new Set<KernelElement>();
  for (const { grant } of remains.records) {
    for (const scope of grant.services) {
      const element = kernel.get(scope, grant.target);
      if (element !== undefined && namesAlone(element.comment, grant.id)) plain.add(element);
    }
    yield;
  }
  const named = new Named(recorded);
  for (const element of kernel) {
    if (!plain.has(element)) named.add(element);
    yield;
  }
  const live: Grant[] = [];
  const ended: { id: GrantId; grant: Grant; at: Instant }[] = [];
  for (const record of remains.records) {
    if (record.ended !== null) continue;
    const now = clock.monotonic();
    const until = aloneUntil(record.grant, kernel, named) ?? after(now, timeLeft(record, remains, clock));
    const expires = Math.min(until, after(now, remains.maxTtl)) as Monotonic;
    const grant = { ...record.grant, expires };
    if (expires > now) live.push(grant);
    else ended.push({ id: grant.id, grant, at: record.expiresAt });
    yield;
  }
  const adopted: Grant[] = [];
  const orphaned: Grant[] = [];
  for (const stranger of named.strangers()) {
    const { userId } = stranger.commented;
    const list = userId === null || remains.users.has(userId) ? adopted : orphaned;
    list.push(adopt(stranger, remains, clock));
  }
  return { live: [...live, ...adopted], adopted, orphaned, ended };
}

/** When the kernel ends a recorded grant, where all elements that name it name it alone. */
function aloneUntil(
  { id, target, services }: Grant,
  kernel: ElementIndex<KernelElement>,
  named: Named,
): Monotonic | undefined {
  if (named.isShared(id)) return undefined;
  for (const scope of services) {
    const element = kernel.get(scope, target);
    if (element !== undefined && element.until !== null && namesAlone(element.comment, id)) return element.until;
  }
  return named.aloneUntil(id);
}

/** A grant that only the kernel knows. */
interface Stranger {
  readonly commented: CommentedGrant;
  readonly target: Target;
  /** When its element ends, which other grants may share. */
  readonly until: Monotonic;
  readonly scopes: ServiceName[];
  readonly isAlone: boolean;
}

/** What elements tell of grants. */
class Named {
  readonly #recorded: ReadonlySet<GrantId>;
  /** When the element of a grant ends; null where one of those that name it names others, too. */
  readonly #alone = new Map<GrantId, Monotonic | null>();
  readonly #strangers = new Map<GrantId, Omit<Stranger, 'isAlone'>>();

  constructor(recorded: ReadonlySet<GrantId>) {
    this.#recorded = recorded;
  }

  add({ scope, target, until, comment }: KernelElement): void {
    if (until === null || comment === null) return;
    const grants = parseComment(comment);
    for (const commented of grants) {
      const { id } = commented;
      if (grants.length > 1) this.#alone.set(id, null);
      else if (!this.#alone.has(id)) this.#alone.set(id, until);
      if (this.#recorded.has(id)) continue;
      const known = this.#strangers.get(id);
      if (known !== undefined) known.scopes.push(scope as ServiceName);
      else this.#strangers.set(id, { commented, target, until, scopes: [scope as ServiceName] });
    }
  }

  isShared(id: GrantId): boolean {
    return this.#alone.get(id) === null;
  }

  /** When the kernel ends a grant; undefined where it does not tell. */
  aloneUntil(id: GrantId): Monotonic | undefined {
    return this.#alone.get(id) ?? undefined;
  }

  strangers(): Stranger[] {
    return [...this.#strangers].map(([id, one]) => ({ ...one, isAlone: this.aloneUntil(id) !== undefined }));
  }
}

function timeLeft({ grant, expiresAt }: GrantRecord, remains: Remains, clock: Clock): Duration {
  if (remains.isSameBoot) return between(clock.monotonic(), grant.expires);
  const byClock = expiresAt - clock.now();
  const whenLastAlive = remains.lastAlive === null ? grant.ttl : expiresAt - remains.lastAlive;
  return millis(Math.min(byClock, whenLastAlive, grant.ttl));
}

function adopt({ commented, target, until, scopes, isAlone }: Stranger, remains: Remains, clock: Clock): Grant {
  const user = commented.userId === null ? undefined : remains.users.get(commented.userId);
  // Where the wall clock has gone back behind what it was, the later of the two is nearer to the truth.
  const now = Math.max(clock.now(), remains.lastAlive ?? 0);
  const byComment = commented.openedAt + commented.ttl - now;
  const remaining = between(clock.monotonic(), until);
  const left = millis(Math.min(isAlone ? remaining : Math.min(remaining, byComment, commented.ttl), remains.maxTtl));
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

/** Holds what had a grant or an entry within the last day, as far as the records tell. */
export function restoreHeld(held: HeldTargets, state: Pick<StoredState, 'grants' | 'meta'>, clock: Clock): void {
  finishAtOnce(restoringHeld(held, state, clock));
}

/** As `restoreHeld`, step by step. */
export function* restoringHeld(
  held: HeldTargets,
  state: Pick<StoredState, 'grants' | 'meta'>,
  clock: Clock,
): Generator<void, void> {
  const now = clock.monotonic();
  for (const record of state.grants) {
    held.hold(record.grant.target, endOf(record, clock));
    yield;
  }
  for (const { target, at } of parseDeparted(state.meta.departed)) {
    held.hold(target, after(now, millis(Math.min(0, at - clock.now()))));
  }
  held.prune(now);
}

/** When a recorded grant ended or ends, on the monotonic clock as well as it can be told. */
function endOf(record: GrantRecord, clock: Clock): Monotonic {
  const at = record.ended?.at ?? record.expiresAt;
  return after(clock.monotonic(), millis(at - clock.now()));
}
