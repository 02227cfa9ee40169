/** What the kernel tells of processes and processors (proc(5)). */
import { readFileSync } from 'node:fs';

/** USER_HZ, fixed at 100 for all that user space sees. */
const TICKS_PER_SECOND = 100;

/** Processor time of a process with all its threads so far, in seconds, to a hundredth. */
export function processorTime(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name may hold anything, blanks and parentheses too.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [user, system] = [fields[11], fields[12]].map((ticks) => Number(ticks) / TICKS_PER_SECOND);
  return { user, system };
}

/** Seconds that all processors of the host spent on softirqs so far: the network, but everybody's. */
export function softirqTime() {
  const [, ...fields] = readFileSync('/proc/stat', 'utf8').split('\n')[0].split(/\s+/);
  return Number(fields[6]) / TICKS_PER_SECOND;
}

/** Memory of a process in MB (of 1,000,000 bytes): resident now, and the most so far. */
export function memory(pid) {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const mb = (name) => (Number(text.match(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm'))?.[1]) * 1024) / 1e6;
  return { now: mb('VmRSS'), most: mb('VmHWM') };
}

/** The process of that name in a machine. */
export async function pidIn(machine, name) {
  const pids = (await machine.mustRun('ip', ['netns', 'pids', machine.namespace])).trim().split('\n');
  const found = pids.find((pid) => nameOf(pid) === name);
  if (found === undefined) throw new Error(`no ${name} runs`);
  return Number(found);
}

/** undefined where it has ended meanwhile. */
function nameOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return undefined;
  }
}
