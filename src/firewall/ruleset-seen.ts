import type { Family } from '../core/address.js';
import { after, type Duration, days, formatDuration, type Monotonic, millis } from '../core/time.js';
import { FAMILIES, seenSet } from './names.js';

/** For so long it is known when somebody was last let in. */
const SEEN_FOR = days(30);
/** At some 130 bytes each; where it is full, nobody new is noted, and everybody is let in as ever. */
const SEEN_SIZE = 65_536;

const KEY = { 4: { type: 'ipv4_addr', source: 'ip saddr' }, 6: { type: 'ipv6_addr', source: 'ip6 saddr' } } as const;

/** When somebody was last let in of whom this time is left at a moment. */
export function seenAt(moment: Monotonic, remaining: Duration): Monotonic {
  return after(moment, millis(remaining - SEEN_FOR));
}

/** The verdict for somebody who is let in: it is noted when, for some 60 ns a packet. */
export const letInAndNote = (family: Family): string => `goto let_in_${family}`;

/*
 * No counters in the sets of grants and entries: they are lost whenever an element is renewed or the entries are written
 * anew, make each element larger, and would have to be read over and over to tell a time. Here each packet starts the
 * timeout of its source afresh, so what is left of it tells when the last one came, also of one address inside a CIDR.
 */

/** The sets, and the chains that the others lead to. */
export function renderSeen(): string[] {
  return FAMILIES.flatMap((family) => [
    `  set ${seenSet(family)} { type ${KEY[family].type}; flags dynamic,timeout; timeout ${formatDuration(SEEN_FOR)}; size ${SEEN_SIZE}; }`,
    `  chain let_in_${family} {`,
    // A rule of its own: in a full set it fails, and with it what stands behind it.
    `    update @${seenSet(family)} { ${KEY[family].source} }`,
    '    accept',
    '  }',
  ]);
}
