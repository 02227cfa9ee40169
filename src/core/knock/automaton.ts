import type { Brand } from '../brand.js';
import { PROTOCOL_NUMBER, type Protocol } from '../ports.js';
import { formatKnock, type Knock, type Sequence } from '../sequence.js';

/*
 * All sequences compile into one automaton: a state is a prefix of a sequence, a step leads from a state over a knock
 * to the next. Numbers fit a packet mark (32 bits):
 *
 *   0                                   start: nothing accepted yet
 *   0 | sequence id (28 bits) | depth   so many knocks of this sequence accepted (depth 1 to 7)
 *   1 | sequence id (31 bits)           the whole sequence: open
 *
 * A prefix that several sequences share is one state, named after the smallest sequence id. Ids of sequences are never
 * used twice, so a state that is left over from an older automaton either means the same or leads nowhere.
 */

/** A state of the automaton. */
export type State = Brand<number, 'State'>;

export const START = 0 as State;

/** The bit that marks a completed sequence. */
export const FINAL_BIT = 0x8000_0000;

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

export function finalState(sequenceId: number): State {
  return (FINAL_BIT + sequenceId) as State;
}

/**
 * Compiles sequences that keep the rules of `checkSequence`. The result depends on the set alone, not on its order.
 */
export function compileSteps(sequences: Iterable<NumberedSequence>): Steps {
  const steps = new Map<StepKey, State>();
  const prefixes = new Map<string, State>();
  for (const { sequenceId, sequence } of [...sequences].sort((a, b) => a.sequenceId - b.sequenceId)) {
    let from = START;
    let path = '';
    for (const [index, knock] of sequence.entries()) {
      path += `${formatKnock(knock)} `;
      const known = prefixes.get(path);
      const isLast = index === sequence.length - 1;
      const to = known ?? (isLast ? finalState(sequenceId) : ((sequenceId * 8 + index + 1) as State));
      if (known === undefined) {
        prefixes.set(path, to);
        steps.set(stepKey(from, knock), to);
        if (!isLast) for (const repeat of sequence.slice(0, index + 1)) steps.set(stepKey(to, repeat), to);
      }
      from = to;
    }
  }
  return steps;
}

/** What has to be taken away and put in to turn one automaton into another; a changed step is in both. */
export function diffSteps(before: Steps, after: Steps): { removed: StepKey[]; added: [StepKey, State][] } {
  const removed = [...before].filter(([key, to]) => after.get(key) !== to).map(([key]) => key);
  const added = [...after].filter(([key, to]) => before.get(key) !== to);
  return { removed, added };
}

/** The protocol of an IP header as a knock has it; undefined for what is neither TCP nor UDP. */
export function knockProtocol(ipProtocol: number): Protocol | undefined {
  if (ipProtocol === PROTOCOL_NUMBER.tcp) return 'tcp';
  return ipProtocol === PROTOCOL_NUMBER.udp ? 'udp' : undefined;
}
