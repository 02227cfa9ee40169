import { formatPortSpan, type PortSpan, spansOverlap } from '../core/ports.js';

/**
 * What speaks against a pool on this host, in words for people; empty where nothing does. `localPorts` is the range from
 * which the kernel takes the ports of the host's own connections (net.ipv4.ip_local_port_range).
 */
export function poolProblems(pool: PortSpan, localPorts: PortSpan): readonly string[] {
  if (!spansOverlap(pool, localPorts)) return [];
  return [
    `knock.pool ${formatPortSpan(pool)} overlaps the local port range ${formatPortSpan(localPorts)} of this host ` +
      "(net.ipv4.ip_local_port_range): replies to the host's own connections and knocks may meet on one port; move one of the two",
  ];
}
