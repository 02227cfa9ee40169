import { setImmediate } from 'node:timers/promises';
import type { AddEntriesRequest, AddEntriesResult } from '../control/contract/gateway.js';
import { prefixLength } from '../core/address.js';
import type { Entry } from '../core/entry.js';
import { SallyportError } from '../core/errors.js';
import type { NameEntry } from '../core/names/name-entry.js';
import { toScope } from '../core/service.js';
import type { AccessDeskOptions } from './access-desk.js';
import type { Wanted } from './planned.js';
import { parseTargetOrName } from './target-or-name.js';

/** So many are read in one turn of the event loop. */
const READ_AT_ONCE = 500;

type Parts = Pick<AccessDeskOptions, 'entries' | 'names' | 'doorkeeper' | 'recorder' | 'strikes' | 'book'>;

/**
 * Lets many targets and host names in until they are removed: recorded in one transaction, let in by one change of the sets.
 * Where one of them is refused nothing is changed. Names are looked up afterwards.
 * @throws SP_ADDRESS_REFUSED, SP_TARGET_EVERYONE, SP_ENTRIES_FULL, SP_NAMES_FULL, SP_STORE_* and those of the words
 */
export async function addEntries(parts: Parts, { entries: asked }: AddEntriesRequest): Promise<AddEntriesResult> {
  const { entries, names, doorkeeper, recorder, strikes, book } = parts;
  const own = doorkeeper.refusals();
  const targets: Wanted<Entry>[] = [];
  const named: Wanted<NameEntry>[] = [];
  for (const [index, one] of asked.entries()) {
    if (index % READ_AT_ONCE === READ_AT_ONCE - 1) await setImmediate();
    const { target, name } = parseTargetOrName(one.target);
    const services = toScope(one.services ?? [], book.current.services);
    const more = { services, note: one.note ?? null, source: 'operator' } as const;
    if (name !== undefined) {
      named.push({ name, ...more });
      continue;
    }
    const reason = own(target);
    if (reason !== undefined) throw new SallyportError('SP_ADDRESS_REFUSED', { address: target, reason });
    if (prefixLength(target) === 0) throw new SallyportError('SP_TARGET_EVERYONE', { target });
    targets.push({ target, ...more });
  }
  const planned = [entries.plan(targets), names.plan(named)] as const;
  const changes = planned.flat().flatMap((one) => one.changes);
  if (changes.length > 0) {
    await entries.keep(planned[0], () => recorder.recordNow(changes));
    names.take(planned[1]);
    await entries.settle();
  }
  await strikes.clearMany(targets.map(({ target }) => target));
  const added = planned.flat().filter((one) => one.changes.length > 0).length;
  return { added, present: asked.length - added };
}
