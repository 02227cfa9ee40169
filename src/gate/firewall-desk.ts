import type { Config } from '../config/config.js';
import { restartChanges } from '../config/restart-changes.js';
import type { ApplyRequest, FirewallView, PlanView } from '../control/contract/gateway.js';
import { isSallyportError, SallyportError } from '../core/errors.js';
import { formatPortRange, formatPortSpan } from '../core/ports.js';
import type { GuardRules } from '../core/rules.js';
import { compareRules, type RuleChange } from '../core/rules-change.js';
import { ALL, type ServiceName } from '../core/service.js';
import { between, type Clock, type Duration, minutes, parseDuration, seconds, toIso, wallTime } from '../core/time.js';
import type { Entries } from './entries.js';
import type { Guard } from './guard/guard.js';
import type { RuleBook } from './guard/rule-book.js';
import type { LockoutWatch } from './lockout-watch.js';
import type { NameDesk } from './name-desk.js';
import type { People } from './people.js';
import { inSeconds } from './views.js';

/** How long a change may hold unless confirmed. */
const PROVISION = { least: seconds(2), most: minutes(60) };

/** So many of those who have a service are named in a sentence. */
const NAMED = 5;

export interface FirewallDeskOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly guard: Guard;
  readonly book: RuleBook;
  readonly people: People;
  readonly entries: Entries;
  readonly names: NameDesk;
  readonly watch: LockoutWatch;
  /** The configuration as it is written now. @throws SP_CONFIG_* */
  readonly reread: () => Promise<Config>;
  /** The rules that a configuration asks for on this host. */
  readonly rulesOf: (config: Config) => Promise<GuardRules>;
}

/** What an operator sees of the packet filter, and does with it. */
export class FirewallDesk {
  readonly #o: FirewallDeskOptions;

  constructor(options: FirewallDeskOptions) {
    this.#o = options;
  }

  /** How it stands. */
  async show(): Promise<FirewallView> {
    const { guard, book, config, clock } = this.#o;
    const { revertsAt, unkept } = guard;
    const { policy, onExpiry, guarded, services } = book.current;
    const closed = [...guarded].filter(([service]) => services.has(service));
    return {
      state: guard.mode,
      policy,
      driver: config.firewall.driver,
      on_expiry: onExpiry,
      reverts_at: revertsAt === undefined ? null : toIso(wallTime(clock, revertsAt)),
      reverts_in_s: revertsAt === undefined ? null : Math.max(0, inSeconds(between(clock.monotonic(), revertsAt))),
      reverts_to: guard.mode !== 'provisional' ? null : guard.isChanging ? 'previous' : 'open',
      detail: guard.detail,
      guarded: closed.map(([service, ports]) => ({ service, ports: ports.map(formatPortRange) })),
      pool: formatPortSpan(config.knock.pool),
      unsaved:
        unkept === undefined ? null : isSallyportError(unkept) ? unkept.message : 'the file could not be written',
    };
  }

  /** What the configuration, as it is written now, would change. @throws SP_FIREWALL_NONE, SP_CONFIG_*, SP_ADDRESS_INVALID */
  async plan(peers: readonly string[]): Promise<PlanView> {
    const { guard, book, config, watch } = this.#o;
    if (guard.mode === 'none') throw new SallyportError('SP_FIREWALL_NONE', { what: 'change' });
    const file = await this.#o.reread();
    const rules = await this.#o.rulesOf(file);
    const lockout = await watch.lockout({ rules }, peers, this.#isOpen);
    return {
      state: guard.mode,
      changes: compareRules(book.current, rules).map(viewChange),
      cuts: [...lockout.peers],
      last_way_in: lockout.everyone,
      in_use: this.#inUse(rules).map(({ service, by }) => ({ service, by })),
      restart: restartChanges(config, file),
    };
  }

  /** Makes a provisional guard last. @throws SP_FIREWALL_OPEN, SP_FIREWALL_NONE */
  async confirm(): Promise<FirewallView> {
    await this.#o.guard.confirm();
    return await this.show();
  }

  /** Ends a provisional guard now. @throws SP_NOTHING_PROVISIONAL, SP_FIREWALL_NONE */
  async rollback(): Promise<FirewallView> {
    await this.#o.guard.rollback();
    return await this.show();
  }

  /**
   * Brings the rules to the configuration as it is written now, or puts the guard up again; provisionally.
   * @throws SP_FIREWALL_NONE, SP_CONFIG_*, SP_WOULD_LOCK_OUT, SP_SERVICE_IN_USE, SP_DURATION_INVALID, SP_USAGE
   */
  async apply(request: ApplyRequest = {}): Promise<FirewallView> {
    const { guard, book, watch } = this.#o;
    if (guard.mode === 'none') throw new SallyportError('SP_FIREWALL_NONE', { what: 'put up' });
    const provision = request.for === undefined ? undefined : readProvision(request.for);
    const rules = await this.#o.rulesOf(await this.#o.reread());
    const changes = compareRules(book.current, rules);
    if (guard.mode === 'guarding' && changes.length === 0) return { ...(await this.show()), changes: [] };
    const [inUse] = this.#inUse(rules);
    if (inUse !== undefined) {
      const more = inUse.by.length > NAMED ? ` and ${inUse.by.length - NAMED} more` : '';
      const who = inUse.by.slice(0, NAMED).join(', ') + more;
      throw new SallyportError('SP_SERVICE_IN_USE', { service: inUse.service, who });
    }
    if (request.force !== true) watch.refuse(await watch.lockout({ rules }, request.peers ?? [], this.#isOpen), 'this');
    const isBack = guard.isChanging && book.fallback !== null && compareRules(book.fallback, rules).length === 0;
    const replaced = isBack ? true : await guard.apply({ rules, provision });
    if (isBack) await guard.rollback();
    return { ...(await this.show()), changes: changes.map(viewChange), replaced };
  }

  /** Nothing is closed at the moment, whatever the rules say. */
  get #isOpen(): boolean {
    return ['open', 'reverted', 'waiting'].includes(this.#o.guard.mode);
  }

  /** The services that rules have no more, and who has them still. */
  #inUse({ services }: GuardRules): { service: string; by: string[] }[] {
    const { people, entries, names, book } = this.#o;
    const gone = new Set<ServiceName>([...book.current.services.keys()].filter((name) => !services.has(name)));
    const by = new Map<ServiceName, string[]>();
    const note = (scope: readonly ServiceName[], who: string) => {
      for (const name of scope) if (name !== ALL && gone.has(name)) by.set(name, [...(by.get(name) ?? []), who]);
    };
    if (gone.size === 0) return [];
    for (const user of people.list()) note(user.services, user.name);
    for (const { source, services: scope, target } of entries.list()) if (source !== 'config') note(scope, target);
    for (const { entry } of names.list()) if (entry.source === 'operator') note(entry.services, entry.name);
    return [...by].map(([service, who]) => ({ service, by: who }));
  }
}

function viewChange({ effect, text }: RuleChange): PlanView['changes'][number] {
  return { effect, text };
}

/** @throws SP_DURATION_INVALID, SP_USAGE */
function readProvision(text: string): Duration {
  const provision = parseDuration(text);
  if (provision < PROVISION.least || provision > PROVISION.most) {
    throw new SallyportError('SP_USAGE', { problem: '--for goes from 2s to 60m here' });
  }
  return provision;
}
