import type { Address } from '../address.js';
import type { Completion } from '../firewall.js';

/** A whole sequence came from one address. */
export interface CompletedKnock {
  readonly source: Address;
  readonly sequenceId: number;
  /** What the last packet carried, where it was UDP and is known; often empty. */
  readonly payload: Uint8Array;
  /** Where it lies in the kernel's mailbox, to be taken out when it is answered; null where there is none. */
  readonly completion: Completion | null;
}

/** How a source of knocks is doing, for `status`. */
export interface SourceHealth {
  readonly state: 'listening' | 'polling' | 'failed' | 'stopped';
  readonly detail: string | null;
}

/** Resolves when they are answered, or cannot be; never rejects. */
export type OnKnocks = (knocks: readonly CompletedKnock[]) => Promise<void>;

/** Where completed knocks come from: the kernel, or sockets. */
export interface KnockSource {
  start(onKnocks: OnKnocks): Promise<void>;
  stop(): Promise<void>;
  health(): SourceHealth;
}
