import type { PortRange, PortSpan, Protocol } from '../ports.js';

/** Ports that are covered by ranges, kept as disjoint spans in their order, so that looking up is quick however many came. */
export class PortCover {
  readonly #spans: Readonly<Record<Protocol, { first: number; last: number }[]>> = { tcp: [], udp: [] };
  #isAll = false;

  /** Null for all ports of all protocols. */
  add(ports: readonly PortRange[] | null): void {
    if (ports === null) this.#isAll = true;
    else for (const range of ports) merge(this.#spans[range.protocol], range);
  }

  covers(ports: readonly PortRange[] | null): boolean {
    return this.#isAll || (ports?.every((range) => this.#has(range)) ?? false);
  }

  #has({ protocol, first, last }: PortRange): boolean {
    const spans = this.#spans[protocol];
    const span = spans[firstAfter(spans, first) - 1];
    return span !== undefined && last <= span.last;
  }
}

function merge(spans: { first: number; last: number }[], { first, last }: PortSpan): void {
  let start = firstAfter(spans, first);
  if ((spans[start - 1]?.last ?? -1) + 1 >= first) start--;
  let end = start;
  const joined = { first: first as number, last: last as number };
  for (let span = spans[end]; span !== undefined && span.first <= joined.last + 1; span = spans[++end]) {
    joined.first = Math.min(joined.first, span.first);
    joined.last = Math.max(joined.last, span.last);
  }
  spans.splice(start, end - start, joined);
}

/** The index of the first span that begins after a port. */
function firstAfter(spans: readonly { first: number }[], port: number): number {
  let [low, high] = [0, spans.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((spans[middle]?.first ?? 0) <= port) low = middle + 1;
    else high = middle;
  }
  return low;
}
