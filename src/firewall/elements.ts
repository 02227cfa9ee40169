import type { Address, Target } from '../core/address.js';
import type {
  Completion,
  ElementChange,
  ElementPlace,
  KernelElement,
  OwnConnection,
  SetElement,
  SetScope,
} from '../core/firewall.js';
import type { State, StepKey, Steps } from '../core/knock/automaton.js';
import type { IgnoredSource } from '../core/knock/strikes.js';
import type { Monotonic } from '../core/time.js';

/**
 * Access to the elements of our sets. Two ways do the same: over netlink (netlink-elements.ts), and through the nft
 * program where the library for it is missing (nft-elements.ts).
 */
export interface Elements {
  /** One transaction, mailbox and all. Renews what is there and never fails on what is already gone. */
  change(change: ElementChange): Promise<void>;
  changeSteps(removed: readonly StepKey[], added: readonly (readonly [StepKey, State])[]): Promise<void>;
  /** Puts elements into sets of these scopes that have none of them, in as many transactions as it takes. */
  fill(scopes: ReadonlySet<SetScope>, elements: Iterable<SetElement>): Promise<void>;
  /** Puts the host's own connections into the sets of lockdown. */
  keepConnections(connections: readonly OwnConnection[]): Promise<void>;
  /** Shows what the hash sets of these scopes hold: see Firewall.showElements. */
  showElements(scopes: readonly SetScope[], see: (element: KernelElement) => boolean): Promise<void>;
  /** Those of the elements that are there. */
  findElements(places: Iterable<ElementPlace>): Promise<KernelElement[]>;
  readSteps(): Promise<Steps>;
  readMailbox(): Promise<Completion[]>;
  /** When each source was let in last. Empty where the table has no sets for it. */
  readSeen(): Promise<Map<Address, Monotonic>>;
  /** Empty where the table has no sets for it. */
  readIgnored(): Promise<IgnoredSource[]>;
  /** Ends the ignoring of these, and forgets their wrong packets; passes over those for which there is neither. */
  forgive(sources: readonly Target[]): Promise<void>;
}
