import { setFlagsFromString } from 'node:v8';

/*
 * V8 lets the heap grow to twice what lives and more before it looks what nobody needs, and its youngest part to 34 MB after a
 * rush of allocations, for good. A daemon that waits most of the time has time to look sooner. Both flags are read whenever a
 * part is about to grow; a V8 that does not know one passes it over. They belong together from the first: where the youngest part
 * had grown before, V8 looked through the whole heap at nearly every request (seen on Node 20 with 100,000 grants).
 */
const KEPT_SMALL = ['--heap-growing-percent=10', '--semi-space-growth-factor=1'];

/** Keeps the memory of this process small from now on. To be called once, before much is loaded. */
export function keepHeapSmall(): void {
  limitGrowth();
  // V8 sets the second flag back whenever it makes the heap of a thread.
  process.on('worker', (worker) => worker.once('online', limitGrowth));
}

function limitGrowth(): void {
  for (const flag of KEPT_SMALL) setFlagsFromString(flag);
}
