import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';

/** Longer lists are written in slices: 500 grants take about a millisecond, 100,000 at once would hold up every knock. */
const SLICE = 500;

/** True where an answer holds a list too long to be written in one go. */
export function isLong(answer: unknown): boolean {
  if (Array.isArray(answer)) return answer.length > SLICE;
  return (
    typeof answer === 'object' &&
    answer !== null &&
    Object.values(answer).some((value) => Array.isArray(value) && value.length > SLICE)
  );
}

/**
 * The JSON of an answer in pieces, giving way to other work between them. Each item of a list is held to its schema, and
 * what the schema does not name is left out.
 * @throws ZodError where the answer does not fit
 */
export async function* jsonSlices(schema: z.ZodType, answer: unknown): AsyncGenerator<string> {
  if (schema instanceof z.ZodArray && Array.isArray(answer)) {
    yield '[';
    for (let start = 0; start < answer.length; start += SLICE) {
      const part = z.encode(schema, answer.slice(start, start + SLICE));
      yield `${start === 0 ? '' : ','}${JSON.stringify(part).slice(1, -1)}`;
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
    yield separator === '{' ? '{}' : '}';
  } else {
    yield JSON.stringify(z.encode(schema, answer));
  }
}
