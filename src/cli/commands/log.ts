import type { JournalView } from '../../control/contract/views.js';
import type { Call } from '../call.js';
import type { ControlClient } from '../client.js';
import { journalLine } from '../render/journal.js';

const MOST_EVENTS = 10_000;

export async function log(call: Call): Promise<number> {
  const client = await call.client();
  if (call.flag('follow')) return follow(call, client);
  for (const event of await history(call, client)) show(call, event);
  return 0;
}

/** Begins to follow before it reads what was, so that nothing falls between the two. */
async function follow(call: Call, client: ControlClient): Promise<number> {
  const stop = new AbortController();
  const release = call.io.onInterrupt(() => stop.abort());
  try {
    const events = await client.follow(stop.signal);
    let last = -1;
    for (const event of await history(call, client)) {
      show(call, event);
      last = event.seq;
    }
    for await (const event of events) if (event.seq > last) show(call, event);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    release();
    stop.abort();
  }
  return 0;
}

async function history(call: Call, client: ControlClient): Promise<JournalView[]> {
  const { since = '1d' } = call.given<{ since: string }>('since');
  const events = await client.call('journal', { query: { since, limit: MOST_EVENTS } });
  if (events.length === MOST_EVENTS) {
    call.io.stderr.write(`only the newest ${MOST_EVENTS} events are shown; ask for less with --since\n`);
  }
  return events;
}

function show(call: Call, event: JournalView): void {
  call.print(call.json ? JSON.stringify(event) : journalLine(call.terminal, event));
}
