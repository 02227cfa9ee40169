import type { Port, PortRange, PortSpan, Protocol } from './ports.js';
import type { ServiceName } from './service.js';

/** Ports that are guarded alike: all its ports belong to the same services and treat replies alike. */
export interface PortClass {
  readonly services: readonly ServiceName[];
  /** Whether replies to the host's own connections may arrive at these ports, so that they have to pass. */
  readonly takesReplies: boolean;
  readonly ranges: readonly PortRange[];
}

/**
 * Cuts the ports of services that may overlap into classes of ports that are treated alike. UDP services speak from the
 * port they listen at, so replies come there; TCP replies come to the host's local port range alone.
 */
export function portClasses(
  guarded: ReadonlyMap<ServiceName, readonly PortRange[]>,
  localPorts: PortSpan,
): PortClass[] {
  const classes = new Map<string, { services: ServiceName[]; takesReplies: boolean; ranges: PortRange[] }>();
  for (const protocol of ['tcp', 'udp'] as const) {
    for (const range of cut(guarded, protocol, localPorts)) {
      const services = [...guarded]
        .filter(([, ranges]) => ranges.some((r) => contains(r, range)))
        .map(([name]) => name);
      if (services.length === 0) continue;
      const takesReplies = protocol === 'udp' || (localPorts.first <= range.first && range.last <= localPorts.last);
      const key = `${services.join()} ${takesReplies}`;
      const known = classes.get(key);
      if (known === undefined) classes.set(key, { services, takesReplies, ranges: [range] });
      else known.ranges.push(range);
    }
  }
  return [...classes.values()].map((one) => ({ ...one, ranges: join(one.ranges) }));
}

/** Whether replies to the host's own TCP connections may arrive at a guarded port. */
export function takesTcpReplies(
  { guarded, localPorts }: { guarded: ReadonlyMap<ServiceName, readonly PortRange[]>; localPorts: PortSpan },
  port: Port,
): boolean {
  const isGuarded = [...guarded.values()]
    .flat()
    .some(({ protocol, first, last }) => protocol === 'tcp' && first <= port && port <= last);
  return isGuarded && localPorts.first <= port && port <= localPorts.last;
}

/** The pieces between all boundaries of the ranges of one protocol. */
function cut(
  guarded: ReadonlyMap<ServiceName, readonly PortRange[]>,
  protocol: Protocol,
  localPorts: PortSpan,
): PortRange[] {
  const spans: PortSpan[] = [...guarded.values()].flat().filter((range) => range.protocol === protocol);
  const starts = [localPorts, ...spans].flatMap(({ first, last }) => [first as number, last + 1]);
  const sorted = [...new Set(starts)].sort((a, b) => a - b);
  return sorted.slice(0, -1).map((first, i) => ({
    protocol,
    first: first as Port,
    last: ((sorted[i + 1] ?? 0) - 1) as Port,
  }));
}

function contains(outer: PortRange, inner: PortRange): boolean {
  return outer.protocol === inner.protocol && outer.first <= inner.first && inner.last <= outer.last;
}

function join(ranges: readonly PortRange[]): PortRange[] {
  const joined: PortRange[] = [];
  for (const range of ranges) {
    const before = joined.at(-1);
    if (before?.protocol === range.protocol && before.last + 1 === range.first) {
      joined[joined.length - 1] = { ...before, last: range.last };
    } else joined.push(range);
  }
  return joined;
}
