import type { KernelElement } from '../firewall.js';
import type { ServiceName } from '../service.js';
import type { StoredState } from '../store.js';
import { after, between, type Clock, type Duration, type Instant, type Monotonic, millis } from '../time.js';
import type { User } from '../user.js';
import { type CommentedGrant, parseComment } from './comment.js';
import { parseDeparted } from './departed.js';
import type { Grant, GrantId, GrantRecord } from './grant.js';
import type { HeldTargets } from './held.js';

/** What is known of grants when the daemon starts: by the store, by the kernel, by the clocks. */
export interface Remains {
  readonly records: readonly GrantRecord[];
  /** Null where the kernel has no table of ours. */
  readonly elements: readonly KernelElement[] | null;
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
  /** Records of grants that ran out meanwhile, and when. */
  readonly ended: readonly { readonly id: GrantId; readonly grant: Grant; readonly at: Instant }[];
}

/**
 * Reconciles store, kernel and clocks. The kernel's timeout is the truth where an element names one grant alone. Without
 * an element a grant gets what is left of its time: exactly so within one boot; after a boot by the wall clock, but never
 * more than was left when the daemon was last known to run, so a clock set wrong at boot cannot lengthen it.
 */
export function restoreGrants(remains: Remains, clock: Clock): Restored {
  const now = clock.monotonic();
  const named = collectNamed(remains.elements ?? []);
  const recorded = new Set(remains.records.map(({ grant }) => grant.id));
  const live: Grant[] = [];
  const ended: { id: GrantId; grant: Grant; at: Instant }[] = [];
  for (const record of remains.records.filter((one) => one.ended === null)) {
    const left = named.get(record.grant.id)?.alone ?? timeLeft(record, remains, clock);
    const expires = after(now, millis(Math.min(left, remains.maxTtl)));
    const grant = { ...record.grant, expires };
    if (expires > now) live.push(grant);
    else ended.push({ id: grant.id, grant, at: record.expiresAt });
  }
  const adopted = [...named.values()]
    .filter(({ commented }) => !recorded.has(commented.id))
    .map((one) => adopt(one, remains, clock));
  return { live: [...live, ...adopted], adopted, ended };
}

interface Named {
  readonly commented: CommentedGrant;
  readonly element: KernelElement;
  readonly remaining: Duration;
  readonly scopes: ServiceName[];
  /** What the kernel has left for it, where every element that names it names it alone. */
  alone: Duration | undefined;
}

function collectNamed(elements: readonly KernelElement[]): Map<GrantId, Named> {
  const named = new Map<GrantId, Named>();
  for (const element of elements) {
    if (element.remaining === null || element.comment === null) continue;
    const grants = parseComment(element.comment);
    for (const commented of grants) {
      const alone = grants.length === 1 ? element.remaining : undefined;
      const known = named.get(commented.id);
      const scope = element.scope as ServiceName;
      if (known === undefined) {
        named.set(commented.id, { commented, element, remaining: element.remaining, scopes: [scope], alone });
      } else {
        known.scopes.push(scope);
        if (alone === undefined) known.alone = undefined;
      }
    }
  }
  return named;
}

function timeLeft({ grant, expiresAt }: GrantRecord, remains: Remains, clock: Clock): Duration {
  if (remains.isSameBoot) return between(clock.monotonic(), grant.expires);
  const byClock = expiresAt - clock.now();
  const whenLastAlive = remains.lastAlive === null ? grant.ttl : expiresAt - remains.lastAlive;
  return millis(Math.min(byClock, whenLastAlive, grant.ttl));
}

function adopt({ commented, element, remaining, scopes, alone }: Named, remains: Remains, clock: Clock): Grant {
  const user = commented.userId === null ? undefined : remains.users.get(commented.userId);
  // Where the wall clock has gone back behind what it was, the later of the two is nearer to the truth.
  const now = Math.max(clock.now(), remains.lastAlive ?? 0);
  const byComment = commented.openedAt + commented.ttl - now;
  const left = millis(Math.min(alone ?? Math.min(remaining, byComment, commented.ttl), remains.maxTtl));
  return {
    id: commented.id,
    user: user === undefined ? null : { id: user.id, name: user.name },
    target: element.target,
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
  const now = clock.monotonic();
  for (const record of state.grants) held.hold(record.grant.target, endOf(record, clock));
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
