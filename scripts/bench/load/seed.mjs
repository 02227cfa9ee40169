/** Fills the state of a gateway that does not run, through its own store, and reads it back. */
import { existsSync, readFileSync } from 'node:fs';
import { product } from './watched-gateway.mjs';

const PIECE = 5000;
const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/** @param {(store) => Promise<T>} use @returns {Promise<T>} */
async function withStore(directory, options, use) {
  const { SqliteStore } = await product('store/sqlite-store.js');
  const store = new SqliteStore({ directory, onFailed: () => {}, ...options });
  await store.open();
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

/** Writes changes (src/core/store.ts) in pieces. */
export function fill(directory, changes) {
  return withStore(directory, {}, async (store) => {
    for (let start = 0; start < changes.length; start += PIECE) await store.write(changes.slice(start, start + PIECE));
  });
}

/** All that is recorded, whether the gateway runs or not: live grants, and the journal from a number on. */
export function readRecords(directory, afterSeq = 0) {
  return withStore(directory, { lock: false }, async (store) => {
    const grants = [];
    for await (const page of (await store.load(Date.now() - 1000)).grants) grants.push(...page);
    const events = await store.readJournal({ afterSeq, limit: 1_000_000 });
    return { grants: grants.filter(({ ended }) => ended === null), events };
  });
}

/** What the daemon keeps about itself, as if it had just run: confirmed, so that its guard lasts, unless told otherwise. */
export function meta(lastId, { confirmed = 'yes' } = {}) {
  const values = { last_id: lastId, last_alive: Date.now(), boot_id: bootId(), confirmed };
  return Object.entries(values).map(([key, value]) => ({ kind: 'meta', key, value: String(value) }));
}

/** A user as a change of the store. `knock`: as in udp/1,udp/2,udp/3. Its id and that of its sequence are given. */
export async function userChange({ id, sequenceId, name, services, knock, maxAddresses }) {
  const { parseSequence } = await product('core/sequence.js');
  const user = { id, name, services, ttl: null, maxAddresses, sequenceId, sequence: parseSequence(knock) };
  return {
    kind: 'user.put',
    user: { ...user, account: null, pinHash: null, approval: 'none', number: null, createdAt: Date.now() },
  };
}

/**
 * A grant of a user, or of nobody, as the changes with which the gateway records it.
 * @param {object} options `ago`: how many milliseconds ago it was opened
 */
export function grantChanges({ number, user, target, services, ttl, ago = 0 }) {
  const [at, mono] = [Date.now() - ago, Number(process.hrtime.bigint()) / 1e6 - ago];
  const id = grantId(number);
  const holder = user && { id: user.id, name: user.name };
  const opened = { user: holder, target, services, method: 'knock', openedAt: at, ttl, note: null };
  const event = { at, event: 'grant.opened', user: holder?.name ?? null, address: target, method: 'knock', services };
  return [
    { kind: 'grant.put', record: { grant: { id, ...opened, expires: mono + ttl }, expiresAt: at + ttl, ended: null } },
    { kind: 'journal', event: { ...event, grant: id, detail: null } },
  ];
}

/** The n-th id of a kind that the gateway draws at random. */
function grantId(number) {
  let id = '';
  for (let rest = number, n = 0; n < 8; n++, rest = Math.floor(rest / 32)) id = CROCKFORD[rest % 32] + id;
  return id;
}

function bootId() {
  return existsSync(BOOT_ID) ? readFileSync(BOOT_ID, 'utf8').trim() : '';
}
