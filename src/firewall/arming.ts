import type { Arming } from '../core/firewall.js';
import { type Duration, formatDuration, millis } from '../core/time.js';
import { ACTIVE_MAP, FALLBACK_MAP, FAMILIES, type Slot, TABLE } from './names.js';
import { nftList } from './nft-program.js';
import type { Placement } from './placement.js';

export const FOR_GOOD: Arming = { kind: 'permanent' };

/** The elements, in nft's language, that lead to the rules of a slot. */
export function leadTo(slot: Slot, arming: Arming): string {
  const timeout = arming.kind === 'permanent' ? '' : ` timeout ${formatDuration(wholeMillis(arming.remaining))}`;
  return FAMILIES.map((family) => `ipv${family}${timeout} : goto ${slot}guard`).join(', ');
}

/** Makes the rules hold that are loaded, those of the previous ones first. */
export function renderArming(arming: Arming, { fallback, slots }: Placement): string {
  const previous = fallback === null ? '' : refill(FALLBACK_MAP, leadTo(slots.fallback, FOR_GOOD));
  return `${previous}${refill(ACTIVE_MAP, leadTo(slots.layout, arming))}`;
}

/** undefined where our rules are not consulted, or for one family only. */
export async function readArming(): Promise<Arming | undefined> {
  const elements = (await readVerdicts(ACTIVE_MAP)) ?? [];
  const left = elements.map(([key]) => expiresOf(key));
  if (left.length !== FAMILIES.length) return undefined;
  if (left.every((one) => one === null)) return FOR_GOOD;
  const shortest = Math.min(...left.map((one) => one ?? Number.POSITIVE_INFINITY));
  return { kind: 'provisional', remaining: millis(shortest) };
}

/** Whether the previous rules stand ready, or hold already. */
export async function readFallback(): Promise<boolean> {
  return (await readVerdicts(FALLBACK_MAP))?.length === FAMILIES.length;
}

function refill(map: string, elements: string): string {
  return `flush map inet ${TABLE} ${map}\nadd element inet ${TABLE} ${map} { ${elements} }\n`;
}

/** undefined where there is no such map. */
async function readVerdicts(name: string): Promise<[unknown, unknown][] | undefined> {
  const text = await nftList(['-j', 'list', 'map', 'inet', TABLE, name]);
  if (text === null) return undefined;
  const { nftables } = JSON.parse(text) as { nftables: { map?: { elem?: [unknown, unknown][] } }[] };
  return nftables.flatMap(({ map }) => map?.elem ?? []);
}

/** Milliseconds left; null for good. */
function expiresOf(key: unknown): Duration | null {
  if (typeof key !== 'object' || key === null || !('elem' in key)) return null;
  const { expires } = key.elem as { expires?: number };
  return expires === undefined ? null : millis(expires * 1000);
}

function wholeMillis(duration: Duration): Duration {
  return millis(Math.max(1, Math.floor(duration)));
}
