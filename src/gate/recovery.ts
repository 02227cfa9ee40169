import type { Target } from '../core/address.js';
import type { ElementPlace, Firewall, KernelElement, SetScope } from '../core/firewall.js';
import { namesAlone } from '../core/grants/comment.js';
import { TOLERANCE } from '../core/grants/drift.js';
import { ElementIndex } from '../core/grants/element-index.js';
import { isHashTarget } from '../core/grants/elements.js';
import type { Grant, GrantId, GrantRecord } from '../core/grants/grant.js';
import type { HeldTargets } from '../core/grants/held.js';
import type { GrantLedger } from '../core/grants/ledger.js';
import { holdDeparted, holdRecorded, type Lapse, restoreGrant } from '../core/grants/restore.js';
import type { StoredState } from '../core/store.js';
import { between, type Clock, type Duration, type Instant, millis, wallTime } from '../core/time.js';
import type { User } from '../core/user.js';
import { Adopter, put, tell } from './adoption.js';
import type { Adoption } from './guard/contents-repair.js';
import type { Log } from './log.js';
import { newPace } from './pace.js';
import type { Recorder } from './recorder.js';

/** A grant whose recorded end is off by less is not recorded anew. */
const SMALL = millis(1000);

export interface RecoveryOptions {
  readonly state: Pick<StoredState, 'grants' | 'meta'>;
  /** The users there are at the moment, by their ids. */
  readonly users: () => ReadonlyMap<number, User>;
  /** Null where the kernel has no table of ours. */
  readonly firewall: Pick<Firewall, 'findElements' | 'scopes'> | null;
  /** Whether each look at the kernel reads all that is there, so that one must do. */
  readonly isBlind: boolean;
  readonly ipv6Prefix: 64 | 128;
  readonly boot: string | undefined;
  readonly maxTtl: Duration;
  readonly clock: Clock;
  readonly ledger: GrantLedger;
  readonly held: HeldTargets;
  readonly recorder: Recorder;
  readonly log: Log;
}

export interface Recovered {
  /** Where the kernel seems to lack an element of a grant, or to have another than it should. */
  readonly suspects: readonly ElementPlace[];
  /** Adopts grants that only the kernel knows. */
  readonly adoption: Adoption;
}

/**
 * At the start: brings store, kernel and clocks together in the ledger, and records what was found out. The records come in
 * some hundred at a time, are compared with their elements, each looked up by itself, and let go: never are all of them held
 * beside the ledger.
 */
export async function recover(options: RecoveryOptions): Promise<Recovered> {
  return await new Recovery(options).run();
}

class Recovery {
  readonly #o: RecoveryOptions;
  readonly #lapse: Lapse;
  readonly #suspects: ElementPlace[] = [];
  /** Elements that name others than the grant of the record. */
  readonly #others = new ElementIndex<KernelElement>();
  /** Grants that have ended, by what the store and the clocks say: no element brings them back. */
  readonly #ended = new Set<GrantId>();

  constructor(options: RecoveryOptions) {
    this.#o = options;
    const { boot_id, last_alive } = options.state.meta;
    this.#lapse = {
      isSameBoot: options.boot !== undefined && options.boot === boot_id,
      lastAlive: last_alive === undefined ? null : (Number(last_alive) as Instant),
      maxTtl: options.maxTtl,
    };
  }

  async run(): Promise<Recovered> {
    const { state, users, clock, ledger, held, log, isBlind } = this.#o;
    const pace = newPace(clock);
    let looking: { page: readonly GrantRecord[]; elements: Promise<readonly KernelElement[]> } | undefined;
    // The kernel is asked for one page while the one before is dealt with.
    for await (const page of isBlind ? inOne(state.grants) : state.grants) {
      const elements = this.#find(this.#placesOf(page));
      elements.catch(() => undefined);
      if (looking !== undefined) this.#restore(looking.page, await looking.elements);
      looking = { page, elements };
      if (pace.isDue) await pace.rest();
    }
    if (looking !== undefined) this.#restore(looking.page, await looking.elements);
    holdDeparted(held, state.meta, clock);
    const recorded = ledger.size;
    const adopter = new Adopter(this.#o, this.#lapse, this.#ended);
    await this.#adoptSharing(adopter);
    const adopted = ledger.size - recorded;
    this.#suspects.push(...adopter.evict(users().values()));
    if (recorded + adopted > 0) log.info({ grants: recorded + adopted, adopted }, 'grants restored');
    return { suspects: this.#suspects, adoption: adopter };
  }

  #placesOf(page: readonly GrantRecord[]): ElementPlace[] {
    const places: ElementPlace[] = [];
    for (const { grant, ended } of page) if (ended === null) this.#addPlaces(grant.target, grant.services, places);
    return places;
  }

  #addPlaces(target: Target, scopes: Iterable<SetScope>, places: ElementPlace[]): void {
    const { firewall, ipv6Prefix } = this.#o;
    if (firewall === null || !isHashTarget(target, ipv6Prefix)) return;
    for (const scope of scopes) if (firewall.scopes.has(scope)) places.push({ scope, target });
  }

  async #find(places: readonly ElementPlace[]): Promise<readonly KernelElement[]> {
    const { firewall } = this.#o;
    return firewall === null || places.length === 0 ? [] : await firewall.findElements(places);
  }

  #restore(page: readonly GrantRecord[], elements: readonly KernelElement[]): void {
    const { clock, ledger, held, recorder } = this.#o;
    const kernel = ElementIndex.of(elements);
    for (const record of page) {
      holdRecorded(held, record, clock);
      if (record.ended !== null) {
        this.#ended.add(record.grant.id);
        continue;
      }
      const found = elementsAt(record.grant, kernel);
      const grant = restoreGrant(record, found, this.#lapse, clock);
      if (grant.expires <= clock.monotonic()) {
        const { id } = grant;
        const at = record.expiresAt;
        this.#ended.add(id);
        const event = tell(grant, 'grant.expired', at, 'while the gateway was not running');
        void recorder.record([{ kind: 'grant.end', id, at, reason: 'expired' }, event]);
      } else {
        ledger.restore(grant);
        held.hold(grant.target, grant.expires);
        if (!isAsRecorded(grant, record, clock)) void recorder.record([put(grant, clock)]);
        this.#suspect(grant, kernel);
      }
      for (const element of found) if (!namesAlone(element.comment, grant.id)) this.#others.add(element);
    }
  }

  #suspect(grant: Grant, kernel: ElementIndex<KernelElement>): void {
    const places: ElementPlace[] = [];
    this.#addPlaces(grant.target, grant.services, places);
    for (const place of places) {
      const element = kernel.get(place.scope, place.target);
      const isRight =
        element !== undefined &&
        element.until !== null &&
        namesAlone(element.comment, grant.id) &&
        Math.abs(between(grant.expires, element.until)) <= TOLERANCE;
      if (!isRight) this.#suspects.push(place);
    }
  }

  /**
   * Grants that the store never saw and that share an element with one that it did. They may have elements for themselves,
   * too, so all that there is at their targets is looked up.
   */
  async #adoptSharing(adopter: Adopter): Promise<void> {
    const targets = new Set<Target>();
    for (const element of this.#others) if (adopter.hasNews(element)) targets.add(element.target);
    const places: ElementPlace[] = [];
    for (const target of targets) this.#addPlaces(target, this.#o.firewall?.scopes ?? [], places);
    const open = places.filter(({ scope }) => scope !== 'held');
    this.#suspects.push(...open, ...adopter.take(await this.#find(open)));
  }
}

async function* inOne<T>(pages: AsyncIterable<readonly T[]>): AsyncGenerator<readonly T[]> {
  const all: T[] = [];
  for await (const page of pages) for (const item of page) all.push(item);
  yield all;
}

function elementsAt({ target, services }: Grant, kernel: ElementIndex<KernelElement>): KernelElement[] {
  const found: KernelElement[] = [];
  for (const scope of services) {
    const element = kernel.get(scope, target);
    if (element !== undefined) found.push(element);
  }
  return found;
}

function isAsRecorded(grant: Grant, record: GrantRecord, clock: Clock): boolean {
  return (
    Math.abs(record.expiresAt - wallTime(clock, grant.expires)) < SMALL &&
    Math.abs(record.grant.expires - grant.expires) < SMALL
  );
}
