/*
 * The rules of the game in the slowest and most obvious way, for fast executors to be held to. Written from docs/knock.md,
 * and from what is written there of strikes; nothing of the product's automaton is used.
 */

export interface HeardPacket {
  readonly source: string;
  /** `tcp/21000` */
  readonly knock: string;
  /** Milliseconds. */
  readonly at: number;
}

export interface Rules {
  /** Each as its knocks in order; the first has the id 1. */
  readonly sequences: readonly (readonly string[])[];
  readonly window: number;
  readonly strikes: { readonly wrong: number; readonly per: number; readonly ignoreFor: number } | null;
}

export type SlowVerdict = 'nothing' | 'struck' | `completed ${number}`;

interface Outcome {
  readonly verdict: SlowVerdict;
  /** Dropped unseen, since the source is ignored. */
  readonly isUnseen?: true;
  /** What the source that sent the packet has accepted of a sequence now. */
  readonly accepted: readonly string[];
  readonly ignoredUntil: number;
}

/** Keeps whatever was ever heard, and for each packet goes through all of it again. */
export class SlowReference {
  readonly #rules: Rules;
  readonly #history: HeardPacket[] = [];

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  packet(source: string, knock: string, at: number): SlowVerdict {
    this.#history.push({ source, knock, at });
    return this.#outcomes(nuisance(source)).at(-1)?.verdict ?? 'nothing';
  }

  /** Whether a source is on the way through a sequence. */
  isUnderWay(source: string, at: number): boolean {
    const packets = this.#history.filter((packet) => nuisance(packet.source) === nuisance(source));
    const outcomes = this.#outcomes(nuisance(source));
    const last = lastSeen(packets, outcomes, source);
    const isLate = at - (packets[last]?.at ?? at) >= this.#rules.window;
    return !isLate && (outcomes[last]?.accepted.length ?? 0) > 0;
  }

  /** Who is ignored: addresses in IPv4, the first four groups of a network in IPv6. */
  ignored(at: number): string[] {
    const networks = [...new Set(this.#history.map(({ source }) => nuisance(source)))];
    return networks.filter((one) => (this.#outcomes(one).at(-1)?.ignoredUntil ?? 0) > at).sort();
  }

  /** What came of each packet of one nuisance, from the beginning of time. */
  #outcomes(who: string): Outcome[] {
    const { window, strikes } = this.#rules;
    const packets = this.#history.filter(({ source }) => nuisance(source) === who);
    const outcomes: Outcome[] = [];
    let firstWrong = Number.NEGATIVE_INFINITY;
    let countOfWrong = 0;
    let ignoredUntil = 0;
    for (const { source, knock, at } of packets) {
      if (at < ignoredUntil) {
        outcomes.push({ verdict: 'nothing', accepted: [], ignoredUntil, isUnseen: true });
        continue;
      }
      const before = lastSeen(packets, outcomes, source);
      const accepted = outcomes[before]?.accepted ?? [];
      const isLate = at - (packets[before]?.at ?? at) >= window;
      const soFar = isLate ? [] : accepted;
      if (this.#begins([...soFar, knock])) {
        outcomes.push({ ...this.#reached([...soFar, knock]), ignoredUntil });
        continue;
      }
      if (soFar.includes(knock)) {
        outcomes.push({ verdict: 'nothing', accepted: soFar, ignoredUntil });
        continue;
      }
      // A wrong one.
      if (strikes !== null) {
        if (at - firstWrong >= strikes.per) {
          firstWrong = at;
          countOfWrong = 0;
        }
        countOfWrong++;
        if (countOfWrong === strikes.wrong) {
          ignoredUntil = at + strikes.ignoreFor;
          firstWrong = Number.NEGATIVE_INFINITY;
          outcomes.push({ verdict: 'struck', accepted: [], ignoredUntil });
          continue;
        }
      }
      outcomes.push({ ...this.#reached(this.#begins([knock]) ? [knock] : []), ignoredUntil });
    }
    return outcomes;
  }

  #begins(knocks: readonly string[]): boolean {
    return this.#rules.sequences.some((sequence) => knocks.every((knock, i) => sequence[i] === knock));
  }

  #reached(knocks: readonly string[]): Pick<Outcome, 'verdict' | 'accepted'> {
    const id = this.#rules.sequences.findIndex((sequence) => sequence.join() === knocks.join()) + 1;
    return id > 0 ? { verdict: `completed ${id}`, accepted: [] } : { verdict: 'nothing', accepted: knocks };
  }
}

/** The last packet of a source that was not dropped unseen; -1 where there was none. */
function lastSeen(packets: readonly HeardPacket[], outcomes: readonly Outcome[], source: string): number {
  return outcomes.reduce((last, one, i) => (packets[i]?.source === source && !one.isUnseen ? i : last), -1);
}

/** What is counted and ignored as one: an IPv4 address, or what an IPv6 one has in its first four groups. */
export function nuisance(source: string): string {
  if (!source.includes(':')) return source;
  const [head = '', tail = ''] = source.split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const missing = source.includes('::') ? 8 - groups(head).length - groups(tail).length : 0;
  return [...groups(head), ...new Array<string>(missing).fill('0'), ...groups(tail)].slice(0, 4).join(':');
}
