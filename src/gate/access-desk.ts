import type { Config } from '../config/config.js';
import type { AllowRequest, AllowResult, RevokeRequest, RevokeResult } from '../control/contract/gateway.js';
import { covers, parseAddress, parseTarget, type Target } from '../core/address.js';
import type { Claim } from '../core/claims.js';
import { isSallyportError, SallyportError } from '../core/errors.js';
import type { Grant } from '../core/grants/grant.js';
import { parseGrantId } from '../core/grants/id.js';
import type { GrantLedger } from '../core/grants/ledger.js';
import { type Scope, toScope } from '../core/service.js';
import { type Clock, parseDuration } from '../core/time.js';
import type { User } from '../core/user.js';
import type { ClaimDesk } from './claim-desk.js';
import type { Doorkeeper } from './doorkeeper.js';
import type { Entries } from './entries.js';
import { type People, ttlTooLong } from './people.js';
import type { Recorder } from './recorder.js';
import type { Strikes } from './strikes.js';
import { viewClaims, viewEntry, viewGrant } from './views.js';

export interface AccessDeskOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly ledger: GrantLedger;
  readonly people: People;
  readonly entries: Entries;
  readonly doorkeeper: Doorkeeper;
  readonly recorder: Recorder;
  readonly strikes: Strikes;
  readonly claimDesk: ClaimDesk;
}

/** What a word of the operator's means. */
interface Found {
  readonly grants: Grant[];
  readonly entries: ReturnType<Entries['list']>;
  /** Whether a claim is one of those that are meant. */
  readonly isMeant: (claim: Claim) => boolean;
  /** There is such a thing, though nothing of it may be open. */
  readonly isKnown: boolean;
}

/** Whom an operator lets in, for a while or for good, and puts out again. */
export class AccessDesk {
  readonly #o: AccessDeskOptions;

  constructor(options: AccessDeskOptions) {
    this.#o = options;
  }

  /**
   * Opens for a while, or makes an entry that stays where no time is asked for. Strikes are cleared along with it.
   * @throws SP_ADDRESS_REFUSED, SP_TARGET_NAME, SP_TTL_TOO_LONG, SP_USER_UNKNOWN, SP_FIREWALL_FAILED and those of the words
   */
  async allow(request: AllowRequest): Promise<AllowResult> {
    const { config, doorkeeper, people, strikes } = this.#o;
    const target = this.#parseTarget(request.target);
    const user = request.user === undefined ? null : people.get(request.user);
    const services = this.#scope(request.services, user);
    const refusal = doorkeeper.refusal(target);
    if (refusal !== undefined) throw new SallyportError('SP_ADDRESS_REFUSED', { address: target, reason: refusal });
    const note = request.note ?? null;
    const struck = (await strikes.ignoredIn(target)).map((one) => one.target);
    if (request.for === undefined) {
      if (user !== null)
        throw new SallyportError('SP_USAGE', {
          problem: 'an entry belongs to no user; give --for to open for a while',
        });
      const entry = await this.#o.entries.add({ target, services, note, source: 'operator' });
      await strikes.clear(target);
      return { entry: viewEntry(entry), grant: null, listened_to: struck, recorded: true };
    }
    const ttl = parseDuration(request.for);
    if (ttl > config.grants.maxTtl) throw ttlTooLong(request.for, config.grants.maxTtl);
    const grant = await doorkeeper.open({ user, target: doorkeeper.widen(target), services, ttl, method: 'cli', note });
    return {
      grant: viewGrant(grant, this.#o.clock),
      entry: null,
      listened_to: struck,
      recorded: this.#isRecorded(),
    };
  }

  /** Ends what goes by a user's name, an id or an address. @throws SP_NOT_FOUND */
  async revoke({ what }: RevokeRequest): Promise<RevokeResult> {
    const { claimDesk, people, clock } = this.#o;
    const found = this.#find(what);
    // First of all: while the rest is ended, nobody may say yes to one.
    const claims = claimDesk.revoke(found.isMeant, 'by an operator');
    const dropped = viewClaims(claims, people, clock);
    if (found.grants.length === 0 && found.entries.length === 0) {
      if (found.isKnown || claims.length > 0) return { revoked: [], removed: [], dropped, recorded: true };
      throw new SallyportError('SP_NOT_FOUND', { what });
    }
    const revoked = found.grants.map((grant) => viewGrant(grant, clock));
    for (const entry of found.entries) await this.#o.entries.remove(entry);
    await this.#o.doorkeeper.end(found.grants, 'revoked', 'by an operator');
    return { revoked, removed: found.entries.map(viewEntry), dropped, recorded: this.#isRecorded() };
  }

  /** Whether what was just done is on the disk: where the last write failed, it waits. */
  #isRecorded(): boolean {
    return this.#o.recorder.problem === undefined;
  }

  #scope(names: readonly string[] | undefined, user: User | null): Scope {
    if (names === undefined && user !== null) return user.services;
    return toScope(names ?? [], this.#o.config.services);
  }

  /** Host names are not tracked by this version, so they are refused rather than resolved once and forgotten. */
  #parseTarget(text: string): Target {
    try {
      return parseTarget(text);
    } catch (error) {
      const looksLikeName = /[a-z]/i.test(text) && !text.includes(':') && !text.includes('/');
      if (looksLikeName && isSallyportError(error, 'SP_ADDRESS_INVALID')) {
        throw new SallyportError('SP_TARGET_NAME', { value: text }, error);
      }
      throw error;
    }
  }

  #find(what: string): Found {
    const { ledger, people, entries, doorkeeper } = this.#o;
    const user = people.find(what);
    if (user !== undefined) {
      const isMeant = (claim: Claim) => claim.user.id === user.id;
      return { grants: ledger.ofUser(user.id), entries: [], isMeant, isKnown: true };
    }
    const isMeant = () => false;
    const id = parseGrantId(what);
    const byId = id === undefined ? undefined : ledger.get(id);
    if (byId !== undefined) return { grants: [byId], entries: [], isMeant, isKnown: true };
    const entry = entries.find(what);
    if (entry !== undefined) return { grants: [], entries: [entry], isMeant, isKnown: true };
    let target: Target;
    try {
      target = parseTarget(what);
    } catch {
      throw new SallyportError('SP_NOT_FOUND', { what });
    }
    const targets = new Set([target, target.includes('/') ? target : doorkeeper.widen(parseAddress(target))]);
    const grants = [...targets].flatMap((one) => ledger.atTarget(one));
    return {
      grants,
      entries: entries.list().filter((one) => targets.has(one.target)),
      isMeant: ({ address }) => [...targets].some((one) => covers(one, address)),
      isKnown: false,
    };
  }
}
