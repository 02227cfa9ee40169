import type { Address } from '../core/address.js';
import type {
  Completion,
  Firewall,
  GuardContents,
  GuardShape,
  GuardState,
  KernelElement,
  KernelRange,
  SetScope,
} from '../core/firewall.js';
import type { Steps } from '../core/knock/automaton.js';
import type { IgnoredSource } from '../core/knock/strikes.js';
import type { Monotonic } from '../core/time.js';
import { PANIC_COMMENT, TABLE } from './names.js';
import { nftList } from './nft-program.js';
import { setScopes } from './placement.js';

/** Whether rules of an earlier configuration are still in the kernel, as far as this process may see. */
export async function hasLeftovers(): Promise<boolean> {
  const listing = await nftList(['-t', 'list', 'table', 'inet', TABLE]).catch(() => null);
  return listing !== null && !listing.includes(PANIC_COMMENT);
}

/** No packet filter at all: nothing is closed, and nothing is opened. Needs no privileges; for trying the rest of it. */
export class NoFirewall implements Firewall {
  #scopes: ReadonlySet<SetScope> = new Set();

  get scopes(): ReadonlySet<SetScope> {
    return this.#scopes;
  }

  async inspect(shape: GuardShape): Promise<GuardState> {
    this.#scopes = new Set(setScopes(shape).all);
    return { table: 'none', arming: null, hasFallback: false };
  }

  async load({ shape }: GuardContents): Promise<void> {
    this.#scopes = new Set(setScopes(shape).all);
  }

  async arm(): Promise<void> {}
  async keep(): Promise<void> {}
  async unload(): Promise<void> {}
  async change(): Promise<void> {}
  async changeSteps(): Promise<void> {}
  async setRanges(): Promise<void> {}
  async keepConnections(): Promise<void> {}
  async forgive(): Promise<void> {}
  async showElements(): Promise<void> {}

  async findElements(): Promise<readonly KernelElement[]> {
    return [];
  }

  async readRanges(): Promise<readonly KernelRange[]> {
    return [];
  }

  async readSteps(): Promise<Steps> {
    return new Map();
  }

  async readMailbox(): Promise<readonly Completion[]> {
    return [];
  }

  async readSeen(): Promise<ReadonlyMap<Address, Monotonic>> {
    return new Map();
  }

  async readIgnored(): Promise<readonly IgnoredSource[]> {
    return [];
  }
}
