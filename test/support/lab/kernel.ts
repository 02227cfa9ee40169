import type { LabHost } from './host.js';
import { eventually } from './lab.js';

/** An element of one of our sets with a time of its own, as nft lists it. Milliseconds; null where it never ends. */
export interface ListedElement {
  readonly set: string;
  readonly value: string;
  readonly expires: number | null;
  readonly comment: string | null;
}

/** All elements of the sets that hold grants, whatever their service. */
export async function grantElements(host: LabHost): Promise<ListedElement[]> {
  const elements = await listSets(host);
  return elements.filter(({ set }) => /^(grant|range)_/.test(set) && !/^(grant|range)_held_/.test(set));
}

/** All elements of the sets of the host. */
export async function listSets(host: LabHost): Promise<ListedElement[]> {
  const { stdout } = await nft(host, 'list sets inet');
  const found: ListedElement[] = [];
  for (const [, set = '', body = ''] of stdout.matchAll(/^\tset (\S+) \{\n([\s\S]*?)^\t\}$/gm)) {
    const elements = /elements = \{([\s\S]*?)\}/.exec(body)?.[1] ?? '';
    for (const text of elements
      .split(',')
      .map((one) => one.trim())
      .filter((one) => one !== '')) {
      const expires = /\bexpires (\S+)/.exec(text)?.[1];
      found.push({
        set,
        value: text.split(/\s/, 1)[0] ?? '',
        expires: expires === undefined ? null : milliseconds(expires),
        comment: /comment "([^"]*)"/.exec(text)?.[1] ?? null,
      });
    }
  }
  return found;
}

export async function hasTable(host: LabHost): Promise<boolean> {
  return (await nft(host, 'list tables')).stdout.includes('table inet sallyport');
}

/** How the guard holds: for good, for some milliseconds more, or not at all. */
export async function arming(host: LabHost): Promise<'for good' | 'not at all' | number> {
  const { code, stdout } = await nft(host, 'list map inet sallyport active');
  if (code !== 0 || !/goto \w*guard\b/.test(stdout)) return 'not at all';
  const expires = [...stdout.matchAll(/\bexpires (\S+)/g)].map(([, text = '']) => milliseconds(text));
  return expires.length === 0 ? 'for good' : Math.min(...expires);
}

/** What `nft` says to one command; the exit status is for the caller to judge. */
function nft(host: LabHost, command: string, ...options: string[]) {
  return host.exec('nft', [...options, command]);
}

/** Runs one command of nft's, which must succeed. */
export async function mustNft(host: LabHost, command: string): Promise<void> {
  const { code, stderr } = await nft(host, command);
  if (code !== 0) throw new Error(`nft ${command}: ${stderr}`);
}

/** Waits until an address has an element in a set. */
export async function elementOf(host: LabHost, set: string, value: string): Promise<ListedElement> {
  const look = async () => (await listSets(host)).find((one) => one.set === set && one.value === value);
  const found = await eventually(look, (one) => one !== undefined);
  if (found === undefined) throw new Error('unreachable');
  return found;
}

/** `1h2m3s4ms` as nft writes it. */
function milliseconds(text: string): number {
  const unit: Record<string, number> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
  return [...text.matchAll(/(\d+)(ms|[dhms])/g)].reduce((sum, [, n, u = '']) => sum + Number(n) * (unit[u] ?? 0), 0);
}
