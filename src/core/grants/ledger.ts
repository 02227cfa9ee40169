import type { Target } from '../address.js';
import { MinHeap } from '../heap.js';
import type { RandomInt } from '../sequence.js';
import type { Scope } from '../service.js';
import { after, type Clock, type Duration, type Monotonic, millis } from '../time.js';
import type { User, UserName } from '../user.js';
import type { Grant, GrantId, Method } from './grant.js';
import { drawGrantId } from './id.js';

/** Somebody proved who they are: what to open, for whom, how long. */
export interface OpenRequest {
  readonly user: Pick<User, 'id' | 'name' | 'maxAddresses'> | null;
  readonly target: Target;
  readonly services: Scope;
  readonly ttl: Duration;
  readonly method: Method;
  readonly note: string | null;
  /** The id to give where a new grant is opened and it is free; drawn if left out. */
  readonly id?: GrantId;
}

/** What came of a request. */
export interface Opened {
  /** `repeated`: the same proof was heard twice (two copies of one packet); nothing changed and nothing need be told. */
  readonly outcome: 'opened' | 'renewed' | 'repeated';
  readonly grant: Grant;
  /** The grant as it was before it was renewed. */
  readonly before: Grant | null;
  /** Grants of the same user that gave way, the oldest address first. They have ended. */
  readonly evicted: readonly Grant[];
  /** Other users with a grant for the same target. */
  readonly sharedWith: readonly UserName[];
}

/** The same completed knock may arrive by the doorbell and again from the mailbox. */
const REPEAT_WINDOW = millis(1000);

/** So many ends that no longer count are not worth clearing away. */
const FEW_EXPIRIES = 1000;

/**
 * What is open, to whom, until when. Pure: it reads the clocks it is handed and says what changed; opening and closing in
 * the kernel, and keeping records, is done by others from what it says.
 *
 * Invariant: a target has at most one grant per user, and at most one per scope where no user is named.
 */
export class GrantLedger {
  readonly #clock: Clock;
  readonly #random: RandomInt;
  readonly #maxTtl: Duration;
  readonly #grants = new Map<GrantId, Grant>();
  readonly #byTarget: Index<Target> = new Map();
  readonly #byUser: Index<number> = new Map();
  readonly #expiries = new MinHeap<GrantId>();
  readonly #lastOpened = new Map<GrantId, Monotonic>();
  /** What ended; undefined where nobody asks. */
  #ended: Set<GrantId> | undefined = new Set();

  constructor(options: { clock: Clock; random: RandomInt; maxTtl: Duration }) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#maxTtl = options.maxTtl;
  }

  /**
   * Opens or renews. A renewal never shortens, unless it is for other services: those get no more than their own time. A
   * user beyond `maxAddresses` loses the address that was renewed longest ago. The time is cut to the configured maximum.
   */
  open(request: OpenRequest): Opened {
    const now = this.#clock.monotonic();
    const ttl = millis(Math.min(request.ttl, this.#maxTtl));
    const existing = this.#same(request);
    const sharedWith = this.#othersAt(request);
    if (existing !== undefined) {
      const last = this.#lastOpened.get(existing.id);
      const areKnocks = request.method === 'knock' && existing.method === 'knock';
      if (areKnocks && last !== undefined && now - last < REPEAT_WINDOW)
        return { outcome: 'repeated', grant: existing, before: existing, evicted: [], sharedWith };
    }
    const expires = after(now, ttl);
    const isSame = existing?.services.join() === request.services.join();
    const isLonger = existing === undefined || !isSame || expires >= existing.expires;
    const grant: Grant = {
      id: existing?.id ?? this.#newId(request.id),
      user: request.user === null ? null : { id: request.user.id, name: request.user.name },
      target: request.target,
      services: request.services,
      method: request.method,
      openedAt: existing?.openedAt ?? this.#clock.now(),
      expires: isLonger ? expires : existing.expires,
      ttl: isLonger ? ttl : existing.ttl,
      note: request.note ?? existing?.note ?? null,
    };
    this.#put(grant);
    this.#lastOpened.set(grant.id, now);
    return {
      outcome: existing ? 'renewed' : 'opened',
      grant,
      before: existing ?? null,
      evicted: this.#evict(request.user, grant),
      sharedWith,
    };
  }

  /** Takes back what `open` did and the kernel refused, unless it has been overtaken. Undo several in reverse order. */
  undo({ grant, before, evicted }: Opened): void {
    if (this.#grants.get(grant.id) === grant) {
      this.end(grant.id);
      if (before !== null) this.#put(before);
    }
    for (const old of evicted) {
      const isBack = this.atTarget(old.target).some(({ user }) => user?.id === old.user?.id);
      if (!isBack) this.#put(old);
    }
  }

  /** Takes in a grant as it is: from the store, or from an element that the kernel still had. */
  restore(grant: Grant): void {
    this.#put(grant);
  }

  /**
   * Holds a user to `maxAddresses` after grants were restored: a crash may have left one that gave way beside the one
   * that it gave way to. Tells which ended.
   */
  trim(user: Pick<User, 'id' | 'maxAddresses'>): Grant[] {
    if (this.countOfUser(user.id) <= user.maxAddresses) return [];
    return this.#endOldest(this.ofUser(user.id), user.maxAddresses);
  }

  /** Ends a grant now; the grant as it was, or undefined where there is none. */
  end(id: GrantId): Grant | undefined {
    const grant = this.#grants.get(id);
    if (grant === undefined) return undefined;
    this.#grants.delete(id);
    this.#lastOpened.delete(id);
    this.#ended?.add(id);
    remove(this.#byTarget, grant.target, id);
    if (grant.user !== null) remove(this.#byUser, grant.user.id, id);
    return grant;
  }

  /**
   * Ends what has no time left; tells which, in the order of their ends. The kernel has closed them by itself.
   * @param most so many at once
   */
  expire(most = Number.POSITIVE_INFINITY): Grant[] {
    const now = this.#clock.monotonic();
    const ended: Grant[] = [];
    for (
      let top = this.#expiries.peek();
      top !== undefined && top.order <= now && ended.length < most;
      top = this.#expiries.peek()
    ) {
      this.#expiries.pop();
      const grant = this.#grants.get(top.value);
      if (grant?.expires !== top.order) continue;
      this.end(grant.id);
      ended.push(grant);
    }
    return ended;
  }

  /** When the next grant ends, or a moment before; undefined where nothing is open. */
  nextExpiry(): Monotonic | undefined {
    return this.#expiries.peek()?.order as Monotonic | undefined;
  }

  /** Whether a grant is open or has ended since this ledger began; only until `forgetEnded` is called. */
  hasHad(id: GrantId): boolean {
    return this.#grants.has(id) || this.#ended?.has(id) === true;
  }

  forgetEnded(): void {
    this.#ended = undefined;
  }

  get(id: GrantId): Grant | undefined {
    return this.#grants.get(id);
  }

  /** All that is open, in no particular order. */
  all(): IterableIterator<Grant> {
    return this.#grants.values();
  }

  get size(): number {
    return this.#grants.size;
  }

  atTarget(target: Target): Grant[] {
    return this.#resolve(this.#byTarget.get(target));
  }

  ofUser(userId: number): Grant[] {
    return this.#resolve(this.#byUser.get(userId));
  }

  countOfUser(userId: number): number {
    const ids = this.#byUser.get(userId);
    return ids === undefined ? 0 : typeof ids === 'string' ? 1 : ids.size;
  }

  targets(): IterableIterator<Target> {
    return this.#byTarget.keys();
  }

  #same(request: OpenRequest): Grant | undefined {
    return this.atTarget(request.target).find((grant) =>
      request.user === null
        ? grant.user === null && grant.services.join() === request.services.join()
        : grant.user?.id === request.user.id,
    );
  }

  #othersAt(request: OpenRequest): UserName[] {
    const others = this.atTarget(request.target).flatMap(({ user }) => (user === null ? [] : [user]));
    return others.filter((user) => user.id !== request.user?.id).map((user) => user.name);
  }

  #evict(user: OpenRequest['user'], latest: Grant): Grant[] {
    if (user === null || this.countOfUser(user.id) <= user.maxAddresses) return [];
    const others = this.ofUser(user.id).filter((grant) => grant.id !== latest.id);
    return this.#endOldest(others, user.maxAddresses - 1);
  }

  /** Ends what is more than so many, the grants that were renewed longest ago. */
  #endOldest(grants: Grant[], most: number): Grant[] {
    const renewed = (grant: Grant) => this.#lastOpened.get(grant.id) ?? grant.expires - grant.ttl;
    const oldestFirst = grants.sort((a, b) => renewed(a) - renewed(b));
    return oldestFirst.slice(0, Math.max(0, grants.length - most)).flatMap(({ id }) => this.end(id) ?? []);
  }

  #newId(wish: GrantId | undefined): GrantId {
    if (wish !== undefined && !this.#grants.has(wish)) return wish;
    return drawGrantId(this.#random, (id) => this.#grants.has(id));
  }

  #put(grant: Grant): void {
    const before = this.#grants.get(grant.id);
    this.#grants.set(grant.id, grant);
    add(this.#byTarget, grant.target, grant.id);
    if (grant.user !== null) add(this.#byUser, grant.user.id, grant.id);
    if (before?.expires === grant.expires) return;
    this.#expiries.push(grant.expires, grant.id);
    // A grant that is renewed again and again leaves its earlier ends behind.
    if (this.#expiries.size > 2 * this.#grants.size + FEW_EXPIRIES) {
      this.#expiries.refill([...this.#grants.values()].map(({ expires, id }) => ({ order: expires, value: id })));
    }
  }

  #resolve(ids: Ids | undefined): Grant[] {
    if (ids === undefined) return [];
    if (typeof ids !== 'string') return [...ids].flatMap((id) => this.#grants.get(id) ?? []);
    const grant = this.#grants.get(ids);
    return grant === undefined ? [] : [grant];
  }
}

/** Most targets have one grant: a set for each of a hundred thousand would take more memory than the grants. */
type Ids = GrantId | Set<GrantId>;
type Index<K> = Map<K, Ids>;

function add<K>(index: Index<K>, key: K, id: GrantId): void {
  const ids = index.get(key);
  if (ids === undefined || ids === id) index.set(key, id);
  else if (typeof ids === 'string') index.set(key, new Set([ids, id]));
  else ids.add(id);
}

function remove<K>(index: Index<K>, key: K, id: GrantId): void {
  const ids = index.get(key);
  if (ids === id) index.delete(key);
  if (ids === undefined || typeof ids === 'string') return;
  ids.delete(id);
  if (ids.size === 0) index.delete(key);
}
