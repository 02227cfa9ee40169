import { likelyProvider, type ProviderUse, providerNotices } from '../config/provider-notices.js';
import type { ProviderDetails, ProviderView } from '../control/contract/gateway.js';
import type { Address } from '../core/address.js';
import { SallyportError } from '../core/errors.js';
import type { GuardLayout } from '../core/firewall.js';
import { formatPortRange } from '../core/ports.js';
import {
  type Catalogue,
  formatProviderNames,
  type Opening,
  openingsOf,
  PROVIDER_SCOPE,
  type ProvidedName,
  type Provider,
  type ProviderName,
  parseProviderNames,
  providedEntries,
  providedNames,
  providersOf,
} from '../core/provider.js';
import type { StoredState } from '../core/store.js';
import { type Clock, type Instant, toIso } from '../core/time.js';
import type { Entries } from './entries.js';
import type { Recorder } from './recorder.js';

/** How a tracked name stands. */
export interface NameStanding {
  readonly condition: NonNullable<ProviderDetails['hosts'][number]['state']>;
  /** What is let in for its sake. */
  readonly addresses: readonly Address[];
  /** What is wrong, in words for people. */
  readonly problems: readonly string[];
  /** When it was last answered for. */
  readonly resolvedAt: Instant | null;
}

/** There is no such name, for a while or for good. */
const GONE: ReadonlySet<NameStanding['condition']> = new Set(['missing', 'dropped']);

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
    const known = [...this.#o.catalogue.values()].map((provider) => this.#view(provider));
    return [...known, ...this.#unknown()];
  }

  /** @throws SP_PROVIDER_UNKNOWN */
  show(name: string): ProviderDetails {
    const provider = this.#find(name);
    const { names, targets } = openingsOf(provider);
    const isEnabled = this.#isEnabled(provider);
    return {
      ...this.#view(provider),
      hosts: [
        ...names.map(({ host, services }) => {
          const standing = isEnabled ? this.#o.names.standing(host) : undefined;
          return {
            host,
            services: [...services],
            state: standing?.condition ?? null,
            addresses: [...(standing?.addresses ?? [])],
            problems: [...(standing?.problems ?? [])],
            resolved_at: standing?.resolvedAt == null ? null : toIso(standing.resolvedAt),
          };
        }),
        ...targets.map(({ host, services }) => ({
          ...{ host, services: [...services], state: null, addresses: [], problems: [], resolved_at: null },
        })),
      ],
      ports: this.#ports(provider),
      retired: provider.retired,
    };
  }

  /** Lets a provider in, at once. @throws SP_PROVIDER_UNKNOWN, SP_PROVIDER_RETIRED, SP_STORE_* */
  enable(name: string): Promise<ProviderDetails> {
    return this.#inTurn(async () => {
      const provider = this.#find(name);
      if (provider.retired !== null) {
        throw new SallyportError('SP_PROVIDER_RETIRED', { name: provider.name, ...provider.retired });
      }
      if (!this.#isEnabled(provider)) {
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
    const use: ProviderUse = {
      configured,
      byCommand: [...this.#byCommand],
      entries: entries.list(),
      names: names.others(),
    };
    const dead = this.#enabled().flatMap((provider) => this.#deadness(provider));
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

  #isEnabled({ name }: Provider): boolean {
    return this.#enabled().some((one) => one.name === name);
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

  #view(provider: Provider): ProviderView {
    const { name, title, retired, source } = provider;
    const { names, targets } = openingsOf(provider);
    const isEnabled = this.#isEnabled(provider);
    const live = isEnabled ? names.flatMap(({ host }) => this.#o.names.standing(host)?.addresses ?? []) : [];
    return {
      name,
      title,
      source,
      status: retired !== null ? 'retired' : isEnabled ? 'enabled' : 'off',
      by: this.#by(name),
      names: names.length,
      networks: targets.length,
      addresses: new Set(live).size,
      problems: [...this.#withoutEffect(provider), ...(isEnabled ? this.#problems(provider) : [])],
    };
  }

  #by(name: ProviderName): ProviderView['by'] {
    if (this.#o.configured.includes(name)) return 'config';
    return this.#byCommand.has(name) ? 'command' : null;
  }

  #withoutEffect({ name, retired }: Provider): string[] {
    if (retired === null || this.#by(name) === null) return [];
    return [`it is enabled, but retired since ${retired.since}: it lets nobody in`];
  }

  /** Those that are enabled, and in no catalogue any more. */
  #unknown(): ProviderView[] {
    const names = new Set([...this.#o.configured, ...this.#byCommand]);
    return [...names]
      .filter((name) => !this.#o.catalogue.has(name))
      .map((name) => ({
        ...{ name, title: '', source: null, status: 'unknown', by: this.#by(name) },
        ...{ names: 0, networks: 0, addresses: 0, problems: ['no catalogue has it: it lets nobody in'] },
      }));
  }

  #problems(provider: Provider): string[] {
    const dead = this.#deadness(provider);
    if (dead.length > 0) return dead;
    return openingsOf(provider).names.flatMap(({ host }) =>
      (this.#o.names.standing(host)?.problems ?? []).map((problem) => `${host}: ${problem}`),
    );
  }

  /** Whether nothing of an enabled provider is left, and what to do then. */
  #deadness(provider: Provider): string[] {
    const { names, targets } = openingsOf(provider);
    const isGone = ({ host }: Opening<string>) => GONE.has(this.#o.names.standing(host)?.condition ?? 'pending');
    if (names.length === 0 || targets.length > 0 || !names.every(isGone)) return [];
    const { name } = provider;
    const drop =
      this.#by(name) === 'config' ? 'take it out of trusted.providers' : `drop it: sallyport provider disable ${name}`;
    return [`${name} seems to be gone: none of its names exists any more; ${drop}`];
  }

  /** Which ports of this host it reaches. */
  #ports({ protocols, media }: Provider): ProviderDetails['ports'] {
    const isMedia = media.names.length + media.targets.length > 0;
    const all = isMedia ? new Set([...protocols, 'rtp' as const]) : new Set(protocols);
    return [...all].map((protocol) => ({
      service: PROVIDER_SCOPE[protocol],
      ports: (this.#o.layout.guarded.get(PROVIDER_SCOPE[protocol]) ?? []).map(formatPortRange),
    }));
  }

  /** Each change is planned on what the one before left. */
  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(task);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}
