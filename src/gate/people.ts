import { setImmediate as breathe } from 'node:timers/promises';
import { SallyportError } from '../core/errors.js';
import { Automaton, type Steps, type StepsChange } from '../core/knock/automaton.js';
import { inSpan, type PortSpan, PROTOCOLS, type Protocol } from '../core/ports.js';
import {
  checkHeard,
  checkSequence,
  DEFAULT_SEQUENCE_LENGTH,
  drawSequence,
  parseSequence,
  type RandomInt,
  type Sequence,
} from '../core/sequence.js';
import { SequenceIndex } from '../core/sequence-index.js';
import { EVERYTHING, type Services, toScope } from '../core/service.js';
import type { Change } from '../core/store.js';
import { type Clock, type Duration, formatDuration, parseDuration } from '../core/time.js';
import {
  type Approval,
  DEFAULT_MAX_ADDRESSES,
  LARGEST_SEQUENCE_ID,
  parsePhoneNumber,
  parseUserName,
  type User,
} from '../core/user.js';
import { hashPin } from './pin.js';

/** So many users take a few milliseconds. */
const SLICE = 500;

const UNCHANGED: StepsChange = { removed: [], added: [] };

/** What may be said of a user, as texts; what is left out stays as it is. */
export interface UserOptions {
  readonly services?: readonly string[] | undefined;
  readonly ttl?: string | undefined;
  readonly knock?: string | undefined;
  readonly account?: string | undefined;
  readonly pin?: string | undefined;
  readonly approval?: Approval | undefined;
  readonly number?: string | undefined;
  readonly max_addresses?: number | undefined;
  readonly length?: number | undefined;
}

/** A change of the users that is decided but not yet kept. */
export interface PlannedUser {
  readonly user: User;
  readonly changes: readonly Change[];
}

/** Told the ids of the sequences that count no more, and the users whose sequences do. */
type OnChanged = (gone: readonly number[], come: readonly User[]) => void;

/**
 * The users, by name and by sequence. A change is planned first, kept by the caller, and then `take`n: so nothing has
 * happened where it could not be kept.
 */
export class People {
  readonly #services: () => Services;
  readonly #pool: PortSpan;
  readonly #protocols: readonly Protocol[];
  readonly #maxTtl: Duration;
  readonly #random: RandomInt;
  readonly #clock: Clock;
  readonly #byName = new Map<string, User>();
  readonly #bySequence = new Map<number, User>();
  readonly #byAccount = new Map<string, User>();
  readonly #sequences = new SequenceIndex();
  readonly #automaton = new Automaton();
  #onChanged: OnChanged = () => undefined;
  #lastId: number;

  constructor(options: {
    /** Those that there are at the moment. */
    services: () => Services;
    pool: PortSpan;
    /** Those of which knocks are heard; all of them where it is left out. */
    protocols?: readonly Protocol[];
    maxTtl: Duration;
    random: RandomInt;
    clock: Clock;
    users?: readonly User[];
    /** The last id ever given to a user or a sequence. */
    lastId: number;
  }) {
    this.#services = options.services;
    this.#pool = options.pool;
    this.#protocols = options.protocols ?? PROTOCOLS;
    this.#maxTtl = options.maxTtl;
    this.#random = options.random;
    this.#clock = options.clock;
    this.#lastId = options.lastId;
    this.#takeAll(options.users ?? []);
  }

  /** Takes users who are kept already, in slices that do not hold the event loop. */
  async restore(users: readonly User[]): Promise<void> {
    for (let start = 0; start < users.length; start += SLICE) {
      this.#takeAll(users.slice(start, start + SLICE));
      await breathe();
    }
  }

  /** Tells whose knocks count, now and whenever that changes. One listener. */
  watch(onChanged: OnChanged): void {
    this.#onChanged = onChanged;
    onChanged([], this.list());
  }

  #takeAll(users: readonly User[]): void {
    for (const user of users) this.#enter(user);
    this.#automaton.change(
      [],
      users.filter(({ sequence }) => this.#isInPool(sequence)),
    );
  }

  get size(): number {
    return this.#byName.size;
  }

  list(): User[] {
    return [...this.#byName.values()];
  }

  find(name: string): User | undefined {
    return this.#byName.get(name.toLowerCase());
  }

  /** @throws SP_USER_UNKNOWN */
  get(name: string): User {
    const user = this.find(name);
    if (user === undefined) throw new SallyportError('SP_USER_UNKNOWN', { name });
    return user;
  }

  ofSequence(sequenceId: number): User | undefined {
    return this.#bySequence.get(sequenceId);
  }

  /** The user who gives this account on the phone. */
  ofAccount(account: string): User | undefined {
    return this.#byAccount.get(account);
  }

  /** The automaton for all users whose sequence lies in the pool. One map, which changes with the users. */
  steps(): Steps {
    return this.#automaton.steps;
  }

  /** @throws SP_NAME_INVALID, SP_USER_EXISTS and what `planChange` throws */
  async planNew(name: string, options: UserOptions): Promise<PlannedUser> {
    const userName = parseUserName(name);
    if (this.find(name) !== undefined) throw new SallyportError('SP_USER_EXISTS', { name });
    const id = this.#nextId(1);
    const blank: User = {
      id,
      name: userName,
      services: EVERYTHING,
      ttl: null,
      maxAddresses: DEFAULT_MAX_ADDRESSES,
      sequenceId: 0,
      sequence: [],
      account: null,
      pinHash: null,
      approval: 'none',
      number: null,
      createdAt: this.#clock.now(),
    };
    const length = options.length ?? DEFAULT_SEQUENCE_LENGTH;
    return await this.#plan(blank, options, options.knock === undefined ? length : undefined, id);
  }

  /** @throws SP_SERVICE_UNKNOWN, SP_DURATION_INVALID, SP_TTL_TOO_LONG, SP_SEQUENCE_INVALID, SP_ACCOUNT_*, SP_NUMBER_* */
  async planChange(name: string, options: UserOptions): Promise<PlannedUser> {
    return await this.#plan(this.get(name), options, options.length, this.#lastId);
  }

  /** A new sequence as long as the old one. */
  async planRotation(name: string): Promise<PlannedUser> {
    const user = this.get(name);
    return await this.#plan(user, {}, user.sequence.length, this.#lastId);
  }

  /** Makes a kept change count. Tells how `steps` has changed. */
  take(user: User): StepsChange {
    const before = this.find(user.name);
    if (before !== undefined) this.#leave(before);
    this.#enter(user);
    this.#onChanged(before === undefined ? [] : [before.sequenceId], [user]);
    if (before?.sequenceId === user.sequenceId) return UNCHANGED;
    const put = this.#isInPool(user.sequence) ? [user] : [];
    return this.#automaton.change(before === undefined ? [] : [before.sequenceId], put);
  }

  /** Tells how `steps` has changed. */
  remove(user: User): StepsChange {
    this.#leave(user);
    this.#onChanged([user.sequenceId], []);
    return this.#automaton.remove(user.sequenceId);
  }

  #enter(user: User): void {
    this.#byName.set(user.name.toLowerCase(), user);
    this.#bySequence.set(user.sequenceId, user);
    if (user.account !== null) this.#byAccount.set(user.account, user);
    this.#sequences.add(user.sequence);
    this.#lastId = Math.max(this.#lastId, user.id, user.sequenceId);
  }

  #leave(user: User): void {
    this.#byName.delete(user.name.toLowerCase());
    this.#bySequence.delete(user.sequenceId);
    if (user.account !== null) this.#byAccount.delete(user.account);
    this.#sequences.remove(user.sequence);
  }

  async #plan(
    before: User,
    options: UserOptions,
    drawLength: number | undefined,
    lastId: number,
  ): Promise<PlannedUser> {
    const user: User = {
      ...before,
      ...(options.services === undefined ? {} : { services: toScope(options.services, this.#services()) }),
      ...(options.ttl === undefined ? {} : { ttl: this.#parseTtl(options.ttl) }),
      ...(options.max_addresses === undefined ? {} : { maxAddresses: options.max_addresses }),
      ...(options.account === undefined ? {} : { account: this.#checkAccount(options.account, before) }),
      ...(options.pin === undefined ? {} : { pinHash: await hashPin(options.pin) }),
      ...(options.approval === undefined ? {} : { approval: options.approval }),
      ...(options.number === undefined ? {} : { number: parsePhoneNumber(options.number) }),
    };
    if (user.approval === 'callback' && user.number === null)
      throw new SallyportError('SP_NUMBER_MISSING', { name: user.name });
    if (options.knock === undefined && drawLength === undefined) return planned(user, lastId);
    const sequenceId = this.#nextId(lastId - this.#lastId + 1);
    if (options.knock !== undefined) {
      const sequence = parseSequence(options.knock);
      checkHeard(sequence, this.#protocols);
      this.#checkSequence(sequence, before);
      return planned({ ...user, sequence, sequenceId }, sequenceId);
    }
    const length = drawLength ?? DEFAULT_SEQUENCE_LENGTH;
    // The user's own old sequence counts as taken: the new one must not begin like it.
    const sequence = drawSequence(this.#random, length, this.#pool, this.#sequences, this.#protocols);
    return planned({ ...user, sequence, sequenceId }, sequenceId);
  }

  /** Beside everybody else's; one's own is given up for it. */
  #checkSequence(sequence: Sequence, { sequence: own }: User): void {
    const isOurs = own.length > 0;
    if (isOurs) this.#sequences.remove(own);
    try {
      checkSequence(sequence, this.#pool, this.#sequences);
    } finally {
      if (isOurs) this.#sequences.add(own);
    }
  }

  #checkAccount(account: string, { id }: User): string {
    if (!/^\d{1,20}$/.test(account)) throw new SallyportError('SP_ACCOUNT_INVALID', { value: account });
    const holder = this.#byAccount.get(account);
    if (holder !== undefined && holder.id !== id) throw new SallyportError('SP_ACCOUNT_TAKEN', { value: account });
    return account;
  }

  #isInPool(sequence: Sequence): boolean {
    return sequence.every(({ port }) => inSpan(port, this.#pool));
  }

  #parseTtl(text: string): Duration {
    const ttl = parseDuration(text);
    if (ttl > this.#maxTtl) throw ttlTooLong(text, this.#maxTtl);
    return ttl;
  }

  #nextId(step: number): number {
    const id = this.#lastId + step;
    if (id > LARGEST_SEQUENCE_ID)
      throw new SallyportError('SP_SEQUENCE_INVALID', { problem: 'all numbers are used up' });
    return id;
  }
}

function planned(user: User, lastId: number): PlannedUser {
  return {
    user,
    changes: [
      { kind: 'user.put', user },
      { kind: 'meta', key: 'last_id', value: String(lastId) },
    ],
  };
}

/** The error for a time beyond `grants.max_ttl`. */
export function ttlTooLong(text: string, maxTtl: Duration): SallyportError {
  return new SallyportError('SP_TTL_TOO_LONG', { value: text, max: formatDuration(maxTtl) });
}
