import { type Address, familyOf, networkTarget, parseAddress, type Target } from '../core/address.js';
import type {
  Completion,
  ElementChange,
  ElementPlace,
  KernelElement,
  OwnConnection,
  SetElement,
  SetScope,
} from '../core/firewall.js';
import { ElementIndex } from '../core/grants/element-index.js';
import { type State, type StepKey, type Steps, stepKey } from '../core/knock/automaton.js';
import type { IgnoredSource } from '../core/knock/strikes.js';
import { PROTOCOL_NUMBER, toPort } from '../core/ports.js';
import { after, type Clock, type Monotonic, seconds } from '../core/time.js';
import {
  addElements,
  renderBegun,
  renderElement,
  renderElements,
  renderHashTarget,
  renderStep,
  renderStepKey,
} from './contents.js';
import type { Elements } from './elements.js';
import { doneSet, FAMILIES, grantSet, ignoredSet, STEP_MAP, seenSet, strikeSet, TABLE } from './names.js';
import { nftList, nftLoad, type OnStarted } from './nft-program.js';
import { fromKernelStep } from './repeats.js';

import { seenAt } from './ruleset-seen.js';

/**
 * Elements through the nft program: the fall-back where netlink cannot be spoken from here. Slower (some 5 ms a change), and
 * the time left is read in whole seconds.
 */
export class NftElements implements Elements {
  readonly #scopes: () => ReadonlySet<SetScope>;
  readonly #ipv6Prefix: 64 | 128;
  readonly #clock: Clock;
  readonly #onStarted: OnStarted;

  /** @param options.scopes what there are sets for at the moment */
  constructor(options: {
    scopes: () => ReadonlySet<SetScope>;
    ipv6Prefix: 64 | 128;
    clock: Clock;
    onStarted: OnStarted;
  }) {
    this.#scopes = options.scopes;
    this.#ipv6Prefix = options.ipv6Prefix;
    this.#clock = options.clock;
    this.#onStarted = options.onStarted;
  }

  async change({ present, absent, answered }: ElementChange): Promise<void> {
    const known = this.#scopes();
    const lines: string[] = [];
    for (const element of present.filter(({ scope }) => known.has(scope))) {
      const set = grantSet(element.scope, familyOf(element.target));
      const text = renderElement(element, this.#clock);
      lines.push(addThenDelete(set, renderHashTarget(element.target)));
      if (text !== undefined) lines.push(`add element inet ${TABLE} ${set} { ${text} }\n`);
    }
    for (const { scope, target } of absent.filter((one) => known.has(one.scope))) {
      lines.push(addThenDelete(grantSet(scope, familyOf(target)), renderHashTarget(target)));
    }
    for (const { source, state } of answered) {
      lines.push(addThenDelete(doneSet(familyOf(source)), `${source} . ${state}`));
    }
    if (lines.length > 0) await nftLoad(lines, this.#onStarted);
  }

  async fill(scopes: ReadonlySet<SetScope>, elements: Iterable<SetElement>): Promise<void> {
    await nftLoad(renderElements(scopes, elements, this.#clock), this.#onStarted);
  }

  async keepConnections(connections: readonly OwnConnection[]): Promise<void> {
    await nftLoad(renderBegun(connections), this.#onStarted);
  }

  async changeSteps(removed: readonly StepKey[], added: readonly (readonly [StepKey, State])[]): Promise<void> {
    const gone = removed.map((key) => `delete element inet ${TABLE} ${STEP_MAP} { ${renderStepKey(key)} }\n`);
    const lines = [...gone, ...addElements(STEP_MAP, added.map(renderStep))];
    if (lines.length > 0) await nftLoad(lines, this.#onStarted);
  }

  async showElements(scopes: readonly SetScope[], see: (element: KernelElement) => boolean): Promise<void> {
    for (const scope of scopes) {
      for (const family of FAMILIES) {
        for (const { value, expires, comment } of await readSet('set', grantSet(scope, family))) {
          const target = networkTarget(parseAddress(String(value)), family === 6 ? this.#ipv6Prefix : 32);
          const now = this.#clock.monotonic();
          const until = expires === undefined ? null : after(now, seconds(Math.max(expires, 0.001)));
          see({ scope, target, until, comment: comment ?? null });
        }
      }
    }
  }

  async findElements(places: Iterable<ElementPlace>): Promise<KernelElement[]> {
    const wanted = ElementIndex.of(places);
    const scopes = new Set([...wanted].map(({ scope }) => scope));
    const found: KernelElement[] = [];
    await this.showElements([...scopes], (element) => {
      if (wanted.get(element.scope, element.target) !== undefined) found.push(element);
      return false;
    });
    return found;
  }

  async readSteps(): Promise<Steps> {
    const steps = new Map<StepKey, State>();
    for (const { value, data } of await readSet('map', STEP_MAP)) {
      const [from, protocol, port] = concat(value);
      const isUdp = protocol === 'udp' || protocol === PROTOCOL_NUMBER.udp;
      const knock = { protocol: isUdp ? 'udp' : 'tcp', port: toPort(Number(port)) } as const;
      const key = stepKey(Number(from) as State, knock);
      steps.set(key, fromKernelStep(key, Number(data) as State));
    }
    return steps;
  }

  async readMailbox(): Promise<Completion[]> {
    const found: Completion[] = [];
    for (const family of FAMILIES) {
      for (const { value } of await readSet('set', doneSet(family))) {
        const [source, state] = concat(value);
        found.push({ source: parseAddress(String(source)), state: Number(state) as State });
      }
    }
    return found;
  }

  async readSeen(): Promise<Map<Address, Monotonic>> {
    const seen = new Map<Address, Monotonic>();
    for (const family of FAMILIES) {
      for (const { value, expires = 0 } of await readSet('set', seenSet(family))) {
        seen.set(parseAddress(String(value)), seenAt(this.#clock.monotonic(), seconds(expires)));
      }
    }
    return seen;
  }

  async readIgnored(): Promise<IgnoredSource[]> {
    const found: IgnoredSource[] = [];
    for (const family of FAMILIES) {
      for (const { value, expires = 0 } of await readSet('set', ignoredSet(family))) {
        const target = networkTarget(parseAddress(String(value)), family === 6 ? 64 : 32);
        found.push({ target, remaining: seconds(Math.max(expires, 0.001)) });
      }
    }
    return found;
  }

  /** What is there is deleted; it may be gone by the time that nft comes to it, hence more than one try. */
  async forgive(sources: readonly Target[]): Promise<void> {
    for (let tries = 3; ; tries--) {
      const lines: string[] = [];
      for (const family of FAMILIES) {
        const wanted = new Set(sources.filter((one) => familyOf(one) === family).map(renderHashTarget));
        if (wanted.size === 0) continue;
        for (const set of [ignoredSet(family), strikeSet(family)]) {
          const keys = (await readSet('set', set)).map(({ value }) => String(value)).filter((key) => wanted.has(key));
          if (keys.length > 0) lines.push(`delete element inet ${TABLE} ${set} { ${keys.join(', ')} }\n`);
        }
      }
      if (lines.length === 0) return;
      try {
        await nftLoad(lines, this.#onStarted);
        return;
      } catch (error) {
        if (tries <= 1) throw error;
      }
    }
  }
}

/** The add keeps the delete from failing where the element is already gone; the timeout is the set's own. */
function addThenDelete(set: string, key: string): string {
  return `add element inet ${TABLE} ${set} { ${key} }\ndelete element inet ${TABLE} ${set} { ${key} }\n`;
}

export interface ListedElement {
  readonly value: unknown;
  readonly data?: unknown;
  readonly expires?: number;
  readonly comment?: string;
}

/** One set or map as libnftables-json(5) shows it; empty where it does not exist. */
export async function readSet(kind: 'set' | 'map', name: string): Promise<ListedElement[]> {
  const text = await nftList(['-j', 'list', kind, 'inet', TABLE, name]);
  if (text === null) return [];
  const { nftables } = JSON.parse(text) as { nftables: Record<string, { elem?: unknown[] }>[] };
  const elements = nftables.flatMap((one) => one[kind]?.elem ?? []);
  return elements.map((one) =>
    kind === 'map' && Array.isArray(one) ? { ...listed(one[0]), data: one[1] } : listed(one),
  );
}

function listed(element: unknown): ListedElement {
  if (typeof element !== 'object' || element === null || !('elem' in element)) return { value: element };
  const { val, expires, comment } = element.elem as { val: unknown; expires?: number; comment?: string };
  return { value: val, ...(expires === undefined ? {} : { expires }), ...(comment === undefined ? {} : { comment }) };
}

function concat(value: unknown): unknown[] {
  const isConcat = typeof value === 'object' && value !== null && 'concat' in value && Array.isArray(value.concat);
  return isConcat ? (value as { concat: unknown[] }).concat : [value];
}
