import { closedServices } from '../config/closed-services.js';
import type { Config } from '../config/config.js';
import type { FirewallView } from '../control/contract/gateway.js';
import { formatPortRange, formatPortSpan } from '../core/ports.js';
import { between, type Clock, toIso, wallTime } from '../core/time.js';
import type { Guard } from './guard/guard.js';
import { inSeconds } from './views.js';

export interface FirewallDeskOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly guard: Guard;
}

/** What an operator sees of the packet filter, and does with it. */
export class FirewallDesk {
  readonly #o: FirewallDeskOptions;

  constructor(options: FirewallDeskOptions) {
    this.#o = options;
  }

  /** How it stands. */
  async show(): Promise<FirewallView> {
    const { guard, config, clock } = this.#o;
    const { revertsAt } = guard;
    return {
      state: guard.mode,
      policy: config.firewall.policy,
      driver: config.firewall.driver,
      on_expiry: config.firewall.onExpiry,
      reverts_at: revertsAt === undefined ? null : toIso(wallTime(clock, revertsAt)),
      reverts_in_s: revertsAt === undefined ? null : Math.max(0, inSeconds(between(clock.monotonic(), revertsAt))),
      detail: guard.detail,
      guarded: closedServices(config).map((service) => ({
        service,
        ports: (config.services.get(service) ?? []).map(formatPortRange),
      })),
      pool: formatPortSpan(config.knock.pool),
    };
  }

  /** Makes a provisional guard last. @throws SP_FIREWALL_OPEN, SP_FIREWALL_NONE */
  async confirm(): Promise<FirewallView> {
    await this.#o.guard.confirm();
    return await this.show();
  }

  /** Takes a provisional guard down now. @throws SP_NOTHING_PROVISIONAL, SP_FIREWALL_NONE */
  async rollback(): Promise<FirewallView> {
    await this.#o.guard.rollback();
    return await this.show();
  }

  /** Puts the guard up again, provisionally. @throws SP_FIREWALL_NONE */
  async apply(): Promise<FirewallView> {
    await this.#o.guard.apply();
    return await this.show();
  }
}
