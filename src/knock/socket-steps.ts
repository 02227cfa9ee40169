import type { Address, Target } from '../core/address.js';
import type {
  Arming,
  Completion,
  ElementChange,
  ElementKind,
  ElementPlace,
  Firewall,
  GuardContents,
  GuardShape,
  GuardState,
  KeptRules,
  KernelElement,
  KernelRange,
  OwnConnection,
  RangeContents,
  SetScope,
} from '../core/firewall.js';
import type { State, StepKey, Steps } from '../core/knock/automaton.js';
import type { IgnoredSource } from '../core/knock/strikes.js';
import type { Monotonic } from '../core/time.js';
import type { SocketKnockSource } from './socket-source.js';

/**
 * The packet filter of a gateway whose knocks come over sockets: the automaton goes to the sockets, everything else to the
 * filter itself.
 */
export class SocketSteps implements Firewall {
  readonly #filter: Firewall;
  readonly #source: SocketKnockSource;

  constructor(filter: Firewall, source: SocketKnockSource) {
    this.#filter = filter;
    this.#source = source;
  }

  get scopes(): ReadonlySet<SetScope> {
    return this.#filter.scopes;
  }

  inspect(shape: GuardShape): Promise<GuardState> {
    return this.#filter.inspect(shape);
  }

  async load(contents: GuardContents, arming: Arming, isAnew?: boolean): Promise<void> {
    await this.#filter.load({ ...contents, steps: new Map() }, arming, isAnew);
    await this.#source.replaceSteps(contents.steps);
  }

  arm(arming: Arming): Promise<void> {
    return this.#filter.arm(arming);
  }

  keep(rules: KeptRules): Promise<void> {
    return this.#filter.keep(rules);
  }

  unload(): Promise<void> {
    return this.#filter.unload();
  }

  change(change: ElementChange): Promise<void> {
    return this.#filter.change(change);
  }

  changeSteps(removed: readonly StepKey[], added: readonly (readonly [StepKey, State])[]): Promise<void> {
    return this.#source.changeSteps(removed, added);
  }

  setRanges(ranges: RangeContents, isAnew?: boolean): Promise<void> {
    return this.#filter.setRanges(ranges, isAnew);
  }

  keepConnections(connections: readonly OwnConnection[]): Promise<void> {
    return this.#filter.keepConnections(connections);
  }

  showElements(which: ElementKind, see: (element: KernelElement) => boolean): Promise<void> {
    return this.#filter.showElements(which, see);
  }

  findElements(places: Iterable<ElementPlace>): Promise<readonly KernelElement[]> {
    return this.#filter.findElements(places);
  }

  readRanges(): Promise<readonly KernelRange[]> {
    return this.#filter.readRanges();
  }

  async readSteps(): Promise<Steps> {
    return this.#source.steps;
  }

  /** Sockets hand over what is complete at once. */
  async readMailbox(): Promise<readonly Completion[]> {
    return [];
  }

  readSeen(): Promise<ReadonlyMap<Address, Monotonic>> {
    return this.#filter.readSeen();
  }

  readIgnored(): Promise<readonly IgnoredSource[]> {
    return this.#source.ignored();
  }

  forgive(sources: readonly Target[]): Promise<void> {
    return this.#source.forgive(sources);
  }
}
