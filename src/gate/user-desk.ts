import { setImmediate as breathe } from 'node:timers/promises';
import type { Config } from '../config/config.js';
import type {
  AddUserRequest,
  RemoveUserResult,
  SetUserRequest,
  UserCard,
  UserView,
} from '../control/contract/gateway.js';
import type { GrantLedger } from '../core/grants/ledger.js';
import type { JournalEvent } from '../core/journal.js';
import type { StepsChange } from '../core/knock/automaton.js';
import type { Change } from '../core/store.js';
import type { Clock } from '../core/time.js';
import type { User } from '../core/user.js';
import type { Doorkeeper } from './doorkeeper.js';
import type { Guard } from './guard/guard.js';
import type { RuleBook } from './guard/rule-book.js';
import type { People, PlannedUser } from './people.js';
import type { Recorder } from './recorder.js';
import { viewCard, viewGrant, viewUser } from './views.js';

/** So many users are shown in about a millisecond. */
const SLICE = 1000;

export interface UserDeskOptions {
  readonly config: Config;
  readonly book: RuleBook;
  readonly clock: Clock;
  readonly people: People;
  readonly ledger: GrantLedger;
  readonly doorkeeper: Doorkeeper;
  readonly guard: Guard;
  readonly recorder: Recorder;
  /** Told that a user has a new PIN. */
  readonly onNewPin: (user: User) => void;
}

/**
 * What an operator does with users. A change is first on the disk, then it counts, then it is in the kernel: a sequence
 * that could not be kept opens nothing. Changes are made one after the other.
 */
export class UserDesk {
  readonly #o: UserDeskOptions;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: UserDeskOptions) {
    this.#o = options;
  }

  async list(): Promise<UserView[]> {
    const users = this.#o.people.list().sort((a, b) => (a.name < b.name ? -1 : 1));
    const views: UserView[] = [];
    for (const user of users) {
      views.push(this.#view(user));
      if (views.length % SLICE === 0) await breathe();
    }
    return views;
  }

  async show(name: string): Promise<UserView> {
    return this.#view(this.#o.people.get(name));
  }

  async card(name: string): Promise<UserCard> {
    return this.#card(this.#o.people.get(name));
  }

  add({ name, ...options }: AddUserRequest): Promise<UserCard> {
    return this.#inTurn(async () => {
      const plan = await this.#o.people.planNew(name, options);
      await this.#take(plan, { event: 'user.added' });
      return this.#card(plan.user);
    });
  }

  set(name: string, options: SetUserRequest): Promise<UserView> {
    return this.#inTurn(async () => {
      const plan = await this.#o.people.planChange(name, options);
      await this.#take(plan, { event: 'user.changed', detail: Object.keys(options).join(', ') });
      if (options.pin !== undefined) this.#o.onNewPin(plan.user);
      return this.#view(plan.user);
    });
  }

  rotate(name: string): Promise<UserCard> {
    return this.#inTurn(async () => {
      const plan = await this.#o.people.planRotation(name);
      await this.#take(plan, { event: 'user.changed', detail: 'a new sequence' });
      return this.#card(plan.user);
    });
  }

  /** Closes what is open for the user, too. */
  remove(name: string): Promise<RemoveUserResult> {
    return this.#inTurn(async () => {
      const { people, recorder, ledger, doorkeeper, guard } = this.#o;
      const user = people.get(name);
      const removed = this.#view(user);
      const event = this.#journal({ event: 'user.removed', user: user.name });
      const why = ['revoked', 'the user was removed'] as const;
      const grants = ledger.ofUser(user.id);
      const revoked = grants.map((grant) => viewGrant(grant, this.#o.clock));
      // The ends together with the user: after a crash between the two nobody could put out whom nobody knows.
      let change: StepsChange | undefined;
      await doorkeeper.endWith(grants, why, async (ends) => {
        await recorder.recordNow([{ kind: 'user.remove', id: user.id }, event, ...ends]);
        change = people.remove(user);
      });
      const closed = doorkeeper.end(ledger.ofUser(user.id), ...why);
      await Promise.all([closed, change && guard.changeSteps(change)]);
      return { removed, revoked };
    });
  }

  async #take(plan: PlannedUser, event: Omit<JournalEvent, 'at' | 'user'>): Promise<void> {
    await this.#o.recorder.recordNow([...plan.changes, this.#journal({ ...event, user: plan.user.name })]);
    await this.#o.guard.changeSteps(this.#o.people.take(plan.user));
  }

  #view(user: User): UserView {
    return viewUser(user, this.#o.ledger.countOfUser(user.id));
  }

  #card(user: User): UserCard {
    const { config, book } = this.#o;
    return viewCard(user, { ...config, services: book.current.services });
  }

  #journal(event: Omit<JournalEvent, 'at'>): Change {
    return { kind: 'journal', event: { at: this.#o.clock.now(), ...event } };
  }

  /** Each change is planned on what the one before left. */
  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(task);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}
