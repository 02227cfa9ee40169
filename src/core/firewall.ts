import type { Address, AddressRange, Target } from './address.js';
import type { State, StepKey, Steps } from './knock/automaton.js';
import type { IgnoredSource, StrikeLimit } from './knock/strikes.js';
import type { Port, PortRange, PortSpan } from './ports.js';
import type { GuardRules } from './rules.js';
import type { ServiceName } from './service.js';
import type { Duration, Monotonic } from './time.js';

/** The part of the guard's shape that a change of the configuration may apply while the gateway runs. */
export interface LayoutRules {
  /** What becomes of everything else that comes in or is forwarded: it is left alone, or closed too. */
  readonly policy: 'guard' | 'lockdown';
  /** The services that are closed to strangers, and their ports. */
  readonly guarded: ReadonlyMap<ServiceName, readonly PortRange[]>;
  readonly onExpiry: 'cut' | 'drain';
  /** Interfaces through which everything is let in. */
  readonly trustedInterfaces: readonly string[];
  /** Under lockdown: interfaces whose own connections are forwarded. */
  readonly forwardFrom: readonly string[];
  /** Under lockdown: ports that stay open to everyone, unless they are a service's. */
  readonly openPorts: readonly PortRange[];
}

/** The shape of the guard. What is not among its rules does not change while the gateway runs. */
export interface GuardLayout extends LayoutRules {
  readonly pool: PortSpan;
  /** Who recognises knocks: the rules themselves, or sockets, to which the packets of the pool are let through then. */
  readonly knocks: 'kernel' | 'socket';
  /** When the rules ignore a source; null where they never do. */
  readonly strikes: StrikeLimit | null;
  /** The longest time between two knocks. */
  readonly window: Duration;
  /** The netlink log group that rings when a sequence is complete. */
  readonly nflogGroup: number;
  /** No element may outlive this, whatever happens. */
  readonly maxTtl: Duration;
  /** How much of an IPv6 address one grant covers. */
  readonly ipv6Prefix: 64 | 128;
  /** Where the host's own outgoing connections have their ports. */
  readonly localPorts: PortSpan;
}

/** What the kernel is to hold: the rules that are armed, and those that hold when a provisional guard lapses. */
export interface GuardShape {
  readonly layout: GuardLayout;
  /** The previous rules; null where there are none to come back to: then nothing of ours holds. */
  readonly fallback: GuardLayout | null;
}

/** A set of the kernel for one scope: a service, `all`, or `held` (addresses whose UDP replies are not trusted). */
export type SetScope = ServiceName | 'held';

/** An element of a hash set; the target is one address, or a /64 where grants cover one. */
export interface SetElement {
  readonly scope: SetScope;
  readonly target: Target;
  /** When it ends. What has no time left when it is written is left out. */
  readonly until: Monotonic;
  readonly comment: string | null;
}

/** An element as the kernel has it. `until` is null where it would never end. */
export interface KernelElement {
  readonly scope: SetScope;
  readonly target: Target;
  readonly until: Monotonic | null;
  readonly comment: string | null;
}

/** What the interval sets hold, disjoint within a scope. */
export interface RangeContents {
  /** Entries: in until they are removed. */
  readonly entries: ReadonlyMap<ServiceName, readonly AddressRange[]>;
  /** Those of the previous rules, where there are any to come back to. */
  readonly fallback?: ReadonlyMap<ServiceName, readonly AddressRange[]>;
  /** Grants for CIDRs. */
  readonly grants: ReadonlyMap<SetScope, readonly (AddressRange & { readonly until: Monotonic })[]>;
}

/** A range as the kernel has it in an interval set: of an entry, of one of the previous rules, or of a grant with what is left of its time. */
export interface KernelRange extends AddressRange {
  readonly scope: SetScope;
  readonly holds: 'entry' | 'previous entry' | 'grant';
  /** Null where it never ends. */
  readonly remaining: Duration | null;
}

/** A TCP connection that the host began, as its replies are addressed. */
export interface OwnConnection {
  readonly remote: Address;
  readonly remotePort: Port;
  readonly localPort: Port;
}

/** The guard as a whole: its shape, and what fills it and changes as it runs. */
export interface GuardContents {
  readonly shape: GuardShape;
  readonly steps: Steps;
  /** May be gone through more than once. */
  readonly elements: Iterable<SetElement>;
  readonly ranges: RangeContents;
}

/** What is restored at a boot: the last rules that lasted, and whom they let in by themselves. */
export interface KeptRules {
  readonly layout: GuardLayout;
  readonly rules: GuardRules;
}

/** Which rules hold: ours for good, ours until a time, or none. */
export type Arming = { readonly kind: 'permanent' } | { readonly kind: 'provisional'; readonly remaining: Duration };

/** Elements that let in, or elements of what is held. */
export type ElementKind = 'open' | 'held';

/** What tells one element of the hash sets from all others. */
export interface ElementPlace {
  readonly scope: SetScope;
  readonly target: Target;
}

/** A change of elements in the hash sets, done at once or not at all. */
export interface ElementChange {
  readonly present: readonly SetElement[];
  readonly absent: readonly ElementPlace[];
  /** Completed knocks that this change answers: taken out of the mailbox along with it. */
  readonly answered: readonly Completion[];
}

/** What the kernel holds of us. */
export interface GuardState {
  /**
   * `absent`: no table. `opened`: somebody gave the panic command. `foreign`: a table of ours that is not as it was
   * loaded, or of another shape. `intact`: as it was loaded. `none`: there is no packet filter, nothing is ever closed.
   */
  readonly table: 'absent' | 'opened' | 'foreign' | 'intact' | 'none';
  /** Null where no rule of ours is consulted, but for the previous ones. */
  readonly arming: Arming | null;
  /** Whether the previous rules stand ready, or hold already. */
  readonly hasFallback: boolean;
}

/** A completed knock as it lies in the kernel's mailbox. */
export interface Completion {
  readonly source: Address;
  readonly state: State;
}

/**
 * The packet filter of the kernel. One writer: calls are carried out in their order, and element changes that arrive while
 * one is under way are gathered into the next. Rejects with SP_FIREWALL_*.
 */
export interface Firewall {
  /** What there are sets for: elements of other scopes, of a service that is not guarded say, are passed over. */
  readonly scopes: ReadonlySet<SetScope>;
  /** Looks whether the kernel holds a guard of this shape; changes nothing there. */
  inspect(shape: GuardShape): Promise<GuardState>;
  /**
   * Puts the whole guard in place of whatever is there. Where that is a guard of ours, only what is different changes, and
   * nobody who is in notices. Else it is made anew, closed first where there is much to fill it with.
   * @param isAnew in any case: nobody has kept up what fills it
   */
  load(contents: GuardContents, arming: Arming, isAnew?: boolean): Promise<void>;
  /** Arms the rules that are loaded, with the previous ones behind them where there are any. */
  arm(arming: Arming): Promise<void>;
  /** Has the boot step restore these rules. @throws SP_STORE_FULL, SP_STATE_UNWRITABLE: what was kept before stays */
  keep(rules: KeptRules): Promise<void>;
  /** Takes the guard away: everything is open. */
  unload(): Promise<void>;
  change(change: ElementChange): Promise<void>;
  changeSteps(removed: readonly StepKey[], added: readonly (readonly [StepKey, State])[]): Promise<void>;
  /** @param isAnew whatever they hold: somebody else may have changed it */
  setRanges(ranges: RangeContents, isAnew?: boolean): Promise<void>;
  /**
   * Lets these connections go on that are older than the guard: conntrack may take whoever speaks first since then for the
   * one who began. To be called after each load; nothing to do where the policy is not lockdown.
   */
  keepConnections(connections: readonly OwnConnection[]): Promise<void>;
  /**
   * Shows the elements of the hash sets, those of grants or those that are held, some perhaps more than once. The kernel
   * leaves out elements of a large set where others expire, come or go meanwhile: it is read again until nothing is news.
   * @param see whether an element is news to it
   */
  showElements(which: ElementKind, see: (element: KernelElement) => boolean): Promise<void>;
  /** Those of the elements that are in the kernel, each looked up by itself, so that none is missed. */
  findElements(places: Iterable<ElementPlace>): Promise<readonly KernelElement[]>;
  /** All ranges of the interval sets. */
  readRanges(): Promise<readonly KernelRange[]>;
  readSteps(): Promise<Steps>;
  /** Completed knocks that nobody has taken out yet. */
  readMailbox(): Promise<readonly Completion[]>;
  /** Whom the rules have let in lately, and when the last packet came, as far as they have room to note it. */
  readSeen(): Promise<ReadonlyMap<Address, Monotonic>>;
  /** The sources that the rules ignore. */
  readIgnored(): Promise<readonly IgnoredSource[]>;
  /** Ends that for these, as `readIgnored` names them; those that are not ignored are passed over. */
  forgive(sources: readonly Target[]): Promise<void>;
}
