import { setImmediate as breathe } from 'node:timers/promises';
import { type Address, addressFromBytes, type Family, familyOf, type Target } from '../core/address.js';
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
import { Pace } from '../core/pace.js';
import { after, type Clock, type Monotonic, millis } from '../core/time.js';
import type { SetElement as NetlinkElement } from '../netlink/elements.js';
import { type Found, isMissing, type NftablesLink, type Operation } from '../netlink/nftables-link.js';
import { timeLeft } from './contents.js';
import type { Elements } from './elements.js';
import {
  completionFromKey,
  completionKey,
  connectionKey,
  keyTarget,
  stateBytes,
  stepFromBytes,
  stepKeyBytes,
  targetKey,
} from './keys.js';
import { begunSet, doneSet, FAMILIES, grantSet, ignoredSet, STEP_MAP, seenSet, strikeSet } from './names.js';
import { toKernelStep } from './repeats.js';
import { seenAt } from './ruleset-seen.js';

/** So many elements a transaction fills in: a knock meanwhile waits for one of them. */
const PIECE = 1000;
/** So many of those are under way at once, so that the kernel need not wait for us. */
const AHEAD = 3;
/** What others go on adding is no reason to read for ever. */
const MOST_PASSES = 5;
/** Long enough not to end inside the transaction that takes the element away again. */
const SHORT = millis(1000);

/** For so many steps at most does reading or writing the automaton hold the event loop: a few milliseconds. */
const STEPS_AT_ONCE = 5000;

/** Elements over netlink: 15 µs of kernel time a grant. */
export class NetlinkElements implements Elements {
  readonly #link: NftablesLink;
  readonly #scopes: () => ReadonlySet<SetScope>;
  readonly #ipv6Prefix: 64 | 128;
  readonly #clock: Clock;

  /** @param options.scopes what there are sets for at the moment */
  constructor(options: {
    link: NftablesLink;
    scopes: () => ReadonlySet<SetScope>;
    ipv6Prefix: 64 | 128;
    clock: Clock;
  }) {
    this.#link = options.link;
    this.#scopes = options.scopes;
    this.#ipv6Prefix = options.ipv6Prefix;
    this.#clock = options.clock;
  }

  /*
   * Add, delete, add: a delete alone fails with the whole transaction where the element has just expired, and an add alone
   * keeps the old comment, and on kernels before 6.12 the old timeout.
   */
  async change({ present, absent, answered }: ElementChange): Promise<void> {
    const written = new Map<string, NetlinkElement[]>();
    const gone = new Map<string, NetlinkElement[]>();
    for (const { scope, target, until, comment } of present) {
      if (!this.#scopes().has(scope)) continue;
      const timeout = timeLeft(this.#clock, until);
      const name = grantSet(scope, familyOf(target));
      const key = targetKey(target);
      if (timeout === undefined) push(gone, name, { key, timeout: SHORT });
      else push(written, name, { key, timeout, ...(comment === null ? {} : { comment }) });
    }
    for (const { scope, target } of absent) {
      if (this.#scopes().has(scope))
        push(gone, grantSet(scope, familyOf(target)), { key: targetKey(target), timeout: SHORT });
    }
    for (const { source, state } of answered) {
      push(gone, doneSet(familyOf(source)), { key: completionKey(source, state), timeout: SHORT });
    }
    const operations: Operation[] = [];
    for (const [set, elements] of gone) operations.push(...addThenDelete(set, elements));
    for (const [set, elements] of written) {
      operations.push(...addThenDelete(set, elements), { op: 'add', set, elements });
    }
    if (operations.length > 0) await this.#link.transact(operations);
  }

  async fill(scopes: ReadonlySet<SetScope>, elements: Iterable<SetElement>): Promise<void> {
    const pace = this.#pace();
    const written: Promise<void>[] = [];
    let bySet = new Map<string, NetlinkElement[]>();
    let count = 0;
    const write = () => {
      const operations = [...bySet].map(([set, some]): Operation => ({ op: 'add', set, elements: some }));
      const writing = this.#link.transact(operations);
      writing.catch(() => undefined);
      written.push(writing);
      bySet = new Map();
      count = 0;
    };
    for (const { scope, target, until, comment } of elements) {
      const timeout = timeLeft(this.#clock, until);
      if (timeout === undefined || !scopes.has(scope)) continue;
      const element = { key: targetKey(target), timeout, ...(comment === null ? {} : { comment }) };
      push(bySet, grantSet(scope, familyOf(target)), element);
      if (++count >= PIECE) write();
      if (written.length > AHEAD) await written.shift();
      if (pace.isDue) await pace.rest();
    }
    if (count > 0) write();
    await Promise.all(written);
  }

  async keepConnections(connections: readonly OwnConnection[]): Promise<void> {
    const bySet = new Map<string, NetlinkElement[]>();
    for (const connection of connections) {
      push(bySet, begunSet(familyOf(connection.remote)), { key: connectionKey(connection) });
    }
    await this.#link.transact([...bySet].map(([set, elements]) => ({ op: 'add', set, elements })));
  }

  async changeSteps(removed: readonly StepKey[], added: readonly (readonly [StepKey, State])[]): Promise<void> {
    const operations: Operation[] = [];
    if (removed.length > 0) {
      operations.push({ op: 'delete', set: STEP_MAP, elements: removed.map((key) => ({ key: stepKeyBytes(key) })) });
    }
    const elements: NetlinkElement[] = [];
    for (const [key, to] of added) {
      elements.push({ key: stepKeyBytes(key), data: stateBytes(toKernelStep(key, to)) });
      if (elements.length % STEPS_AT_ONCE === 0) await breathe();
    }
    if (elements.length > 0) operations.push({ op: 'add', set: STEP_MAP, elements });
    if (operations.length > 0) await this.#link.transact(operations);
  }

  async showElements(scopes: readonly SetScope[], see: (element: KernelElement) => boolean): Promise<void> {
    for (const scope of scopes) {
      for (const family of FAMILIES) {
        try {
          await this.#showSet(scope, family, see);
        } catch (error) {
          // A table of another layout may lack a set that ours has.
          if (!isMissing(error)) throw error;
        }
      }
    }
  }

  async #showSet(scope: SetScope, family: Family, see: (element: KernelElement) => boolean): Promise<void> {
    for (let pass = 0; pass < MOST_PASSES; pass++) {
      let [pieces, news] = [0, false];
      for await (const piece of this.#link.scan(grantSet(scope, family))) {
        pieces += piece.elements.length > 0 ? 1 : 0;
        for (const element of this.#toOurs(scope, piece)) news = see(element) || news;
      }
      // One piece is one walk, and needs no other.
      if (pieces <= 1 || !news) return;
    }
  }

  async findElements(places: Iterable<ElementPlace>): Promise<KernelElement[]> {
    const bySet = new Map<string, { scope: SetScope; keys: Uint8Array[] }>();
    const pace = this.#pace();
    for (const { scope, target } of places) {
      const set = grantSet(scope, familyOf(target));
      const wanted = bySet.get(set) ?? { scope, keys: [] };
      bySet.set(set, wanted);
      wanted.keys.push(targetKey(target));
      if (pace.isDue) await pace.rest();
    }
    const found: KernelElement[] = [];
    for (const [set, { scope, keys }] of bySet) {
      for await (const piece of this.#link.get(set, keys))
        for (const one of this.#toOurs(scope, piece)) found.push(one);
    }
    return found;
  }

  *#toOurs(scope: SetScope, { elements, at }: Found): Generator<KernelElement> {
    for (const { key, remaining, comment } of elements) {
      const target = keyTarget(key, this.#ipv6Prefix);
      const until = remaining === undefined ? null : after(at, remaining);
      if (target !== undefined) yield { scope, target, until, comment: comment ?? null };
    }
  }

  #pace(): Pace {
    return new Pace(() => this.#clock.monotonic(), breathe);
  }

  /** A table of another layout may lack a set that ours has. */
  async #dumpIfThere(set: string): Promise<NetlinkElement[]> {
    try {
      return await this.#link.dump(set);
    } catch (error) {
      if (!isMissing(error)) throw error;
      return [];
    }
  }

  async readSteps(): Promise<Steps> {
    const steps = new Map<StepKey, State>();
    for (const [index, { key, data }] of (await this.#link.dump(STEP_MAP)).entries()) {
      const step = stepFromBytes(key, data);
      if (step !== undefined) steps.set(...step);
      if (index % STEPS_AT_ONCE === STEPS_AT_ONCE - 1) await breathe();
    }
    return steps;
  }

  async readMailbox(): Promise<Completion[]> {
    const found: Completion[] = [];
    for (const family of FAMILIES) {
      for (const { key } of await this.#link.dump(doneSet(family))) {
        const completion = completionFromKey(key, family);
        if (completion !== undefined) found.push(completion);
      }
    }
    return found;
  }

  /** Read once: one that is left out because another expires meanwhile is found the next time. */
  async readSeen(): Promise<Map<Address, Monotonic>> {
    const seen = new Map<Address, Monotonic>();
    for (const family of FAMILIES) {
      try {
        for await (const { elements, at } of this.#link.scan(seenSet(family))) {
          for (const { key, remaining } of elements) {
            const address = addressFromBytes(key);
            if (address !== undefined && remaining !== undefined) seen.set(address, seenAt(at, remaining));
          }
        }
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    }
    return seen;
  }

  async readIgnored(): Promise<IgnoredSource[]> {
    const found: IgnoredSource[] = [];
    for (const family of FAMILIES) {
      for (const { key, remaining } of await this.#dumpIfThere(ignoredSet(family))) {
        const target = keyTarget(key, 64);
        if (target !== undefined && remaining !== undefined) found.push({ target, remaining });
      }
    }
    return found;
  }

  /*
   * A delete alone here: an add fails where the set is full, and a count made by hand would have no limit in it, so that
   * a packet in between crosses the line.
   */
  async forgive(sources: readonly Target[]): Promise<void> {
    for (const family of FAMILIES) {
      const keys = sources
        .filter((source) => familyOf(source) === family)
        .map((source) => ({ key: targetKey(source) }));
      for (const set of [ignoredSet(family), strikeSet(family)]) {
        if (keys.length > 1 && (await this.#deleteIfThere(set, keys))) continue;
        for (const key of keys) await this.#deleteIfThere(set, [key]);
      }
    }
  }

  /** All of them or, where one is not there, none. */
  async #deleteIfThere(set: string, elements: readonly NetlinkElement[]): Promise<boolean> {
    try {
      await this.#link.transact([{ op: 'delete', set, elements }]);
      return true;
    } catch (error) {
      if (!isMissing(error)) throw error;
      return false;
    }
  }
}

function addThenDelete(set: string, elements: readonly NetlinkElement[]): Operation[] {
  return [
    { op: 'add', set, elements },
    { op: 'delete', set, elements: elements.map(({ key }) => ({ key })) },
  ];
}

function push(map: Map<string, NetlinkElement[]>, key: string, element: NetlinkElement): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [element]);
  else known.push(element);
}
