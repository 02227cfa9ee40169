/** When a program that sniffs has begun to. */
import { setTimeout as sleep } from 'node:timers/promises';

const READY_BOUND_MS = 5000;
const SETTLE_MS = 50;

/** Resolves when a packet socket is bound in the machine. */
export async function listening(machine, name) {
  for (const end = performance.now() + READY_BOUND_MS; performance.now() < end; ) {
    const sockets = await machine.mustRun('cat', ['/proc/net/packet']);
    if (sockets.trim().split('\n').length > 1) return await sleep(SETTLE_MS);
    await sleep(20);
  }
  throw new Error(`${name} does not listen`);
}
