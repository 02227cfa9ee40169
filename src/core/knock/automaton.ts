import type { Brand } from '../brand.js';
import { PROTOCOL_NUMBER, type Protocol } from '../ports.js';
import type { Knock, Sequence } from '../sequence.js';

/*
 * All sequences compile into one automaton: a state is a prefix of a sequence, a step leads from a state over a knock
 * to the next. Numbers fit a packet mark (32 bits):
 *
 *   0                                   start: nothing accepted yet
 *   0 | sequence id (28 bits) | depth   so many knocks of this sequence accepted (depth 1 to 7)
 *   1 | 000 | sequence id (28 bits)     the whole sequence: open
 *
 * A prefix that several sequences share is one state, named after the smallest sequence id. Ids of sequences are never
 * used twice, so a state that is left over from an older automaton either means the same or leads nowhere.
 */

/** A state of the automaton. */
export type State = Brand<number, 'State'>;

export const START = 0 as State;

/** The bit that marks a completed sequence. */
export const FINAL_BIT = 0x8000_0000;

/**
 * The bit that the rules put beside it where the completing packet has a pairing code: the mark is then nobody's final state, and
 * whoever only knows those leaves the knock alone.
 */
export const PAIRED_BIT = 0x4000_0000;

/** A step's origin and knock as one whole number below 2^48. */
export type StepKey = Brand<number, 'StepKey'>;

/** From where, over which knock, to where. The repeats of knocks already accepted are steps to the same state. */
export type Steps = ReadonlyMap<StepKey, State>;

/** A sequence and its id, 1 to LARGEST_SEQUENCE_ID. */
export interface NumberedSequence {
  readonly sequenceId: number;
  readonly sequence: Sequence;
}

export function stepKey(from: State, { protocol, port }: Knock): StepKey {
  return ((from * 2 + (protocol === 'udp' ? 1 : 0)) * 65536 + port) as StepKey;
}

export function splitStepKey(key: StepKey): { from: State; protocol: Protocol; port: number } {
  const rest = Math.floor(key / 65536);
  return { from: Math.floor(rest / 2) as State, protocol: rest % 2 === 1 ? 'udp' : 'tcp', port: key % 65536 };
}

/** The id of the sequence that a final state completes; undefined for any other state. */
export function completedSequence(state: number): number | undefined {
  return state >= FINAL_BIT ? state - FINAL_BIT : undefined;
}

/** What the mark of a completing packet says: the final state, and whether a pairing code came with it. */
export function readMark(mark: number): { readonly state: State; readonly isPaired: boolean } {
  const isPaired = mark >= FINAL_BIT + PAIRED_BIT;
  return { state: (isPaired ? mark - PAIRED_BIT : mark) as State, isPaired };
}

export function finalState(sequenceId: number): State {
  return (FINAL_BIT + sequenceId) as State;
}

/**
 * Compiles sequences that keep the rules of `checkSequence`. The result depends on the set alone, not on its order.
 */
export function compileSteps(sequences: Iterable<NumberedSequence>): Steps {
  const steps = new Map<StepKey, State>();
  for (const { sequenceId, sequence } of [...sequences].sort((a, b) => a.sequenceId - b.sequenceId)) {
    let from = START;
    for (const [index, knock] of sequence.entries()) {
      const key = stepKey(from, knock);
      let to = steps.get(key);
      if (to === undefined) {
        const isLast = index === sequence.length - 1;
        to = isLast ? finalState(sequenceId) : ((sequenceId * 8 + index + 1) as State);
        steps.set(key, to);
        if (!isLast) for (let i = 0; i <= index; i++) steps.set(stepKey(to, sequence[i] ?? knock), to);
      }
      from = to;
    }
  }
  return steps;
}

/** What has to be taken away and put in to turn one automaton into another; a changed step is in both. */
export function diffSteps(before: Steps, after: Steps): { removed: StepKey[]; added: [StepKey, State][] } {
  const removed: StepKey[] = [];
  const added: [StepKey, State][] = [];
  for (const [key, to] of before) if (after.get(key) !== to) removed.push(key);
  for (const [key, to] of after) if (before.get(key) !== to) added.push([key, to]);
  return { removed, added };
}

/** What has to be taken away, and then put in, to come from one automaton to the next. A changed step is in both. */
export interface StepsChange {
  readonly removed: readonly StepKey[];
  readonly added: readonly (readonly [StepKey, State])[];
}

/**
 * The automaton of a set of sequences that changes. Sequences with different first knocks share no state, so a change costs
 * as much as there are sequences that begin with the same knock, however many there are in all.
 */
export class Automaton {
  readonly #steps = new Map<StepKey, State>();
  readonly #sequences = new Map<number, Sequence>();
  /** The ids of the sequences by their first knock. */
  readonly #groups = new Map<StepKey | undefined, Set<number>>();

  constructor(sequences: Iterable<NumberedSequence> = []) {
    this.change([], [...sequences]);
  }

  /** What `compileSteps` gives for all sequences there are. One map for good, changed in place. */
  get steps(): Steps {
    return this.#steps;
  }

  /** Puts a sequence in, in place of the one of the same id if there is one. */
  put(numbered: NumberedSequence): StepsChange {
    return this.change([], [numbered]);
  }

  /** Takes a sequence out; nothing changes where there is none of that id. */
  remove(sequenceId: number): StepsChange {
    return this.change([sequenceId], []);
  }

  /** Takes sequences out and puts others in, as one change. The changes given, in their order, lead from `steps` to `steps`. */
  change(removed: readonly number[], put: readonly NumberedSequence[]): StepsChange {
    const touched = new Set(put.map(({ sequence }) => firstStep(sequence)));
    for (const id of [...removed, ...put.map(({ sequenceId }) => sequenceId)]) {
      const sequence = this.#sequences.get(id);
      if (sequence !== undefined) touched.add(firstStep(sequence));
    }
    const before = this.#compile(touched);
    for (const id of removed) this.#delete(id);
    for (const one of put) this.#insert(one);
    const change = diffSteps(before, this.#compile(touched));
    for (const key of change.removed) this.#steps.delete(key);
    for (const [key, to] of change.added) this.#steps.set(key, to);
    return change;
  }

  #compile(firstSteps: Iterable<StepKey | undefined>): Steps {
    const sequences: NumberedSequence[] = [];
    for (const first of firstSteps) {
      for (const sequenceId of this.#groups.get(first) ?? []) {
        sequences.push({ sequenceId, sequence: this.#sequences.get(sequenceId) ?? [] });
      }
    }
    return compileSteps(sequences);
  }

  #insert({ sequenceId, sequence }: NumberedSequence): void {
    this.#delete(sequenceId);
    this.#sequences.set(sequenceId, sequence);
    const first = firstStep(sequence);
    const group = this.#groups.get(first);
    if (group === undefined) this.#groups.set(first, new Set([sequenceId]));
    else group.add(sequenceId);
  }

  #delete(sequenceId: number): void {
    const sequence = this.#sequences.get(sequenceId);
    if (sequence === undefined) return;
    this.#sequences.delete(sequenceId);
    const first = firstStep(sequence);
    const group = this.#groups.get(first);
    group?.delete(sequenceId);
    if (group?.size === 0) this.#groups.delete(first);
  }
}

/** What all sequences have in common that share a state. */
function firstStep([first]: Sequence): StepKey | undefined {
  return first === undefined ? undefined : stepKey(START, first);
}

/** The protocol of an IP header as a knock has it; undefined for what is neither TCP nor UDP. */
export function knockProtocol(ipProtocol: number): Protocol | undefined {
  if (ipProtocol === PROTOCOL_NUMBER.tcp) return 'tcp';
  return ipProtocol === PROTOCOL_NUMBER.udp ? 'udp' : undefined;
}
