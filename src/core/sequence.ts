import { SallyportError } from './errors.js';
import { formatPortSpan, inSpan, type Port, type PortSpan, PROTOCOLS, type Protocol, toPort } from './ports.js';

/** One packet of a sequence: a protocol and a port of the pool. */
export interface Knock {
  readonly protocol: Protocol;
  readonly port: Port;
}

/** The ordered knocks that open. A secret. */
export type Sequence = readonly Knock[];

export const SHORTEST_SEQUENCE = 2;
export const LONGEST_SEQUENCE = 8;
export const DEFAULT_SEQUENCE_LENGTH = 3;

/** A source of random whole numbers: uniform in [0, bound). Handed in; must be cryptographically strong. */
export type RandomInt = (bound: number) => number;

/** Reads `tcp/21234,udp/28111,tcp/24711`. @throws SP_SEQUENCE_INVALID without repeating what was typed */
export function parseSequence(text: string): Sequence {
  return text.split(',').map((item) => {
    const [protocol, port, ...more] = item.trim().split('/');
    if ((protocol !== 'tcp' && protocol !== 'udp') || port === undefined || more.length > 0) {
      throw invalid('each knock is tcp/PORT or udp/PORT');
    }
    try {
      return { protocol, port: toPort(port) };
    } catch {
      throw invalid('a port goes from 1 to 65535');
    }
  });
}

export function formatSequence(sequence: Sequence): string {
  return sequence.map(formatKnock).join(',');
}

export function formatKnock(knock: Knock): string {
  return `${knock.protocol}/${knock.port}`;
}

export function sameKnock(a: Knock, b: Knock): boolean {
  return a.protocol === b.protocol && a.port === b.port;
}

/** The sequences that a new one must not clash with: themselves, or where they are many something that knows them. */
export type OtherSequences = Iterable<Sequence> | { clashes(sequence: Sequence): boolean };

/**
 * Holds a sequence to the rules of the game: 2 to 8 knocks, all from the pool, all ports different and no two adjacent
 * (else a sweep walks through it; the ends of the pool count as adjacent, for a sweep may begin anew), and neither a prefix
 * of another's nor another's a prefix of it (else the shorter one opens first).
 * @throws SP_SEQUENCE_INVALID
 */
export function checkSequence(sequence: Sequence, pool: PortSpan, others: OtherSequences): void {
  if (sequence.length < SHORTEST_SEQUENCE || sequence.length > LONGEST_SEQUENCE) {
    throw invalid(`it has ${sequence.length} ports`);
  }
  if (!sequence.every(({ port }) => inSpan(port, pool)))
    throw invalid(`a port lies outside the pool ${formatPortSpan(pool)}`);
  if (hasClosePorts(sequence, pool))
    throw invalid('two of its ports are the same, neighbours, or the ends of the pool');
  if (clashes(sequence, others)) throw invalid("it begins like another user's");
}

/**
 * Draws a sequence that keeps the rules, each knock of one of the protocols by chance, but the last UDP where that is heard: it
 * alone can carry a pairing code (pairing.ts).
 * @throws SP_SEQUENCE_INVALID where the pool is too small to hold one more
 */
export function drawSequence(
  random: RandomInt,
  length: number,
  pool: PortSpan,
  others: OtherSequences,
  protocols: readonly Protocol[] = PROTOCOLS,
): Sequence {
  const size = pool.last - pool.first + 1;
  for (let attempt = 0; attempt < 1000; attempt++) {
    const sequence = Array.from({ length }, (_, i): Knock => {
      const port = toPort(pool.first + random(size));
      const isCarrier = i === length - 1 && protocols.includes('udp');
      return { protocol: isCarrier ? 'udp' : (protocols[random(protocols.length)] ?? 'udp'), port };
    });
    if (hasClosePorts(sequence, pool)) continue;
    if (clashes(sequence, others)) continue;
    checkSequence(sequence, pool, []);
    return sequence;
  }
  throw invalid(`the pool ${formatPortSpan(pool)} has no room for another; widen knock.pool`);
}

/** @throws SP_SEQUENCE_INVALID where a knock is of a protocol that nobody listens to */
export function checkHeard(sequence: Sequence, protocols: readonly Protocol[]): void {
  if (isHeard(sequence, protocols)) return;
  throw invalid(`only ${protocols.join(' and ')} knocks are heard here (knock.socket_protocols)`);
}

/** Whether all knocks are of these protocols. */
export function isHeard(sequence: Sequence, protocols: readonly Protocol[]): boolean {
  return sequence.every(({ protocol }) => protocols.includes(protocol));
}

/** Whether the packet that completes it can carry a payload: the one of TCP is a SYN. */
export function canCarryCode(sequence: Sequence): boolean {
  return sequence.at(-1)?.protocol === 'udp';
}

function hasClosePorts(sequence: Sequence, pool: PortSpan): boolean {
  const ports = sequence.map(({ port }) => port as number).sort((a, b) => a - b);
  const isRound = ports.includes(pool.first) && ports.includes(pool.last);
  return isRound || ports.some((port, i) => i > 0 && port - (ports[i - 1] ?? 0) <= 1);
}

function clashes(sequence: Sequence, others: OtherSequences): boolean {
  if ('clashes' in others) return others.clashes(sequence);
  for (const other of others) if (isPrefix(sequence, other) || isPrefix(other, sequence)) return true;
  return false;
}

function isPrefix(short: Sequence, long: Sequence): boolean {
  return short.length <= long.length && short.every((knock, i) => sameKnock(knock, long[i] as Knock));
}

function invalid(problem: string): SallyportError {
  return new SallyportError('SP_SEQUENCE_INVALID', { problem });
}
