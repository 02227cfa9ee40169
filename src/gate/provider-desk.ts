import { likelyProvider, providerNotices } from '../config/provider-notices.js';
import type { ProviderDetails, ProviderView } from '../control/contract/gateway.js';
import { SallyportError } from '../core/errors.js';
import type { GuardLayout } from '../core/firewall.js';
import {
  type Catalogue,
  formatProviderNames,
  type ProvidedName,
  type Provider,
  type ProviderName,
  parseProviderNames,
  providedEntries,
  providedNames,
  providersOf,
} from '../core/provider.js';
import type { StoredState } from '../core/store.js';
import type { Clock } from '../core/time.js';
import type { Entries } from './entries.js';
import {
  deadness,
  type NameStanding,
  type ProviderStanding,
  viewProvider,
  viewProviderDetails,
  viewUnknownProvider,
} from './provider-views.js';
import type { Recorder } from './recorder.js';

/** Tracks host names, and lets in their addresses: from the beginning those of the providers that are enabled then. */
export interface TrackedNames {
  /** Tracks these for providers from now on, in place of those before. Resolves when it counts. */
  provide(names: readonly ProvidedName[]): Promise<void>;
  /** undefined for a name that nobody has tracked. */
  standing(name: string): NameStanding | undefined;
  /** The names that are tracked for others than providers. */
  others(): readonly string[];
}

export interface ProviderDeskOptions {
  readonly catalogue: Catalogue;
  readonly configured: readonly ProviderName[];
  readonly state: Pick<StoredState, 'meta'>;
  readonly layout: Pick<GuardLayout, 'guarded'>;
  readonly entries: Entries;
  readonly names: TrackedNames;
  readonly recorder: Recorder;
  readonly clock: Clock;
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
    const { catalogue, configured } = this.#o;
    const known = [...catalogue.values()].map((provider) => viewProvider(this.#standing(provider)));
    const unknown = [...new Set([...configured, ...this.#byCommand])].filter((name) => !catalogue.has(name));
    return [...known, ...unknown.map((name) => viewUnknownProvider(name, this.#by(name)))];
  }

  /** @throws SP_PROVIDER_UNKNOWN */
  show(name: string): ProviderDetails {
    return viewProviderDetails(this.#standing(this.#find(name)), this.#o.layout.guarded);
  }

  /** Lets a provider in, at once. @throws SP_PROVIDER_UNKNOWN, SP_PROVIDER_RETIRED, SP_STORE_* */
  enable(name: string): Promise<ProviderDetails> {
    return this.#inTurn(async () => {
      const provider = this.#find(name);
      if (provider.retired !== null) {
        throw new SallyportError('SP_PROVIDER_RETIRED', { name: provider.name, ...provider.retired });
      }
      if (this.#by(provider.name) === null) {
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
    const { catalogue, configured, entries, names } = this.#o;
    const use = { configured, byCommand: [...this.#byCommand], entries: entries.list(), names: names.others() };
    const dead = this.#enabled().flatMap((provider) => deadness(this.#standing(provider)) ?? []);
    return [...providerNotices(catalogue, use), ...dead];
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
    return providersOf(this.#o.catalogue, [...this.#o.configured, ...this.#byCommand]);
  }

  #by(name: ProviderName): ProviderView['by'] {
    if (this.#o.configured.includes(name)) return 'config';
    return this.#byCommand.has(name) ? 'command' : null;
  }

  #standing(provider: Provider): ProviderStanding {
    const { names } = this.#o;
    return { provider, by: this.#by(provider.name), nameStanding: (name) => names.standing(name) };
  }

  async #change(byCommand: ReadonlySet<ProviderName>, event: 'provider.enabled' | 'provider.disabled', name: string) {
    const { recorder, clock, entries, names } = this.#o;
    await recorder.recordNow([
      { kind: 'meta', key: 'providers', value: formatProviderNames(byCommand) },
      { kind: 'journal', event: { at: clock.now(), event, detail: name } },
    ]);
    this.#byCommand = byCommand;
    const enabled = this.#enabled();
    await Promise.all([entries.provide(providedEntries(enabled)), names.provide(providedNames(enabled))]);
  }

  /** Each change is planned on what the one before left. */
  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(task);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}
