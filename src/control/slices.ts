import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';

/** Longer lists are written in slices: 250 grants take about a millisecond, 100,000 at once would hold up every knock. */
const SLICE = 250;

/** True where an answer holds a list too long to be written in one go, or one that is still to be made. */
export function isLong(answer: unknown): boolean {
  if (isLongList(answer)) return true;
  return typeof answer === 'object' && answer !== null && Object.values(answer).some(isLongList);
}

function isLongList(value: unknown): boolean {
  return Array.isArray(value) ? value.length > SLICE : isIterable(value);
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value;
}

/**
 * The JSON of an answer in pieces, giving way to other work between them. Each item of a list is held to its schema, and
 * what the schema does not name is left out.
 * @throws ZodError where the answer does not fit
 */
export async function* jsonSlices(schema: z.ZodType, answer: unknown): AsyncGenerator<string> {
  if (schema instanceof z.ZodArray && isIterable(answer)) {
    let separator = '';
    yield '[';
    for (const items of inSlices(answer)) {
      yield `${separator}${JSON.stringify(z.encode(schema, items)).slice(1, -1)}`;
      separator = ',';
      await setImmediate();
    }
    yield ']';
  } else if (schema instanceof z.ZodObject && typeof answer === 'object' && answer !== null) {
    let separator = '{';
    for (const [key, field] of Object.entries<z.ZodType>(schema.shape)) {
      const value = (answer as Readonly<Record<string, unknown>>)[key];
      if (value === undefined && field instanceof z.ZodOptional) continue;
      yield `${separator}${JSON.stringify(key)}:`;
      yield* jsonSlices(field, value);
      separator = ',';
    }
    const { catchall } = schema.def;
    for (const [key, value] of catchall === undefined ? [] : Object.entries(answer)) {
      if (Object.hasOwn(schema.shape, key) || value === undefined) continue;
      yield `${separator}${JSON.stringify(key)}:`;
      yield* jsonSlices(catchall as z.ZodType, value);
      separator = ',';
    }
    yield separator === '{' ? '{}' : '}';
  } else {
    yield JSON.stringify(z.encode(schema, answer));
  }
}

function* inSlices(items: Iterable<unknown>): Generator<unknown[]> {
  let slice: unknown[] = [];
  for (const item of items) {
    slice.push(item);
    if (slice.length < SLICE) continue;
    yield slice;
    slice = [];
  }
  if (slice.length > 0) yield slice;
}
