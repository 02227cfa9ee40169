import { isDeepStrictEqual } from 'node:util';
import { noteBoot, rescueWait } from './core/boots.js';
import { type Clock, type Duration, type Instant, millis } from './core/time.js';
import { loadBoots, saveBoots } from './firewall/boots-file.js';
import { bootId, uptime } from './host/addresses.js';

/**
 * Notes this start of the machine, once. A start that cannot be noted counts for nothing: it stays closed.
 * @param onUnsaved told where it could not be written
 * @returns for how long the guard should wait still, so that somebody who is locked out gets in; undefined where it need not
 */
export async function noteThisBoot(options: {
  directory: string;
  clock: Clock;
  onUnsaved: (error: unknown) => void;
}): Promise<Duration | undefined> {
  const { directory, clock, onUnsaved } = options;
  const [id, seconds] = await Promise.all([bootId(), uptime()]);
  if (id === undefined || seconds === undefined) return undefined;
  const boot = { id, at: Math.round(clock.now() - seconds * 1000) as Instant, uptime: millis(seconds * 1000) };
  const before = await loadBoots(directory);
  const boots = noteBoot(before, boot);
  try {
    if (!isDeepStrictEqual(boots, before)) await saveBoots(directory, boots);
  } catch (error) {
    onUnsaved(error);
    return undefined;
  }
  return rescueWait(boots, boot);
}
