/** One set-up at a time: two `npm ci` in one checkout destroy each other's work. */
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { ROOT } from './checkout.mjs';
import { SetupError, say } from './run.mjs';

// A name in the kernel's abstract socket space: it goes with its holder, however that dies, and leaves no file behind.
const NAME = `\0sallyport-setup-${createHash('sha256').update(ROOT).digest('hex').slice(0, 32)}`;
const PATIENCE_MS = 15 * 60_000;

/** Runs `work` while no other set-up of this checkout runs; waits for one that does, 15 minutes at most. */
export async function withLock(work) {
  const lock = await acquire();
  try {
    return await work();
  } finally {
    lock.close();
  }
}

async function acquire() {
  const deadline = performance.now() + PATIENCE_MS;
  for (let told = false; ; told = true) {
    const lock = await tryLock();
    if (lock) return lock;
    if (performance.now() > deadline) {
      throw new SetupError('another set-up of this checkout does not end', 'End it and run this again.');
    }
    if (!told) say('waiting for another set-up of this checkout to end');
    await delay(200);
  }
}

function tryLock() {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error) => (error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error)));
    server.listen(NAME, () => resolve(server));
  });
}
