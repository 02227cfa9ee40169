/** Live grants by the thousand, put into the state of a gateway that does not run: as if each had been knocked for. */
import { join } from 'node:path';
import { at } from '../lib/checkout.mjs';

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/**
 * Writes grants, each for an address of its own, with the word of the journal that belongs to it.
 * @param {string} stateDirectory of a gateway that has run once and does not run now
 * @param {object} options
 * @param {number} options.count
 * @param {number} options.ttlMs how long each was opened for
 * @param {number} [options.overMs] over how long they were opened, until now, one after the other; a minute by default
 * @param {string[]} options.services
 * @param {number} [options.ipv6] how many of them are for IPv6 addresses
 * @param {string[]} [options.users] who they belong to, by turns; by default nobody
 */
export async function fillGrants(stateDirectory, { count, ttlMs, services, overMs = 60_000, ipv6 = 0, users = [] }) {
  const { Sqlite } = await import(at('dist', 'store', 'driver.js'));
  const db = new Sqlite(join(stateDirectory, 'sallyport.db'), { fileMustExist: true });
  try {
    const known = db.prepare('SELECT id, name FROM users').all();
    const holders = users.map((name) => known.find((user) => user.name === name));
    const putGrant = db.prepare(
      `INSERT INTO grants (id, user_id, user_name, target, services, method, opened_at, expires_at, expires_mono, ttl)
      VALUES (?, ?, ?, ?, ?, 'knock', ?, ?, ?, ?)`,
    );
    const putEvent = db.prepare(
      `INSERT INTO journal (at, event, user, address, method, services, grant_id, detail)
      VALUES (?, 'grant.opened', ?, ?, 'knock', ?, ?, 'filled')`,
    );
    const scope = JSON.stringify([...services].sort());
    const [now, monotonic] = [Date.now(), Number(process.hrtime.bigint()) / 1e6];
    const fill = db.transaction(() => {
      for (let n = 0; n < count; n++) {
        const ago = Math.floor(overMs * (1 - n / count));
        const holder = holders[n % Math.max(1, holders.length)];
        const address = addressOf(n, n < ipv6);
        const ends = Math.floor(ttlMs - ago);
        const [id, user] = [idOf(n), holder?.name ?? null];
        const end = [now + ends, Math.floor(monotonic + ends), ttlMs];
        putGrant.run(id, holder?.id ?? null, user, address, scope, now - ago, ...end);
        putEvent.run(now - ago, user, address, scope, id);
      }
    });
    fill();
  } finally {
    db.close();
  }
}

/** The address of the nth grant: of 10.0.0.0/8, or of 2001:db8::/32. */
export function addressOf(n, isIPv6 = false) {
  if (isIPv6) return `2001:db8:${(1 + (n >> 16)).toString(16)}:${(1 + (n & 0xffff)).toString(16)}::7`;
  return `10.${128 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`;
}

function idOf(n) {
  let [text, rest] = ['', n];
  for (let i = 0; i < 8; i++, rest = Math.floor(rest / 32)) text = ALPHABET[rest % 32] + text;
  return text;
}
