/** A deadline is passed in so many steps: time that this thread was held up itself counts as one of them. */
const STEPS = 5;

/**
 * A promise that settles in time: neither of the two libraries has time-outs of its own.
 * @throws what `late` makes after so many milliseconds
 */
export async function within<T>(promise: Promise<T>, limit: number, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    const step = (left: number) => {
      if (left === 0) reject(late());
      else timer = setTimeout(step, limit / STEPS, left - 1);
    };
    step(STEPS);
  });
  // A rejection that comes after the deadline has nobody who waits for it.
  promise.catch(() => undefined);
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** Whatever was thrown, as an Error: old libraries throw strings. */
export function toError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  return new Error(typeof thrown === 'string' ? thrown : 'something was thrown that is no error');
}
