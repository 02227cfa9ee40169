import type { JournalQuery } from '../core/store.js';
import type { Instant } from '../core/time.js';
import type { Fault } from './faults.js';
import type { Page } from './reader.js';

/** What the worker is started with. */
export interface WorkerSetup {
  readonly directory: string;
  readonly lock: boolean;
  readonly checkedBelow: number;
}

/**
 * What the worker is asked, one message each. `write` holds the calls of one commit, each as the JSON of its changes: one
 * string is copied between threads at half the cost of the objects, and is a snapshot of the moment of the call.
 * `load` and `journal` begin an answer of pages, `more` asks for the next one, `enough` drops the rest: so neither thread is
 * held by a long answer, nor a snapshot by an answer that nobody wants.
 */
export type Request =
  | { readonly kind: 'write'; readonly calls: readonly string[] }
  | { readonly kind: 'load'; readonly endedAfter: Instant }
  | { readonly kind: 'journal'; readonly query: JournalQuery }
  | { readonly kind: 'more' }
  | { readonly kind: 'enough' }
  | { readonly kind: 'prune'; readonly before: Instant }
  | { readonly kind: 'close' };

export type Query = Extract<Request, { kind: 'load' | 'journal' }>;

export interface Answers {
  /** The calls that were refused, by their place; the others are on the disk. */
  readonly write: ReadonlyMap<number, Fault>;
  readonly load: Page | null;
  readonly journal: Page | null;
  /** Null where the last page has been given. */
  readonly more: Page | null;
  readonly enough: null;
  readonly prune: { readonly events: number; readonly done: boolean };
  readonly close: null;
}

export interface NumberedRequest {
  readonly id: number;
  readonly request: Request;
}

/** Opening has the number 0. */
export type Reply =
  | { readonly id: number; readonly value: Answers[keyof Answers] }
  | { readonly id: number; readonly fault: Fault };

export const OPENING = 0;
