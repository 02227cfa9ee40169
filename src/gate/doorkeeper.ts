import { type Address, familyOf, networkTarget, neverAllowed, type Target } from '../core/address.js';
import { SallyportError } from '../core/errors.js';
import type { ElementChange } from '../core/firewall.js';
import type { EndReason, Grant } from '../core/grants/grant.js';
import type { Opened, OpenRequest } from '../core/grants/ledger.js';
import type { CompletedKnock } from '../core/knock/source.js';
import type { Change } from '../core/store.js';
import { type Duration, type Monotonic, minutes } from '../core/time.js';
import type { ClaimDesk } from './claim-desk.js';
import { GrantElements, type GrantElementsOptions, type Touched } from './grant-elements.js';
import { GrantRecords } from './grant-records.js';
import type { Log } from './log.js';
import type { People } from './people.js';
import type { Recorder } from './recorder.js';

/** So many grants that end together are told of in one turn of the event loop; the kernel has closed them all. */
const LARGEST_EXPIRY = 100;
/** How often what is no longer held is forgotten. */
const PRUNE_EVERY = minutes(1);

export interface DoorkeeperOptions extends GrantElementsOptions {
  readonly people: People;
  readonly recorder: Recorder;
  readonly log: Log;
  readonly defaultTtl: Duration;
  /** Takes the knocks that open nothing before their user has said yes. */
  readonly claims: ClaimDesk;
  /** Listens again to knocks that overlap with a target; never rejects. */
  readonly clearStrikes: (target: Target) => Promise<void>;
  readonly ownAddresses: () => ReadonlySet<Address>;
}

/**
 * Opens and closes: what the ledger decides is done in the kernel first and recorded right after, since the element's
 * comment keeps it safe for the moment between.
 */
export class Doorkeeper {
  readonly #o: DoorkeeperOptions;
  readonly #records: GrantRecords;
  readonly #elements: GrantElements;
  #prunedAt: Monotonic | undefined;
  #expiryTimer: NodeJS.Timeout | undefined;

  constructor(options: DoorkeeperOptions) {
    this.#o = options;
    this.#records = new GrantRecords(options);
    this.#elements = new GrantElements(options);
  }

  start(): void {
    this.#schedule();
  }

  stop(): void {
    clearTimeout(this.#expiryTimer);
    this.#expiryTimer = undefined;
  }

  /** Why an address may not be let in; undefined where it may. */
  refusal(target: Target): string | undefined {
    return neverAllowed(target, this.#o.ownAddresses());
  }

  /** The same for many, which asks for the host's own addresses once. */
  refusals(): (target: Target) => string | undefined {
    const own = this.#o.ownAddresses();
    return (target) => neverAllowed(target, own);
  }

  /** An IPv6 address stands for its network where the configuration says so. */
  widen(address: Target): Target {
    const isWider = this.#o.ipv6Prefix === 64 && familyOf(address) === 6 && !address.includes('/');
    return isWider ? networkTarget(address as Address, 64) : address;
  }

  /** Answers completed knocks: one transaction for all of them. */
  async knocks(knocks: readonly CompletedKnock[]): Promise<void> {
    const opened: Opened[] = [];
    const early = knocks.flatMap(({ source, early }) =>
      early === null ? [] : [{ target: this.widen(source), services: early.services }],
    );
    for (const knock of knocks) {
      const user = this.#o.people.ofSequence(knock.sequenceId);
      if (user === undefined) continue;
      const reason = this.refusal(knock.source);
      if (reason !== undefined) {
        this.#o.log.warn({ user: user.name, address: knock.source }, `knock refused: ${reason}`);
        this.#records.tell({
          event: 'attempt.refused',
          user: user.name,
          address: knock.source,
          method: 'knock',
          detail: `it is ${reason}`,
        });
        continue;
      }
      if (this.#o.claims.takes(user, knock)) continue;
      const request: OpenRequest = {
        user,
        target: this.widen(knock.source),
        services: user.services,
        ttl: user.ttl ?? this.#o.defaultTtl,
        method: 'knock',
        note: null,
        ...(knock.early === null ? {} : { id: knock.early.id }),
      };
      opened.push(this.#open(request));
    }
    const answered = knocks.flatMap(({ completion }) => (completion === null ? [] : [completion]));
    if (await this.#carryOut(opened, answered, early)) this.#o.door.proven();
  }

  /**
   * Opens for an operator, or whoever else does not come by a knock: strikes are cleared along with it. Resolves when it
   * is open and on the disk.
   * @throws SP_FIREWALL_FAILED; a record that cannot be written yet is no error: it is kept and tried again
   */
  async open(request: OpenRequest): Promise<Grant> {
    const opened = this.#open(request);
    try {
      await this.#write(touchedBy(opened), []);
    } catch (error) {
      this.#undo([opened]);
      throw new SallyportError('SP_FIREWALL_FAILED', { problem: 'it is being put right; try again' }, error);
    }
    await Promise.all([this.#records.opened(opened).catch(() => undefined), this.#o.clearStrikes(request.target)]);
    return opened.grant;
  }

  /** Ends grants now: closes at once, and resolves when it is closed and recorded. */
  async end(grants: readonly Grant[], reason: EndReason, detail: string | null = null): Promise<void> {
    const ended = grants.flatMap(({ id }) => this.#o.ledger.end(id) ?? []);
    for (const grant of ended) this.#records.logEnd(grant, reason);
    const recorded = ended.map((grant) => this.#o.recorder.record(this.#records.endChanges(grant, reason, detail)));
    await this.#write(ended, []);
    await Promise.all(recorded).catch(() => undefined);
  }

  /**
   * Ends grants once their ends are recorded, with whatever else `record` keeps; where it rejects they go on. Resolves when
   * they are closed.
   */
  async endWith(
    grants: readonly Grant[],
    [reason, detail]: readonly [EndReason, string],
    record: (ends: readonly Change[]) => Promise<void>,
  ): Promise<void> {
    // Out of the ledger first: what runs out or is renewed meanwhile would be recorded twice.
    const ended = grants.flatMap(({ id }) => this.#o.ledger.end(id) ?? []);
    try {
      await record(ended.flatMap((grant) => this.#records.endChanges(grant, reason, detail)));
    } catch (error) {
      for (const grant of ended) this.#takeBack(grant, reason, detail);
      await this.#write(ended, []);
      throw error;
    }
    for (const grant of ended) this.#records.logEnd(grant, reason);
    await this.#write(ended, []);
  }

  /** The end of a grant could not be recorded. Where its user has opened anew meanwhile, it has ended all the same. */
  #takeBack(grant: Grant, reason: EndReason, detail: string): void {
    const isBack = this.#o.ledger.atTarget(grant.target).some(({ user }) => user?.id === grant.user?.id);
    if (isBack) void this.#o.recorder.record(this.#records.endChanges(grant, reason, detail));
    else this.#o.ledger.restore(grant);
  }

  /** Keeps targets that were in, without a grant, from coming back as replies (core/grants/held.ts). */
  async hold(targets: Iterable<Target>): Promise<void> {
    await this.#elements.hold(targets);
  }

  /** The record of a grant as it stands. */
  putChange(grant: Grant): Change {
    return this.#records.putChange(grant);
  }

  /** Sets the timer for the next expiry anew; called when grants were put into the ledger from outside. */
  reschedule(): void {
    this.#schedule();
  }

  /** @param early what the kernel has already: it is written anew if it stays, and taken out if not */
  async #carryOut(
    opened: readonly Opened[],
    answered: ElementChange['answered'],
    early: readonly Touched[],
  ): Promise<boolean> {
    const news = opened.filter(({ outcome }) => outcome !== 'repeated');
    try {
      await this.#write([...news.flatMap(touchedBy), ...early], answered);
    } catch (error) {
      this.#o.log.error({ err: error }, 'the packet filter did not take a knock');
      this.#undo(news);
      for (const { grant } of news) {
        const { target: address, user, method } = grant;
        this.#records.tell({
          event: 'attempt.refused',
          user: user?.name ?? null,
          address,
          method,
          detail: 'the packet filter did not take it',
        });
      }
      return false;
    }
    for (const one of news) void this.#records.opened(one);
    return news.length > 0;
  }

  #open(request: OpenRequest): Opened {
    const opened = this.#o.ledger.open(request);
    if (opened.outcome !== 'repeated') this.#records.begin(opened);
    return opened;
  }

  /** The kernel did not take it, and is as it was. */
  #undo(opened: readonly Opened[]): void {
    for (const one of opened.toReversed()) {
      this.#o.ledger.undo(one);
      this.#records.undone(one);
    }
    this.#schedule();
  }

  /** Brings the kernel to what the ledger says of the targets of these grants. */
  async #write(grants: readonly Touched[], answered: ElementChange['answered']): Promise<void> {
    try {
      await this.#elements.write(grants, answered);
    } finally {
      // The kernel keeps the time by itself; a timer of ours can wait until it has the grant.
      this.#schedule();
    }
  }

  #schedule(): void {
    clearTimeout(this.#expiryTimer);
    const next = this.#o.ledger.nextExpiry();
    if (next === undefined) return;
    const wait = Math.max(0, Math.ceil(next - this.#o.clock.monotonic()));
    this.#expiryTimer = setTimeout(() => this.#expire(), Math.min(wait, 2 ** 31 - 1));
    this.#expiryTimer.unref();
  }

  /** The kernel has closed by itself; what is left is to say so, and to shorten the comments of shared elements. */
  #expire(): void {
    const ended = this.#o.ledger.expire(LARGEST_EXPIRY);
    const shared: Grant[] = [];
    for (const grant of ended) {
      this.#records.logEnd(grant, 'expired');
      void this.#o.recorder.record(this.#records.endChanges(grant, 'expired', null));
      if (this.#o.ledger.atTarget(grant.target).length > 0) shared.push(grant);
    }
    this.#prune();
    this.#schedule();
    if (shared.length > 0) {
      this.#write(shared, []).catch((error) => this.#o.log.warn({ err: error }, 'shared elements were not rewritten'));
    }
  }

  #prune(): void {
    const now = this.#o.clock.monotonic();
    if (this.#prunedAt !== undefined && now - this.#prunedAt < PRUNE_EVERY) return;
    this.#prunedAt = now;
    this.#o.held.prune(now);
  }
}

/** The grants that an opening has changed, as they were and as they are. */
function touchedBy({ grant, before, evicted }: Opened): Grant[] {
  return [grant, ...(before === null ? [] : [before]), ...evicted];
}
