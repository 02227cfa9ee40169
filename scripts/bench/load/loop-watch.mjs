/*
 * Loaded into the gateway before its own code (node --import): how long its event loop was held. A timer that should come
 * every few milliseconds comes late by as much. Part of that the thread may have waited for a processor (schedstat of
 * proc(5)), which is not the gateway's doing: it is told apart. One line a tenth of a second goes to the file named by
 * SALLYPORT_LOOP_WATCH: the monotonic clock, the longest hold since the last line, and the longest without that wait, all
 * in milliseconds.
 */
import { openSync, readFileSync, writeSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const TICK_MS = 5;
const LINE_MS = 100;
const SCHEDSTAT = `/proc/self/task/${process.pid}/schedstat`;

if (isMainThread && process.env.SALLYPORT_LOOP_WATCH !== undefined) watch(process.env.SALLYPORT_LOOP_WATCH);

function watch(path) {
  const file = openSync(path, 'a');
  let at = now();
  let waited = runqueueWait();
  let told = at;
  let longest = 0;
  let longestOwn = 0;
  setInterval(() => {
    const [nowAt, nowWaited] = [now(), runqueueWait()];
    const held = Math.max(0, nowAt - at - TICK_MS);
    longest = Math.max(longest, held);
    longestOwn = Math.max(longestOwn, held - (nowWaited - waited));
    [at, waited] = [nowAt, nowWaited];
    if (at - told < LINE_MS) return;
    writeSync(file, `${at.toFixed(1)} ${longest.toFixed(1)} ${longestOwn.toFixed(1)}\n`);
    [told, longest, longestOwn] = [at, 0, 0];
  }, TICK_MS).unref();
}

function now() {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Milliseconds that the main thread was ready to run and did not. */
function runqueueWait() {
  return Number(readFileSync(SCHEDSTAT, 'utf8').split(' ')[1]) / 1e6;
}
