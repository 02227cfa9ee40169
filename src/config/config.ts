import type { Target } from '../core/address.js';
import type { StrikeLimit } from '../core/knock/strikes.js';
import type { HostName } from '../core/names/host-name.js';
import type { PortRange, PortSpan, Protocol } from '../core/ports.js';
import type { ProviderName, ProviderProtocol } from '../core/provider.js';
import type { Scope, ServiceName, Services } from '../core/service.js';
import type { Duration } from '../core/time.js';

/** The configuration: read once, checked, every default filled in, frozen. */
export interface Config {
  readonly version: 1;
  readonly services: Services;
  readonly firewall: FirewallConfig;
  readonly trusted: TrustedConfig;
  readonly providers: ProvidersConfig;
  readonly names: NamesConfig;
  readonly knock: KnockConfig;
  readonly grants: GrantsConfig;
  readonly phone: PhoneConfig;
  readonly control: { readonly socket: string };
  readonly log: { readonly level: LogLevel };
  readonly journal: { readonly keep: Duration };
  readonly state: { readonly directory: string };
}

export interface FirewallConfig {
  readonly driver: 'nftables' | 'none';
  /** Whether the services named in `guard` are closed, or everything. */
  readonly policy: 'guard' | 'lockdown';
  /** As it is written, in the order of `services`, each once; `closedServices` tells what strangers do not reach. */
  readonly guard: readonly ServiceName[];
  /** Under lockdown: interfaces whose own connections are forwarded; a trailing `*` stands for any ending. */
  readonly forward: readonly string[];
  /** Whether the end of a grant cuts live connections or lets them finish. */
  readonly onExpiry: 'cut' | 'drain';
  /** How long the very first guard holds unless it is confirmed. */
  readonly provisional: Duration;
  /** Whether nothing is guarded for a while after several starts of the machine in quick succession. */
  readonly rescue: boolean;
}

export interface TrustedConfig {
  /** Names of interfaces; a trailing `*` stands for any ending. */
  readonly interfaces: readonly string[];
  readonly addresses: readonly TrustedAddress[];
  readonly names: readonly TrustedName[];
  readonly providers: readonly ProviderName[];
}

export interface TrustedAddress {
  readonly target: Target;
  readonly services: Scope;
  readonly note: string | null;
}

export interface TrustedName {
  readonly name: HostName;
  readonly services: Scope;
  readonly note: string | null;
}

export interface NamesConfig {
  /** When all names are looked up, whatever their TTL: a cron expression. */
  readonly schedule: string;
  /** Name servers as `address` or `address:port`; none: those of the system. */
  readonly servers: readonly string[];
  /** How long there must be no such name before its addresses are dropped. */
  readonly nxdomainAfter: Duration;
  /** So many addresses of a family may one name bring. */
  readonly maxAddresses: number;
}

export interface ProvidersConfig {
  /** The file of a catalogue beside the one that comes along; null where there is none. */
  readonly catalogue: string | null;
  /** The ports of this host that providers may reach. */
  readonly ports: Readonly<Record<ProviderProtocol, readonly PortRange[]>>;
}

export interface KnockConfig {
  readonly source: 'kernel' | 'socket';
  /** What `source: socket` listens to; nothing else counts as a knock there. */
  readonly socketProtocols: readonly Protocol[];
  /** The ports that sequences are drawn from; clear of every service. */
  readonly pool: PortSpan;
  /** The longest time between two packets of a sequence. */
  readonly window: Duration;
  /** When a source's knocks are ignored; null where they never are. */
  readonly strikes: StrikeLimit | null;
  readonly nflogGroup: number;
}

export interface GrantsConfig {
  readonly ttl: Duration;
  readonly maxTtl: Duration;
  /** How many leading bits of an IPv6 address a grant covers. */
  readonly ipv6Prefix: 64 | 128;
}

export interface PhoneConfig {
  /** True where the file has a `phone` section. */
  readonly configured: boolean;
  readonly extension: string;
  readonly driver: 'ari' | 'ami';
  /** The language of the sounds, as Asterisk names it. */
  readonly language: string;
  readonly ari: {
    readonly url: string;
    readonly app: string;
    readonly username: string;
    readonly passwordFile: string;
  };
  readonly ami: {
    readonly host: string;
    readonly port: number;
    readonly username: string;
    readonly secretFile: string;
    /** Whether the dialplan may let addresses in by UserEvent(SallyportAuthorize). */
    readonly userEvents: boolean;
  };
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';
