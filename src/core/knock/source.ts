import type { Address, Target } from '../address.js';
import type { Completion } from '../firewall.js';
import type { GrantId } from '../grants/grant.js';
import type { Scope } from '../service.js';
import type { IgnoredSource } from './strikes.js';

/** A whole sequence came from one address. */
export interface CompletedKnock {
  readonly source: Address;
  readonly sequenceId: number;
  /** What the last packet carried, where it was UDP and is known; often empty. */
  readonly payload: Uint8Array;
  /** Where it lies in the kernel's mailbox, to be taken out when it is answered; null where there is none. */
  readonly completion: Completion | null;
  /** What is in the kernel for it already; null where nothing is. */
  readonly early: EarlyGrant | null;
}

/** A grant that whoever heard of the knock first has opened, ahead of the decision: it is to be kept, or taken back. */
export interface EarlyGrant {
  readonly id: GrantId;
  readonly services: Scope;
}

/** How a source of knocks is doing, for `status`. */
export interface SourceHealth {
  readonly state: 'listening' | 'polling' | 'failed' | 'stopped';
  readonly detail: string | null;
}

/** Who is told of what a source of knocks finds. */
export interface KnockHandlers {
  /** Resolves when they are answered, or cannot be; never rejects. */
  readonly onKnocks: (knocks: readonly CompletedKnock[]) => Promise<void>;
  /** These sources have just crossed the line: their knocks are ignored from now on. */
  readonly onStruck: (sources: readonly Target[]) => void;
}

/** Where completed knocks come from: the kernel, or sockets. */
export interface KnockSource {
  start(handlers: KnockHandlers): Promise<void>;
  stop(): Promise<void>;
  health(): SourceHealth;
  /** The sources that are ignored now, and for how long. */
  ignored(): Promise<readonly IgnoredSource[]>;
  /** Listens to sources again that lie in one of the targets, or in whose network one of them lies. */
  forgive(targets: readonly Target[]): Promise<void>;
}
