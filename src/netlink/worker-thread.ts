import type { Worker } from 'node:worker_threads';
import { toError, unavailable } from './errors.js';

/**
 * For a thread whose objects are short-lived. By default it would gather 48 MB of what nobody needs any more before it
 * looks.
 */
export const SMALL_YOUNG = { maxYoungGenerationSizeMb: 3 } as const;

/** Milliseconds in which a new thread must be ready. */
const START_DEADLINE = 5000;
/** Milliseconds in which a thread that was asked to end must have ended. */
const END_DEADLINE = 2000;

/**
 * Waits for what a new thread says first.
 * @throws SP_NETLINK_UNAVAILABLE where it fails, ends or says nothing within five seconds
 */
export async function firstMessage<T>(worker: Worker): Promise<T> {
  let forget = () => {};
  try {
    return await new Promise<T>((resolve, reject) => {
      const fail = (problem: unknown) => reject(toError(unavailable(problem)));
      const onExit = () => fail('its thread ended before it was ready');
      const deadline = setTimeout(() => fail('its thread was not ready in time'), START_DEADLINE);
      worker.once('message', resolve).once('error', fail).once('exit', onExit);
      forget = () => {
        clearTimeout(deadline);
        worker.off('message', resolve).off('error', fail).off('exit', onExit);
      };
    });
  } finally {
    forget();
  }
}

/**
 * Waits until a thread that was asked to end has ended; after two seconds it is terminated. One that waits in the
 * kernel ends only when the kernel lets it go: it is left to that and does not keep the process alive.
 */
export async function ended(worker: Worker): Promise<void> {
  if (worker.threadId < 0) return;
  await new Promise<void>((resolve) => {
    const deadline = setTimeout(() => {
      void worker.terminate();
      worker.unref();
      resolve();
    }, END_DEADLINE);
    worker.once('exit', () => {
      clearTimeout(deadline);
      resolve();
    });
  });
}
