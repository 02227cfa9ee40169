import { join } from 'node:path';
import { type Database, Sqlite } from '#dist/store/driver.js';

/** Reads or changes the database of a daemon that does not run. */
export function withState<T>(directory: string, task: (db: Database) => T): T {
  const db = new Sqlite(join(directory, 'sallyport.db'), { fileMustExist: true });
  try {
    return task(db);
  } finally {
    db.close();
  }
}

/** What scripts/bench/load/seed.mjs has of it. */
interface Seed {
  fill(directory: string, changes: readonly object[]): Promise<void>;
  grantChanges(grant: {
    readonly number: number;
    readonly user: null;
    readonly target: string;
    readonly services: readonly string[];
    readonly ttl: number;
    readonly ago: number;
  }): object[];
}

/** Over so many milliseconds until now the grants were opened, one after the other. */
const OVER_MS = 60_000;

async function seed(): Promise<Seed> {
  const url = new URL('../../../scripts/bench/load/seed.mjs', import.meta.url).href;
  return (await import(url)) as Seed;
}

/** Puts grants of nobody, each for an address of its own, into the state of a daemon that does not run. */
export async function fillGrants(
  directory: string,
  {
    count,
    ttlMs,
    services,
    ipv6 = 0,
  }: { readonly count: number; readonly ttlMs: number; readonly services: readonly string[]; readonly ipv6?: number },
): Promise<void> {
  const { fill, grantChanges } = await seed();
  const changes = Array.from({ length: count }, (_, number) => {
    const ago = Math.floor(OVER_MS * (1 - number / count));
    return grantChanges({ number, user: null, target: addressOf(number, number < ipv6), services, ttl: ttlMs, ago });
  });
  await fill(directory, changes.flat());
}

/** Puts entries of operators into the state of a daemon that does not run. */
export async function fillEntries(
  directory: string,
  targets: readonly string[],
  services: readonly string[],
): Promise<void> {
  const { fill } = await seed();
  const about = { services, note: null, source: 'operator', createdAt: Date.now() };
  await fill(
    directory,
    targets.map((target, n) => ({ kind: 'entry.put', entry: { id: `Etest${n}`, target, ...about } })),
  );
}

/** The address of the nth grant: of 10.0.0.0/8, or of 2001:db8::/32. */
function addressOf(n: number, isIPv6: boolean): string {
  if (isIPv6) return `2001:db8:${(1 + (n >> 16)).toString(16)}:${(1 + (n & 0xffff)).toString(16)}::7`;
  return `10.${128 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`;
}
