import type { Brand } from './brand.js';
import { SallyportError } from './errors.js';

export type Protocol = 'tcp' | 'udp';

export const PROTOCOLS: readonly Protocol[] = ['tcp', 'udp'];

/** A transport port, 1 to 65535. */
export type Port = Brand<number, 'Port'>;

/** IANA protocol numbers, as they stand in the IP header. */
export const PROTOCOL_NUMBER = { tcp: 6, udp: 17 } as const;

/** Inclusive port numbers without a protocol, such as the pool. */
export interface PortSpan {
  readonly first: Port;
  readonly last: Port;
}

/** Inclusive ports of one protocol: `udp/10000-20000`. */
export interface PortRange extends PortSpan {
  readonly protocol: Protocol;
}

/** @throws SP_PORT_INVALID */
export function toPort(value: number | string): Port {
  const number = typeof value === 'number' ? value : /^[1-9]\d{0,4}$/.test(value) ? Number(value) : Number.NaN;
  if (!(Number.isInteger(number) && number >= 1 && number <= 65535))
    throw new SallyportError('SP_PORT_INVALID', { value });
  return number as Port;
}

/** Reads `21000-29999` or `22`. @throws SP_PORT_INVALID */
export function parsePortSpan(text: string): PortSpan {
  const [first, last, ...more] = text.split('-');
  if (first === undefined || more.length > 0) throw new SallyportError('SP_PORT_INVALID', { value: text });
  const span = { first: toPort(first), last: toPort(last ?? first) };
  if (span.first > span.last) throw new SallyportError('SP_PORT_INVALID', { value: text });
  return span;
}

/** Reads `tcp/22` or `udp/10000-20000`. @throws SP_PORT_INVALID */
export function parsePortRange(text: string): PortRange {
  const [protocol, span, ...more] = text.split('/');
  if ((protocol !== 'tcp' && protocol !== 'udp') || span === undefined || more.length > 0) {
    throw new SallyportError('SP_PORT_INVALID', { value: text });
  }
  try {
    return { protocol, ...parsePortSpan(span) };
  } catch {
    throw new SallyportError('SP_PORT_INVALID', { value: text });
  }
}

export function formatPortSpan({ first, last }: PortSpan): string {
  return first === last ? `${first}` : `${first}-${last}`;
}

export function formatPortRange(range: PortRange): string {
  return `${range.protocol}/${formatPortSpan(range)}`;
}

export function spansOverlap(a: PortSpan, b: PortSpan): boolean {
  return a.first <= b.last && b.first <= a.last;
}

export function inSpan(port: number, span: PortSpan): boolean {
  return span.first <= port && port <= span.last;
}

/** The ports of the first that are in none of the others. */
export function portsWithout(ranges: readonly PortRange[], others: readonly PortRange[]): PortRange[] {
  return others.reduce<PortRange[]>((left, other) => left.flatMap((range) => without(range, other)), [...ranges]);
}

function without(range: PortRange, other: PortRange): PortRange[] {
  if (range.protocol !== other.protocol || !spansOverlap(range, other)) return [range];
  const below = other.first > range.first ? [{ ...range, last: (other.first - 1) as Port }] : [];
  const above = other.last < range.last ? [{ ...range, first: (other.last + 1) as Port }] : [];
  return [...below, ...above];
}
