import type { LabHost } from './host.js';

/** An element as the kernel lists it: its key as text, and the seconds it has left (null for good). */
export interface ListedElement {
  readonly key: string;
  readonly expires: number | null;
}

/** What the kernel holds of a table: the rules and declarations, and the elements of each set that does not fill itself. */
export interface TableListing {
  readonly rules: string;
  readonly sets: Readonly<Record<string, readonly ListedElement[]>>;
}

/** Lists the table `inet sallyport` of a machine; undefined where there is none. */
export async function listTable(host: LabHost): Promise<TableListing | undefined> {
  const { code, stdout } = await host.exec('nft', ['-j', 'list', 'table', 'inet', 'sallyport']);
  if (code !== 0) return undefined;
  const { nftables } = JSON.parse(stdout) as { nftables: Record<string, Record<string, unknown>>[] };
  const sets: Record<string, ListedElement[]> = {};
  const rules: unknown[] = [];
  for (const item of nftables) {
    const [kind, { handle: _, elem, ...object } = {}] = Object.entries(item)[0] ?? [];
    if (kind === 'metainfo') continue;
    rules.push({ [kind ?? '']: object });
    // nft 1.0.6 leaves the flag out.
    const isDynamic = Array.isArray(object.flags) && object.flags.includes('dynamic');
    const fillsItself = isDynamic || String(object.name).startsWith('seen_');
    if ((kind === 'set' || kind === 'map') && !fillsItself) {
      const elements = ((elem ?? []) as unknown[]).map(listed);
      sets[String(object.name)] = elements.sort((a, b) => (a.key < b.key ? -1 : 1));
    }
  }
  return { rules: JSON.stringify(rules), sets };
}

function listed(element: unknown): ListedElement {
  const [key, ...data] = Array.isArray(element) ? element : [element];
  const inner = typeof key === 'object' && key !== null && 'elem' in key ? key.elem : { val: key };
  const { val, expires } = inner as { val: unknown; expires?: number };
  return { key: JSON.stringify([val, ...data]), expires: expires ?? null };
}

/** In what a listing differs from an earlier one, in words; nothing may have gained time, or lost more than has passed. */
export function differences(before: TableListing, now: TableListing | undefined, passedSeconds: number): string[] {
  if (now === undefined) return ['there is no table'];
  const found: string[] = [];
  if (now.rules !== before.rules) found.push('the rules differ');
  for (const [name, elements] of Object.entries(before.sets)) {
    const there = new Map((now.sets[name] ?? []).map(({ key, expires }) => [key, expires]));
    for (const { key, expires } of elements) {
      const left = there.get(key);
      there.delete(key);
      if (left === undefined) found.push(`${name} lacks ${key}`);
      else if ((left === null) !== (expires === null))
        found.push(`${name} ${key} has ${left} s instead of ${expires} s`);
      else if (left !== null && expires !== null && (left > expires || left < expires - passedSeconds - 2)) {
        found.push(`${name} ${key} has ${left} s left after ${expires} s`);
      }
    }
    for (const key of there.keys()) found.push(`${name} has ${key} too`);
  }
  return found;
}
