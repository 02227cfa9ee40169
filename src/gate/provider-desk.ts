import { likelyProvider, providerNotices } from '../config/provider-notices.js';
import type { ProviderDetails, ProviderView } from '../control/contract/gateway.js';
import { SallyportError } from '../core/errors.js';
import { type Given, givenBy } from '../core/given.js';
import { MOST_NAMES } from '../core/names/name-entry.js';
import {
  type Catalogue,
  formatProviderNames,
  openingsOf,
  type Provider,
  type ProviderName,
  parseProviderNames,
  providersOf,
} from '../core/provider.js';
import type { GuardRules } from '../core/rules.js';
import type { StoredState } from '../core/store.js';
import type { Clock } from '../core/time.js';
import type { Entries } from './entries.js';
import type { RuleBook } from './guard/rule-book.js';
import type { NameDesk } from './name-desk.js';
import {
  deadness,
  type ProviderStanding,
  viewProvider,
  viewProviderDetails,
  viewUnknownProvider,
} from './provider-views.js';
import type { Recorder } from './recorder.js';

export interface ProviderDeskOptions {
  readonly catalogue: Catalogue;
  /** Which providers the configuration lets in, and what the ports are. */
  readonly book: Pick<RuleBook, 'current'>;
  readonly state: Pick<StoredState, 'meta'>;
  readonly entries: Pick<Entries, 'list'>;
  readonly names: Pick<NameDesk, 'tracker' | 'list' | 'size'>;
  readonly recorder: Recorder;
  readonly clock: Clock;
  /** Brings whitelist and kernel to what is given now. */
  readonly onChanged: () => Promise<void>;
}

/**
 * Which VoIP providers are let in: those of the configuration, and those that a command has enabled, until a command
 * disables them. A change is first on the disk, then it counts. Changes are made one after the other. What those bring that
 * are enabled at the start is among entries and names already.
 */
export class ProviderDesk {
  readonly #o: ProviderDeskOptions;
  #byCommand: ReadonlySet<ProviderName>;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: ProviderDeskOptions) {
    this.#o = options;
    this.#byCommand = new Set(parseProviderNames(options.state.meta.providers));
  }

  list(): ProviderView[] {
    const { catalogue } = this.#o;
    const known = [...catalogue.values()].map((provider) => viewProvider(this.#standing(provider)));
    const unknown = [...new Set([...this.#configured, ...this.#byCommand])].filter((name) => !catalogue.has(name));
    return [...known, ...unknown.map((name) => viewUnknownProvider(name, this.#by(name)))];
  }

  /** @throws SP_PROVIDER_UNKNOWN */
  show(name: string): ProviderDetails {
    return viewProviderDetails(this.#standing(this.#find(name)), this.#o.book.current.guarded, this.#o.clock);
  }

  /** Lets a provider in, at once. @throws SP_PROVIDER_UNKNOWN, SP_PROVIDER_RETIRED, SP_NAMES_FULL, SP_STORE_* */
  enable(name: string): Promise<ProviderDetails> {
    return this.#inTurn(async () => {
      const provider = this.#find(name);
      if (provider.retired !== null) {
        throw new SallyportError('SP_PROVIDER_RETIRED', { name: provider.name, ...provider.retired });
      }
      if (this.#by(provider.name) === null) {
        this.#needsRoom(provider);
        await this.#change(new Set([...this.#byCommand, provider.name]), 'provider.enabled', provider.name);
      }
      return this.show(name);
    });
  }

  /** Puts a provider out, at once. @throws SP_PROVIDER_UNKNOWN, SP_PROVIDER_CONFIGURED, SP_STORE_* */
  disable(name: string): Promise<ProviderView> {
    return this.#inTurn(async () => {
      const known = this.list().find((one) => one.name === name);
      if (known === undefined) throw this.#unknownError(name);
      if (known.by === 'config') throw new SallyportError('SP_PROVIDER_CONFIGURED', { name });
      const left = new Set([...this.#byCommand].filter((one) => one !== name));
      if (left.size < this.#byCommand.size) await this.#change(left, 'provider.disabled', name);
      return this.list().find((one) => one.name === name) ?? { ...known, status: 'off', by: null, problems: [] };
    });
  }

  /** What a person should know, one line each. */
  notices(): string[] {
    const { catalogue, entries, names } = this.#o;
    const tracked = names.list().filter(({ entry }) => entry.source !== 'provider');
    const use = {
      ...{ configured: this.#configured, byCommand: [...this.#byCommand], entries: entries.list() },
      names: tracked.map(({ entry }) => entry.name),
    };
    const dead = this.#enabled().flatMap((provider) => deadness(this.#standing(provider)) ?? []);
    return [...providerNotices(catalogue, use), ...dead];
  }

  /** Whom rules let in by themselves, and through the providers that are enabled. */
  given(rules: GuardRules): Given {
    return givenBy(rules, this.#o.catalogue, this.#byCommand);
  }

  get #configured(): readonly ProviderName[] {
    return this.#o.book.current.providers;
  }

  /** @throws SP_NAMES_FULL */
  #needsRoom(provider: Provider): void {
    const { names } = this.#o;
    const fresh = openingsOf(provider).names.filter(({ host }) => names.tracker(host) === undefined);
    if (names.size + fresh.length > MOST_NAMES) throw new SallyportError('SP_NAMES_FULL', { most: MOST_NAMES });
  }

  #find(name: string): Provider {
    const provider = this.#o.catalogue.get(name as ProviderName);
    if (provider === undefined) throw this.#unknownError(name);
    return provider;
  }

  #unknownError(name: string): SallyportError {
    return new SallyportError('SP_PROVIDER_UNKNOWN', {
      value: name,
      hint: likelyProvider(this.#o.catalogue, name),
    });
  }

  #enabled(): Provider[] {
    return providersOf(this.#o.catalogue, [...this.#configured, ...this.#byCommand]);
  }

  #by(name: ProviderName): ProviderView['by'] {
    if (this.#configured.includes(name)) return 'config';
    return this.#byCommand.has(name) ? 'command' : null;
  }

  #standing(provider: Provider): ProviderStanding {
    const { names } = this.#o;
    return { provider, by: this.#by(provider.name), trackerOf: (name) => names.tracker(name) };
  }

  async #change(byCommand: ReadonlySet<ProviderName>, event: 'provider.enabled' | 'provider.disabled', name: string) {
    const { recorder, clock, onChanged } = this.#o;
    await recorder.recordNow([
      { kind: 'meta', key: 'providers', value: formatProviderNames(byCommand) },
      { kind: 'journal', event: { at: clock.now(), event, detail: name } },
    ]);
    this.#byCommand = byCommand;
    await onChanged();
  }

  /** Each change is planned on what the one before left. */
  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(task);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}
