import { type Address, type Family, familyOf, parseTarget, rangeOf } from '../address.js';
import { type Duration, millis } from '../time.js';
import type { FamilyAnswer, Lookup, LookupFailure } from './lookup.js';

/** Kinds of what may be wrong with a look-up; each is told once, when it begins. */
export type ProblemKind = 'unanswered' | 'empty' | 'missing' | 'forbidden' | 'too-many' | 'restless';

export interface NameProblem {
  readonly kind: ProblemKind;
  /** In words for people. */
  readonly text: string;
}

/** What a look-up is good for. */
export interface Sifted {
  /** The addresses that may be let in; none where nothing is to change. */
  readonly addresses: readonly Address[];
  /** How long they hold; null without any. */
  readonly ttl: Duration | null;
  /** Families of which nothing reliable is known, and so what was known holds. */
  readonly unknown: ReadonlySet<Family>;
  readonly problems: readonly NameProblem[];
}

export interface SiftOptions {
  /** So many addresses of a family may one name bring. */
  readonly maxAddresses: number;
  /** Why an address may not be let in; undefined where it may. */
  readonly refusal: (address: Address) => string | undefined;
}

const WORDS: Readonly<Record<LookupFailure, string>> = {
  timeout: 'the name server does not answer in time',
  servfail: 'the name server fails (SERVFAIL)',
  refused: 'the name server refuses or cannot be reached',
  bad: 'the answer makes no sense',
};

/** The kind of record that has the addresses of a family. */
export const RECORD = { 4: 'A', 6: 'AAAA' } as const;

const LINK_LOCAL = ['169.254.0.0/16', 'fe80::/10'].map((text) => rangeOf(parseTarget(text)));

/**
 * Tells what of a look-up may be let in. A name must never open for the machine itself or for its own wire: whoever
 * controls it could make it say so (DNS rebinding). An answer of too many addresses is refused whole: which of them
 * to take nobody can know, and like any other bad answer it changes nothing.
 */
export function siftLookup(found: Lookup, options: SiftOptions): Sifted {
  const lookup = { 4: ofFamily(found[4], 4), 6: ofFamily(found[6], 6) };
  const parts = ([4, 6] as const).map((family) => ({ family, ...siftFamily(lookup[family], family, options) }));
  const addresses = parts.flatMap((part) => part.addresses);
  const ttls = parts.flatMap(({ ttl }) => ttl ?? []);
  return {
    addresses,
    ttl: ttls.length === 0 ? null : millis(Math.min(...ttls)),
    unknown: new Set(parts.flatMap(({ family, isUnknown }) => (isUnknown ? [family] : []))),
    problems: [...merged(parts.flatMap(({ problems }) => problems)), ...absence(lookup)],
  };
}

/** Each address once, and those of the family alone; without any it is an empty answer. */
function ofFamily(answer: FamilyAnswer, family: Family): FamilyAnswer {
  if (answer.kind !== 'addresses') return answer;
  const addresses = [...new Set(answer.addresses)].filter((address) => familyOf(address) === family);
  return addresses.length === 0 ? { kind: 'empty' } : { ...answer, addresses };
}

interface SiftedFamily {
  readonly addresses: readonly Address[];
  readonly ttl: Duration | null;
  readonly isUnknown: boolean;
  readonly problems: readonly (NameProblem & { readonly family: Family })[];
}

function siftFamily(answer: FamilyAnswer, family: Family, { maxAddresses, refusal }: SiftOptions): SiftedFamily {
  const nothing = { addresses: [], ttl: null };
  if (answer.kind === 'failed') {
    return { ...nothing, isUnknown: true, problems: [{ kind: 'unanswered', family, text: WORDS[answer.why] }] };
  }
  if (answer.kind !== 'addresses') return { ...nothing, isUnknown: false, problems: [] };
  const { addresses } = answer;
  if (addresses.length > maxAddresses) {
    const text = `it has ${addresses.length} addresses, and at most ${maxAddresses} may be let in (names.max_addresses)`;
    return { ...nothing, isUnknown: true, problems: [{ kind: 'too-many', family, text }] };
  }
  const refused = addresses.flatMap((address) => {
    const why = refusalOf(address, refusal);
    return why === undefined ? [] : [`${address} (${why})`];
  });
  const good = addresses.filter((address) => refusalOf(address, refusal) === undefined);
  return {
    addresses: good,
    ttl: good.length === 0 ? null : answer.ttl,
    isUnknown: good.length === 0,
    problems:
      refused.length === 0
        ? []
        : [{ kind: 'forbidden', family, text: `it names what may never be let in: ${refused.join(', ')}` }],
  };
}

function refusalOf(address: Address, refusal: SiftOptions['refusal']): string | undefined {
  const { family, first } = rangeOf(address);
  const isLinkLocal = LINK_LOCAL.some((one) => one.family === family && one.first <= first && first <= one.last);
  return isLinkLocal ? 'a link-local address' : refusal(address);
}

/** What is wrong with both families alike is said once, anything else with the kind of record. */
function merged(problems: SiftedFamily['problems']): NameProblem[] {
  const [one, two] = problems;
  if (one !== undefined && one.text === two?.text) return [{ kind: one.kind, text: one.text }];
  return problems.map(({ kind, family, text }) => ({ kind, text: `${RECORD[family]}: ${text}` }));
}

/**
 * That there is no such name is believed where both questions say so (RFC 8020); a server that says so of one kind of
 * record alone means that there is none.
 */
function absence({ 4: four, 6: six }: Lookup): NameProblem[] {
  if (four.kind === 'nxdomain' && six.kind === 'nxdomain') {
    return [{ kind: 'missing', text: 'there is no such name (NXDOMAIN)' }];
  }
  const isNone = (answer: FamilyAnswer) => answer.kind === 'empty' || answer.kind === 'nxdomain';
  return isNone(four) && isNone(six) ? [{ kind: 'empty', text: 'the answer has no address' }] : [];
}
