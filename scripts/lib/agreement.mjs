/** Whether what the gateway says, what the kernel does, what the store keeps and what the journal tells is all the same. */

/**
 * Compares what is open at a moment at which nothing opens or ends.
 * @param {{
 *   grants: readonly {id: string, address: string}[],
 *   elements: readonly {value: string, comment: string | null}[],
 *   records: readonly {id: string, target: string, ended: boolean}[],
 *   events: readonly {event: string, grant: string | null}[],
 * }} seen `grants` by the API, `elements` of the kernel's grant sets, `records` and `events` of the whole store
 * @returns {string[]} in what they differ, in words
 */
export function disagreements({ grants, elements, records, events }) {
  const found = [];
  const open = new Map(grants.map((grant) => [grant.id, grant]));
  const named = new Set();
  for (const { value, comment } of elements) {
    const ids = idsOf(comment);
    for (const id of ids) named.add(`${id} ${value}`);
    if (!ids.some((id) => open.get(id)?.address === value)) found.push(`the kernel lets ${value} in for no grant`);
  }
  for (const { id, address } of grants) {
    if (!named.has(`${id} ${address}`)) found.push(`${address} (${id}) is not in the kernel`);
  }
  const kept = new Set();
  for (const { id, target, ended } of records) {
    if (kept.has(id)) found.push(`${id} is recorded twice`);
    kept.add(id);
    if (!ended && open.get(id)?.address !== target) found.push(`${target} (${id}) is open in the store alone`);
    if (ended && open.has(id)) found.push(`${target} (${id}) has ended in the store alone`);
  }
  const opened = counted(events, ['grant.opened']);
  const ended = counted(events, ['grant.expired', 'grant.revoked']);
  for (const { id, address } of grants) if (!kept.has(id)) found.push(`${address} (${id}) is not recorded`);
  for (const { id, ended: isOver } of records) {
    if (opened.get(id) !== 1) found.push(`${id} was opened ${opened.get(id) ?? 0} times by the journal`);
    const ends = ended.get(id) ?? 0;
    if (ends !== (isOver ? 1 : 0)) {
      const told = events
        .filter(({ grant }) => grant === id)
        .map(({ at, event, user, detail }) => `${at} ${event} ${user} (${detail})`);
      found.push(`${id} has ended ${ends} times by the journal, ${isOver ? 1 : 0} by the store: ${told.join(', ')}`);
    }
  }
  for (const id of opened.keys()) if (!kept.has(id)) found.push(`${id} is in the journal alone`);
  return found;
}

/**
 * All that a store keeps of grants, of a daemon that does not run.
 * @param {{prepare(sql: string): {all(): unknown[]}}} db
 */
export function readRecords(db) {
  return {
    records: db.prepare('SELECT id, target, ended_at IS NOT NULL AS ended FROM grants').all().map(asRecord),
    events: db
      .prepare("SELECT at, event, user, detail, grant_id AS grant FROM journal WHERE event LIKE 'grant.%' ORDER BY seq")
      .all(),
  };
}

function asRecord({ id, target, ended }) {
  return { id, target, ended: ended === 1 };
}

/** The ids of grants in a comment (src/core/grants/comment.ts). */
function idsOf(comment) {
  return comment?.startsWith('sp1 ')
    ? comment
        .slice(4)
        .split(' ')
        .map((item) => item.slice(0, 8))
    : [];
}

function counted(events, names) {
  const counts = new Map();
  for (const { event, grant } of events) if (names.includes(event)) counts.set(grant, (counts.get(grant) ?? 0) + 1);
  return counts;
}
