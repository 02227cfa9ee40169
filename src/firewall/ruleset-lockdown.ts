import { formatPortSpan, PROTOCOLS } from '../core/ports.js';
import { ALL } from '../core/service.js';
import { begunSet, FAMILIES } from './names.js';
import type { Generation } from './placement.js';
import { ADDRESS_TYPE, classesOf, drained, dropHeld, letIn, SOURCE } from './ruleset-classes.js';

/*
 * What lockdown adds: everything that the guard would leave alone is closed.
 *
 *   guard:  forwarded?  -> forwarded:  from a trusted or a forwarding interface, or on the whitelist: accept
 *           (pool, trusted interfaces, services)             published by NAT? -> the class of the port that was addressed
 *                                                              -> answers
 *           anything else -> lockdown: on the whitelist, an open port, discovery, DHCP: accept
 *                                      redirected by NAT? -> the class of the port that was addressed
 *                                      TCP outside of the local port range: drop
 *                                      -> answers:  ICMP errors, own connections of old, replies: accept; else drop
 */

/** More connections than local ports are to different ends; where it is full, the others are left to conntrack. */
const BEGUN_SIZE = 262_144;

/** ICMP types that tell of something wrong with a packet of one's own (RFC 4890, 4.3.1 and 4.4.1). */
const ERRORS = [
  'ct state related icmp type { destination-unreachable, time-exceeded, parameter-problem } accept',
  'ct state related icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept',
];

/** What IPv6 does not work without, from the same link alone: routers do not forward a hop limit of 255 (RFC 4861) or a link-local source. */
const DISCOVERY = [
  'ip6 hoplimit 255 icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept',
  'ip6 saddr fe80::/10 icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report } accept',
];

/** Answers of DHCP servers: to a broadcast they are no replies for conntrack. */
const DHCP = [
  'meta nfproto ipv4 udp sport 67 udp dport 68 accept',
  'ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept',
];

/** Only where a packet leaves by another interface has it one to leave by: prerouting and input know none. */
export const IS_FORWARDED = 'meta oif != 0';

/** The sets of lockdown. */
export function renderBegunSets(): string[] {
  return FAMILIES.map((family) => {
    const key = `${ADDRESS_TYPE[family]} . inet_service . inet_service`;
    return `  set ${begunSet(family)} { type ${key}; flags dynamic,timeout; timeout 1d; size ${BEGUN_SIZE}; }`;
  });
}

/** The chains of lockdown, none for another policy. They go to those of the classes. */
export function renderLockdown(layout: Generation): string[] {
  if (layout.policy !== 'lockdown') return [];
  const local = formatPortSpan(layout.localPorts);
  const whitelist = FAMILIES.flatMap((family) => letIn(layout, family, [ALL]));
  const open = layout.openPorts.map((range) => `${range.protocol} . ${formatPortSpan(range)}`).join(', ');
  const inside = [...new Set([...layout.trustedInterfaces, ...layout.forwardFrom])];
  const { slot } = layout;
  return [
    `  chain ${slot}answers {`,
    ...ERRORS.map((rule) => `    ${rule}`),
    // Ports of services; those of the local range are the host's own, and it may go on speaking to whom it wants.
    ...dropHeld(layout, `udp dport != ${local} `),
    '    ct state established ct direction reply accept',
    // These conntrack takes for others'.
    ...FAMILIES.map((family) => {
      const key = `${SOURCE[family]} . tcp sport . tcp dport`;
      return `    ${key} @${begunSet(family)} update @${begunSet(family)} { ${key} } accept`;
    }),
    '    drop',
    '  }',
    `  chain ${slot}lockdown {`,
    ...drained(layout),
    ...whitelist,
    ...(open === '' ? [] : [`    meta l4proto . th dport { ${open} } accept`]),
    ...[...DISCOVERY, ...DHCP].map((rule) => `    ${rule}`),
    ...translated(layout),
    // Old inbound connections may pass for replies here. Those to masqueraded connections come to any port.
    `    tcp dport != ${local} ct direction reply ct status snat accept`,
    `    tcp dport != ${local} drop`,
    `    goto ${slot}answers`,
    '  }',
    `  chain ${slot}forwarded {`,
    ...(inside.length === 0 ? [] : [`    iifname { ${inside.map((name) => `"${name}"`).join(', ')} } accept`]),
    ...drained(layout),
    ...whitelist,
    ...translated(layout),
    `    goto ${slot}answers`,
    '  }',
  ];
}

/** What came to a port that destination NAT leads elsewhere is judged by that port, as in front of the translation. */
function translated(layout: Generation): string[] {
  return PROTOCOLS.flatMap((protocol) => {
    const verdicts = classesOf(layout).flatMap(({ chain, ranges }) =>
      ranges.filter((range) => range.protocol === protocol).map((range) => `${formatPortSpan(range)} : goto ${chain}`),
    );
    if (verdicts.length === 0) return [];
    const original = `ct direction original ct status dnat meta l4proto ${protocol} ct original proto-dst`;
    return [`    ${original} vmap { ${verdicts.join(', ')} }`];
  });
}
