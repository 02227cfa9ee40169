import { finalState } from './core/knock/automaton.js';
import type { ServiceName } from './core/service.js';
import { type Duration, millis } from './core/time.js';
import type { User } from './core/user.js';
import { FAMILIES, grantSet } from './firewall/names.js';
import type { StandingOrder } from './netlink/opening-template.js';

/** What a user's knock opens at once, before anybody has looked at it. */
export class StandingOrders {
  readonly #scopes: ReadonlySet<string>;
  readonly #ttl: Duration;
  readonly #maxTtl: Duration;
  /** Users for the same services share their lists: with thousands of users the copies would count. */
  readonly #sets = new Map<string, StandingOrder['sets']>();

  /** @param options.scopes what there are sets for */
  constructor(options: { scopes: ReadonlySet<string>; ttl: Duration; maxTtl: Duration }) {
    this.#scopes = options.scopes;
    this.#ttl = options.ttl;
    this.#maxTtl = options.maxTtl;
  }

  /** The orders for users whose knocks open: for whoever has to say yes first there is none. */
  of(users: readonly User[]): StandingOrder[] {
    return users.filter(({ approval }) => approval === 'none').map((user) => this.#of(user));
  }

  #of({ id, sequenceId, services, ttl }: User): StandingOrder {
    return {
      mark: finalState(sequenceId),
      userId: id,
      ttl: millis(Math.min(ttl ?? this.#ttl, this.#maxTtl)),
      services,
      sets: this.#setsOf(services),
    };
  }

  #setsOf(services: readonly ServiceName[]): StandingOrder['sets'] {
    const key = services.join();
    const known = this.#sets.get(key);
    if (known !== undefined) return known;
    const guarded = services.filter((service) => this.#scopes.has(service));
    const [four, six] = FAMILIES.map((family) => guarded.map((service) => grantSet(service, family)));
    const sets = { 4: four ?? [], 6: six ?? [] };
    this.#sets.set(key, sets);
    return sets;
  }
}
