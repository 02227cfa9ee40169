import { type Monotonic, millis } from '../core/time.js';
import { decodeElements, elementId, type SetElement } from './elements.js';
import { EBADMSG, NetlinkError } from './errors.js';

/** Some hundred elements as the kernel sent them, and when. */
export interface Piece {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly at: Monotonic;
}

/** What one reading of a set gave. */
export interface Pass {
  readonly pieces: readonly Piece[];
}

/** What one or more readings gave, the last of them last. */
export interface Reading {
  readonly passes: readonly Pass[];
  /** When the last one was done. */
  readonly at: Monotonic;
}

/** CLOCK_MONOTONIC in milliseconds: the same on every thread. */
export function monotonicNow(): Monotonic {
  return (Number(process.hrtime.bigint()) / 1e6) as Monotonic;
}

/**
 * Puts the passes of one reading together, some hundred elements at a time: of each element the latest word, with what is
 * left of its time when the reading was done.
 * @throws NetlinkError EBADMSG
 */
export function* mergePasses({ passes, at }: Reading): Generator<readonly SetElement[]> {
  const seen = new Set<string>();
  for (const { pieces } of passes.toReversed()) {
    for (const piece of pieces) {
      const elements: SetElement[] = [];
      for (const element of decodePiece(piece.bytes)) {
        const id = elementId(element);
        if (!seen.has(id)) elements.push(...later(element, at - piece.at));
        seen.add(id);
      }
      yield elements;
    }
  }
}

/** @throws NetlinkError EBADMSG */
export function decodePiece(piece: Uint8Array): SetElement[] {
  const elements = decodeElements(piece);
  if (elements === undefined) throw new NetlinkError(EBADMSG, 'reading a dump');
  return elements;
}

/** The element after so many milliseconds; nothing where its time must have run out. */
function later(element: SetElement, passed: number): SetElement[] {
  if (element.remaining === undefined) return [element];
  const remaining = millis(Math.floor(element.remaining - passed));
  return remaining < 1 ? [] : [{ ...element, remaining }];
}
