import { z } from 'zod';
import { isSallyportError } from '../core/errors.js';
import { oneLine, shown } from './problem.js';

/** What an editor and the documentation learn of a key. */
interface Meta {
  readonly description: string;
  /** As they are written; the library keeps `examples` for values that are not transformed, so they go by this name. */
  readonly written?: readonly unknown[];
  /** A regular expression, for editors; what `read` says is what counts. */
  readonly pattern?: string;
}

/** Thrown by the readers of values: the message that a person gets. */
export class Unreadable extends Error {}

/**
 * A text that `read` turns into a value. `expected` ends the sentence `"3x" …` where it is another kind of value, or where
 * `read` throws an error that has no words for people.
 */
export function textAs<T>(expected: string, read: (text: string) => T, meta?: Meta) {
  const leaf = z.string({ error: ({ input }) => `${shown(input)} ${expected}` }).transform((text, ctx): T => {
    try {
      return read(text);
    } catch (error) {
      ctx.issues.push({ code: 'custom', input: text, message: reason(error) ?? `${shown(text)} ${expected}` });
      return z.NEVER;
    }
  });
  return meta === undefined ? leaf : leaf.meta({ ...meta });
}

/** A word of a fixed list; `later` are words that the format knows and this version does not offer. */
export function oneOf<const Word extends string, const Later extends string = never>(
  words: readonly Word[],
  meta: Meta,
  later: readonly Later[] = [],
) {
  const all = [...words, ...later].join(' | ');
  return z
    .enum([...words, ...later], { error: ({ input }) => `${shown(input)} is none of: ${all}` })
    .transform((word, ctx): Word => {
      const known = words.find((candidate) => candidate === word);
      if (known !== undefined) return known;
      const message = `"${word}" is not available in this version; write ${words.join(' or ')}`;
      ctx.issues.push({ code: 'custom', input: word, message });
      return z.NEVER;
    })
    .meta({ ...meta });
}

/** A whole number from `min` to `max`. */
export function wholeNumber(min: number, max: number, meta: Meta) {
  const error = ({ input }: { input?: unknown }) => `${shown(input)} is not a whole number from ${min} to ${max}`;
  return z
    .int({ error })
    .min(min, { error })
    .max(max, { error })
    .meta({ ...meta });
}

/** A switch. */
export function yesOrNo(meta: Meta) {
  return z.boolean({ error: ({ input }) => `${shown(input)} is neither true nor false` }).meta({ ...meta });
}

/** A mapping with these keys and no others; `kind` names it where something else stands in its place. */
export function mapping<Shape extends z.core.$ZodLooseShape>(shape: Shape, kind = 'a mapping of keys to values') {
  return z.strictObject(shape, { error: notA(kind) });
}

export function listOf<Item extends z.core.SomeType>(item: Item) {
  return z.array(item, { error: notA('a list') });
}

function notA(kind: string) {
  return ({ code, input }: { code?: string; input?: unknown }) =>
    code === 'invalid_type' ? `expected ${kind}, found ${shown(input)}` : undefined;
}

/** Text that fits on one line, without control characters. */
export function plainText(text: string, longest: number): string {
  if (text.length === 0) throw new Unreadable('it is empty');
  if (text.length > longest) throw new Unreadable(`it is longer than ${longest} characters`);
  if (oneLine(text) !== text) throw new Unreadable('it holds a line break or a control character');
  return text;
}

function reason(error: unknown): string | undefined {
  if (error instanceof Unreadable) return error.message;
  if (isSallyportError(error, 'SP_PREFIX_INVALID')) return error.message;
  if (isSallyportError(error, 'SP_HOST_NAME_INVALID')) return error.message;
  if (isSallyportError(error, 'SP_ADDRESS_MAPPED')) return `${error.message}; write the plain IPv4 address`;
  // The other errors of core say less than `expected` does.
  return undefined;
}
