/** A name that reverse DNS gives an address. */
export interface ReverseName {
  readonly name: string;
  /** Whether the name leads back to the address: anybody may give his own address any name. */
  readonly confirmed: boolean;
}

/** To whom a registry has given the network of an address. */
export interface NetworkOwner {
  readonly owner: string | null;
  readonly network: string | null;
  readonly country: string | null;
  /** Where misuse is told of. */
  readonly abuse: string | null;
  readonly source: 'rdap' | 'whois';
}

/** Whose an address is, as far as others say. */
export interface Whose {
  readonly names: readonly ReverseName[];
  /** Null where no registry was asked, or none answered. */
  readonly network: NetworkOwner | null;
  /** What could not be found out, in words. */
  readonly problems: readonly string[];
}

/** A value that is longer is no name of anybody. */
const LONGEST = 120;
/** Entities hold others; nobody nests them deeper in earnest. */
const DEEPEST = 4;

/** Reads the answer of a registry to a question for a network (RFC 9083); undefined where it is none. */
export function readRdap(answer: unknown): NetworkOwner | undefined {
  const found = record(answer);
  if (found.objectClassName !== 'ip network') return undefined;
  const entities = entitiesOf(found, DEEPEST);
  const withRole = (role: string) => entities.filter(({ roles }) => list(roles).includes(role));
  const owner =
    withRole('registrant')
      .map((entity) => card(entity, 'fn'))
      .find(isThere) ?? text(found.name);
  const abuse =
    withRole('abuse')
      .map((entity) => card(entity, 'email'))
      .find(isThere) ?? null;
  const [first, last] = [text(found.startAddress), text(found.endAddress)];
  const network = first === null || last === null ? null : `${first} - ${last}`;
  return { owner, network: cidrs(found) ?? network, country: text(found.country), abuse, source: 'rdap' };
}

/** `{"v4prefix": "192.0.2.0", "length": 24}`, of which there may be several. */
function cidrs(network: Readonly<Record<string, unknown>>): string | null {
  const all = list(network.cidr0_cidrs).map(record);
  const texts = all.map(({ v4prefix, v6prefix, length }) => [text(v4prefix) ?? text(v6prefix), length] as const);
  const good = texts.filter(([prefix, length]) => prefix !== null && Number.isInteger(length));
  return good.length === 0 ? null : text(good.map((one) => one.join('/')).join(', '));
}

function entitiesOf(holder: Readonly<Record<string, unknown>>, depth: number): Readonly<Record<string, unknown>>[] {
  if (depth === 0) return [];
  return list(holder.entities)
    .map(record)
    .flatMap((entity) => [entity, ...entitiesOf(entity, depth - 1)]);
}

/** A property of a card: `["vcard", [["fn", {}, "text", "Example Ltd"], …]]` (RFC 7095). */
function card(entity: Readonly<Record<string, unknown>>, property: string): string | null {
  const properties = list(list(entity.vcardArray)[1]).map(list);
  return (
    properties
      .filter(([name]) => name === property)
      .map(([, , , value]) => text(value))
      .find(isThere) ?? null
  );
}

/** The words of registries for the same thing; the first that is found counts, the last of its lines being the nearest network. */
const KEYS = {
  owner: ['org-name', 'orgname', 'organization', 'owner', 'descr', 'netname'],
  network: ['cidr', 'route', 'inetnum', 'inet6num', 'netrange'],
  country: ['country'],
  abuse: ['orgabuseemail', 'abuse-mailbox', 'abuse-c'],
} as const;

/** Reads what the program whois prints; undefined where it names no network. */
export function readWhois(output: string): NetworkOwner | undefined {
  const values = new Map<string, string>();
  for (const line of output.split('\n', 5000)) {
    const [, key, value] = /^([A-Za-z][A-Za-z0-9-]{1,30}):\s+(\S.*)$/.exec(line) ?? [];
    const clean = text(value);
    if (key !== undefined && clean !== null) values.set(key.toLowerCase(), clean);
  }
  const first = (keys: readonly string[]) =>
    keys.map((key) => values.get(key)).find((one) => one !== undefined) ?? null;
  const found = { owner: first(KEYS.owner), network: first(KEYS.network) };
  if (found.owner === null && found.network === null) return undefined;
  const abuse = /\babuse contact for '[^'\n]{1,100}' is '([^'\s]{1,100})'/i.exec(output)?.[1] ?? first(KEYS.abuse);
  return { ...found, country: first(KEYS.country), abuse, source: 'whois' };
}

function isThere(value: string | null): value is string {
  return value !== null;
}

/** One line without control characters; null for anything else. */
function text(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  const plain = value.replace(/\p{C}/gu, ' ').replace(/\s+/g, ' ').trim().slice(0, LONGEST);
  return plain === '' ? null : plain;
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
