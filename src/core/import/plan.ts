import { type Address, neverAllowed } from '../address.js';
import { isSallyportError } from '../errors.js';
import { type PortRange, type PortSpan, type Protocol, spansOverlap } from '../ports.js';
import { checkHeard, checkSequence, LONGEST_SEQUENCE, type Sequence } from '../sequence.js';
import { ALL, type Services } from '../service.js';
import { type Duration, formatDuration, humanDuration, minutes } from '../time.js';
import type { FileKind } from './file.js';
import { portsText } from './iptables.js';
import type { EntryWish, LineVerdict, Reading, UserWish } from './reading.js';
import { whoText } from './reading.js';

/** What the configuration says that an import has to fit to. */
export interface ImportGround {
  readonly services: Services;
  readonly pool: PortSpan;
  /** The protocols of which knocks are heard. */
  readonly protocols: readonly Protocol[];
  readonly maxTtl: Duration;
  /** Of the host itself. */
  readonly ownAddresses: ReadonlySet<Address>;
  /** Whether live connections end along with the grant. */
  readonly cuts: boolean;
}

/** What is there already. */
export interface Present {
  readonly entries: readonly { readonly target: string; readonly services: readonly string[] }[];
  readonly users: readonly string[];
}

/** A line of a file. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

interface Planned {
  readonly services: readonly string[];
  /** The lines that it is from, at least one. */
  readonly from: readonly Place[];
  readonly isPresent: boolean;
}

export interface PlannedEntry extends Planned {
  readonly target: string;
  readonly note: string;
}

export interface PlannedImportUser extends Planned {
  readonly name: string;
  /** Null for the time of the configuration. */
  readonly ttl: Duration | null;
  /** A secret. Null where one is to be drawn, of `length` ports. */
  readonly sequence: Sequence | null;
  readonly length: number;
}

export interface ReadFile {
  readonly file: string;
  readonly kind: FileKind;
  readonly reading: Reading;
}

/** What an import would do. The lines are in the order of the file, each at least once. */
export interface ImportPlan {
  readonly files: readonly { readonly file: string; readonly kind: FileKind; readonly lines: readonly LineVerdict[] }[];
  readonly entries: readonly PlannedEntry[];
  readonly users: readonly PlannedImportUser[];
}

/** Shorter times are told: sessions end with them where grants cut. */
const SHORT = minutes(10);
const SHORTEST_IMPORTED = 3;

/**
 * Turns what was read into what is to be made, in terms of the services there are. Nothing is changed by it.
 * @param unnamed the services for whoever is let in without a port being named
 */
export function planImport(
  files: readonly ReadFile[],
  ground: ImportGround,
  present: Present,
  unnamed: readonly string[] = [ALL],
): ImportPlan {
  const planner = new Planner(ground, present, unnamed);
  const done = files.map(({ file, kind, reading }) => {
    const lines = [...reading.lines];
    for (const wish of reading.entries) lines.push(...planner.entry(file, wish));
    for (const wish of reading.users) lines.push(...planner.user(file, wish));
    return { file, kind, lines: lines.sort((a, b) => a.line - b.line) };
  });
  return { files: done, entries: planner.entries(), users: planner.users() };
}

class Planner {
  readonly #ground: ImportGround;
  readonly #unnamed: readonly string[];
  readonly #there = new Map<string, Set<string>>();
  readonly #thereUsers: ReadonlySet<string>;
  readonly #entries = new Map<string, { note: string; services: Set<string>; from: Place[] }>();
  readonly #users = new Map<string, PlannedImportUser>();
  readonly #sequences: Sequence[] = [];

  constructor(ground: ImportGround, present: Present, unnamed: readonly string[]) {
    this.#ground = ground;
    this.#unnamed = unnamed;
    this.#thereUsers = new Set(present.users.map((name) => name.toLowerCase()));
    for (const { target, services } of present.entries) addAll(setOf(this.#there, target), services);
  }

  entries(): PlannedEntry[] {
    return [...this.#entries].map(([target, { note, services, from }]) => {
      const wanted = services.has(ALL) ? [ALL] : [...services].sort();
      const there = this.#there.get(target);
      const isPresent = there !== undefined && (there.has(ALL) || wanted.every((name) => there.has(name)));
      return { target, note, services: wanted, from, isPresent };
    });
  }

  users(): PlannedImportUser[] {
    return [...this.#users.values()];
  }

  entry(file: string, { line, who, ports, note, wider }: EntryWish): LineVerdict[] {
    const reason = who.kind === 'target' ? neverAllowed(who.target, this.#ground.ownAddresses) : undefined;
    if (reason !== undefined) {
      return [{ line, verdict: 'not_taken', words: `${whoText(who)} may never be let in: it is ${reason}` }];
    }
    const { services, words, unserved } = this.#scope(ports);
    const target = whoText(who);
    const lacking = notTaken(line, `${target}: `, unserved);
    if (services.length === 0) return lacking;
    const entry = this.#entries.get(target) ?? { note, services: new Set<string>(), from: [] };
    addAll(entry.services, services);
    entry.from.push({ file, line });
    this.#entries.set(target, entry);
    const more = wider === null ? '' : `; there ${wider}, here without that condition`;
    return [{ line, verdict: 'taken', words: `${target} is let in to ${words}${more}` }, ...lacking];
  }

  user(file: string, wish: UserWish): LineVerdict[] {
    const { services, words, unserved } = this.#scope(wish.ports);
    const { line } = wish;
    const lacking = notTaken(line, '', unserved);
    if (services.length === 0) return lacking;
    const name = this.#freeName(wish.name);
    const isPresent = this.#thereUsers.has(name.toLowerCase());
    const [ttl, aboutTtl] = this.#time(wish.ttl);
    const problem = wish.noSequence ?? this.#misfit(wish.sequence ?? []);
    const sequence = problem === undefined && !isPresent ? wish.sequence : null;
    if (sequence !== null) this.#sequences.push(sequence);
    const length = Math.min(Math.max(wish.sequence?.length ?? SHORTEST_IMPORTED, SHORTEST_IMPORTED), LONGEST_SEQUENCE);
    this.#users.set(name.toLowerCase(), { name, services, ttl, sequence, length, from: [{ file, line }], isPresent });
    if (isPresent) return [{ line, verdict: 'taken', words: `user ${name} is there already, and stays as it is` }];
    const about = problem === undefined ? 'with the sequence from there' : `with ${length} new ports (${problem})`;
    return [{ line, verdict: 'taken', words: `user ${name} for ${words}, ${aboutTtl}, ${about}` }, ...lacking];
  }

  /** The services whose ports a rule opens, what to say of them, and the ports of none. */
  #scope(ports: readonly PortRange[] | null) {
    if (ports === null) return { services: this.#unnamed, words: this.#unnamed.join(', '), unserved: [] };
    const touched = [...this.#ground.services].filter(([, own]) => own.some((one) => overlaps(one, ports)));
    const services: readonly string[] = touched.map(([name]) => name);
    const unserved = ports.filter((one) => !touched.some(([, own]) => overlaps(one, own)));
    const more = touched.flatMap(([, own]) => own.filter((one) => !isWithin(one, ports)));
    const words = more.length > 0 ? `${services.join(', ')} (along with it ${portsText(more)})` : services.join(', ');
    return { services, words, unserved };
  }

  #time(ttl: Duration | null): readonly [Duration | null, string] {
    const { maxTtl, cuts } = this.#ground;
    if (ttl === null) return [null, 'for the usual time (no clock closed it there)'];
    if (ttl > maxTtl) return [maxTtl, `for ${formatDuration(maxTtl)}, which is the longest here (grants.max_ttl)`];
    const text = `for ${humanDuration(ttl)}`;
    if (ttl >= SHORT || !cuts) return [ttl, text];
    return [
      ttl,
      `${text}, and here live connections end with it: think of user set --ttl, or firewall.on_expiry: drain`,
    ];
  }

  /** Why a sequence cannot be kept, without a port of it. Undefined where it can. */
  #misfit(sequence: Sequence): string | undefined {
    if (sequence.length < SHORTEST_IMPORTED) return `${SHORTEST_IMPORTED} ports are the least`;
    try {
      checkHeard(sequence, this.#ground.protocols);
      checkSequence(sequence, this.#ground.pool, this.#sequences);
      return undefined;
    } catch (error) {
      if (!isSallyportError(error, 'SP_SEQUENCE_INVALID')) throw error;
      return error.message.replace(/^.*?: /, '');
    }
  }

  /** Sections may share a name; ours do not. */
  #freeName(name: string): string {
    for (let count = 1; ; count++) {
      const one = count === 1 ? name : `${name.slice(0, 28)}-${count}`;
      if (!this.#users.has(one.toLowerCase())) return one;
    }
  }
}

function notTaken(line: number, whose: string, unserved: readonly PortRange[]): LineVerdict[] {
  if (unserved.length === 0) return [];
  const words = `${whose}no service has ${portsText(unserved)}: add one to the configuration, guard it, and import again`;
  return [{ line, verdict: 'not_taken', words }];
}

function overlaps(range: PortRange, others: readonly PortRange[]): boolean {
  return others.some((other) => other.protocol === range.protocol && spansOverlap(other, range));
}

function isWithin(range: PortRange, others: readonly PortRange[]): boolean {
  return others.some(
    (other) => other.protocol === range.protocol && other.first <= range.first && range.last <= other.last,
  );
}

function setOf(map: Map<string, Set<string>>, key: string): Set<string> {
  const there = map.get(key) ?? new Set<string>();
  map.set(key, there);
  return there;
}

function addAll(set: Set<string>, items: readonly string[]): void {
  for (const item of items) set.add(item);
}
