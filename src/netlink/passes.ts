import { millis } from '../core/time.js';
import { decodeElements, elementId, type SetElement } from './elements.js';
import { EBADMSG, NetlinkError } from './errors.js';

/** What one reading of a set gave, as the kernel sent it. */
export interface Pass {
  readonly pieces: readonly Uint8Array<ArrayBuffer>[];
  /** Milliseconds from its start to the end of the last pass. */
  readonly age: number;
}

/**
 * Puts the passes of one dump together, some hundred elements at a time: of each element the latest word, and of one
 * that was not told again what must be left of its time.
 * @throws NetlinkError EBADMSG
 */
export function* mergePasses(passes: readonly Pass[]): Generator<readonly SetElement[]> {
  const seen = new Set<string>();
  for (const [index, { pieces, age }] of [...passes.entries()].reverse()) {
    const passed = index === passes.length - 1 ? 0 : age;
    for (const piece of pieces) {
      const elements: SetElement[] = [];
      for (const element of decodePiece(piece)) {
        const id = elementId(element);
        if (!seen.has(id)) elements.push(...later(element, passed));
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
  if (passed === 0 || element.remaining === undefined) return [element];
  const remaining = millis(Math.floor(element.remaining - passed));
  return remaining < 1 ? [] : [{ ...element, remaining }];
}
