import type { Family } from '../core/address.js';
import type { Arming, GuardLayout } from '../core/firewall.js';
import { FINAL_BIT, PAIRED_BIT } from '../core/knock/automaton.js';
import type { StrikeLimit } from '../core/knock/strikes.js';
import { PAIRING_BYTES, PAIRING_PREFIX } from '../core/pairing.js';
import { formatPortSpan } from '../core/ports.js';
import { formatDuration, seconds } from '../core/time.js';
import { FOR_GOOD, leadTo } from './arming.js';
import {
  ACTIVE_MAP,
  doneSet,
  entrySet,
  FALLBACK_MAP,
  FAMILIES,
  grantSet,
  ignoredSet,
  rangeSet,
  type Slot,
  STEP_MAP,
  stateMap,
  strikeSet,
} from './names.js';
import { type Generation, generationsOf, hasLockdown, type Placement, setScopes } from './placement.js';
import { REPEAT } from './repeats.js';
import { ADDRESS_TYPE, classesOf, renderClasses, SOURCE } from './ruleset-classes.js';
import { IS_FORWARDED, renderBegunSets, renderLockdown } from './ruleset-lockdown.js';
import { renderSeen } from './ruleset-seen.js';

/*
 * How a packet goes:
 *
 *   prerouting -110 (before DNAT) ──┐ not for this host: accept
 *   input -10 ──────────────────────┤ from loopback: accept
 *                                   v
 *                        active { ipv4, ipv6 : goto guard }     no element: the next
 *                        fallback { … : goto old_guard }        while a change is provisional; no element: nothing holds
 *                                   v
 *      guard:  to the pool?     -> pool: a source that is ignored? drop; the automaton, always dropped (or accept, where sockets
 *                                  take the knocks)
 *              trusted interface -> accept
 *              a guarded port?  -> its class: in a set? accept; held? drop; a reply? accept; else drop
 *              anything else    -> accept (it goes on to everybody else's rules); under lockdown, see ruleset-lockdown.ts
 */

/** Enough for every spoofed source of a flood within a window; see docs/knock.md. */
const STATE_SIZE = 1_200_000;
const DONE_SIZE = 262_144;
const DONE_TIMEOUT = seconds(30);
/**
 * The sources that wrong packets are counted of (some 200 bytes each), and those that are ignored, which the daemon must be
 * able to read while others wait; where they are full, nobody new is.
 */
const STRIKES_SIZE = 131_072;
const IGNORED_SIZE = 16_384;
/** A flood of spoofed sources crosses the line often: the daemon is told of so many, and finds the others in the set. */
const STRUCK_RATE = 'limit rate 5/second burst 50 packets';
/** IP and transport headers and a short payload of the completing packet. */
const SNAPLEN = 128;

/**
 * The sets and chains of the guard in nft's language, without their contents and without the table around them. The
 * same placement always gives the same text.
 * @param arming which rules hold, where that is to be part of the text
 */
export function renderGuard(placement: Placement, arming?: Arming): string {
  const { layout } = placement;
  const isForwarding = hasLockdown(placement);
  return [
    ...renderSets(placement),
    ...(layout.knocks === 'kernel' ? renderAutomaton(layout) : []),
    ...renderSeen(),
    ...(isForwarding ? renderBegunSets() : []),
    ...generationsOf(placement).flatMap((generation) => renderGeneration(generation, isForwarding)),
    ...renderHooks(placement, isForwarding, arming),
  ].join('\n');
}

/** Whether two generations let in the same way, whoever their entries are. */
export function isSameGeneration(one: GuardLayout, other: GuardLayout): boolean {
  const text = (layout: GuardLayout) => renderGeneration({ ...layout, slot: '' }, false).join('\n');
  return text(one) === text(other);
}

function renderGeneration(generation: Generation, isForwarding: boolean): string[] {
  return [...renderClasses(generation), ...renderLockdown(generation), ...renderChain(generation, isForwarding)];
}

const UDP_HEADER = 8;
/** The length and beginning of a payload with a pairing code. */
const CARRIES_CODE = `udp length ${UDP_HEADER + PAIRING_BYTES} @th,${8 * UDP_HEADER},${8 * PAIRING_PREFIX.length} 0x${PAIRING_PREFIX.map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;

function renderSets(placement: Placement): string[] {
  const lines: string[] = [];
  const max = formatDuration(placement.layout.maxTtl);
  const hold = '30d';
  const { all } = setScopes(placement);
  for (const family of FAMILIES) {
    const type = ADDRESS_TYPE[family];
    for (const scope of all) {
      const longest = scope === 'held' ? hold : max;
      lines.push(`  set ${grantSet(scope, family)} { type ${type}; flags timeout; timeout ${longest}; }`);
      lines.push(`  set ${rangeSet(scope, family)} { type ${type}; flags interval,timeout; timeout ${longest}; }`);
    }
    for (const { scopes, slot } of generationsOf(placement)) {
      for (const scope of scopes)
        lines.push(`  set ${entrySet(scope, family, slot)} { type ${type}; flags interval; }`);
    }
  }
  return lines;
}

function renderAutomaton(layout: GuardLayout): string[] {
  const window = formatDuration(layout.window);
  const log = `log group ${layout.nflogGroup} snaplen ${SNAPLEN} queue-threshold 1`;
  const lookUp = `meta mark set meta mark . meta l4proto . th dport map @${STEP_MAP}`;
  const lines = [`  map ${STEP_MAP} { typeof meta mark . meta l4proto . th dport : meta mark; }`];
  // Crossing the line is told by a mark of START.
  if (layout.strikes !== null) lines.push('  chain struck {', `    ${STRUCK_RATE} ${log}`, '    drop', '  }');
  // The mailbox keeps no payload: a knock with a pairing code would be a plain one there. It is not put in, but sent again.
  lines.push('  chain paired {', `    meta mark set meta mark | ${hex(PAIRED_BIT)}`, `    ${log}`, '    drop', '  }');
  for (const family of FAMILIES) {
    const source = SOURCE[family];
    const [state, done] = [stateMap(family), doneSet(family)];
    lines.push(
      `  map ${state} { type ${ADDRESS_TYPE[family]} : mark; flags dynamic,timeout; timeout ${window}; size ${STATE_SIZE}; }`,
      `  set ${done} { typeof ${source} . meta mark; flags dynamic,timeout; timeout ${formatDuration(DONE_TIMEOUT)}; size ${DONE_SIZE}; }`,
      // The sequence is complete: into the mailbox first, then ring. The mark carries the final state.
      `  chain complete_${family} {`,
      `    delete @${state} { ${source} : meta mark }`,
      `    ${CARRIES_CODE} goto paired`,
      `    update @${done} { ${source} . meta mark }`,
      `    ${log}`,
      '    drop',
      '  }',
      // It has its state, and gets its time anew.
      `  chain repeat_${family} {`,
      `    update @${state} { ${source} : meta mark }`,
      '    drop',
      '  }',
      // An update would refresh the timeout but keep the old state, hence delete and add.
      `  chain advance_${family} {`,
      `    meta mark & ${hex(FINAL_BIT)} != 0 goto complete_${family}`,
      `    meta mark ${REPEAT} goto repeat_${family}`,
      `    delete @${state} { ${source} : meta mark }`,
      `    add @${state} { ${source} : meta mark }`,
      '    drop',
      '  }',
      ...renderStrikes(layout.strikes, family),
      // The expected next knock or a repeat advances; anything else resets, and may be the first of a sequence.
      `  chain pool_${family} {`,
      ...(layout.strikes === null ? [] : [`    ${STRIKE_KEY[family]} @${ignoredSet(family)} drop`]),
      '    meta mark set 0',
      `    meta mark set ${source} map @${state}`,
      `    ${lookUp} goto advance_${family}`,
      `    delete @${state} { ${source} : meta mark }`,
      '    meta mark set 0',
      ...(layout.strikes === null ? [] : [countStrike(layout.strikes, family)]),
      `    ${lookUp} goto advance_${family}`,
      '    drop',
      '  }',
    );
  }
  lines.push(
    '  chain pool {',
    '    ct state established ct direction reply accept',
    ...FAMILIES.map((family) => `    meta nfproto ipv${family} goto pool_${family}`),
    '    drop',
    '  }',
  );
  return lines;
}

/** What wrong packets are counted by, and what is ignored. */
const STRIKE_KEY = { 4: 'ip saddr', 6: 'ip6 saddr & ffff:ffff:ffff:ffff::' } as const;

/** The sets, and the chain of the packet that crosses the line. Where nobody more can be ignored, it comes back from there. */
function renderStrikes(strikes: StrikeLimit | null, family: Family): string[] {
  if (strikes === null) return [];
  const [type, key] = [ADDRESS_TYPE[family], STRIKE_KEY[family]];
  const [counts, ignored] = [strikeSet(family), ignoredSet(family)];
  return [
    `  set ${counts} { type ${type}; flags dynamic,timeout; timeout ${formatDuration(strikes.per)}; size ${STRIKES_SIZE}; }`,
    `  set ${ignored} { type ${type}; flags dynamic,timeout; timeout ${formatDuration(strikes.ignoreFor)}; size ${IGNORED_SIZE}; }`,
    `  chain ignore_${family} {`,
    `    delete @${counts} { ${key} }`,
    '    goto struck',
    '  }',
    `  chain struck_${family} {`,
    `    add @${ignored} { ${key} } goto ignore_${family}`,
    '  }',
  ];
}

/**
 * Counts a wrong packet. `add` leaves the timeout of what is there alone, so that the window begins with the first. The
 * limit is used as a counter: so many packets less one pass below it, and in the life of an element none are added to them.
 */
function countStrike({ wrong }: StrikeLimit, family: Family): string {
  const counter = `limit rate over 1/day burst ${wrong - 1} packets`;
  return `    add @${strikeSet(family)} { ${STRIKE_KEY[family]} ${counter} } jump struck_${family}`;
}

/** What a packet meets where the rules of a generation hold. */
function renderChain(layout: Generation, isForwarding: boolean): string[] {
  const verdicts = classesOf(layout).flatMap(({ chain, ranges }) =>
    ranges.map((range) => `${range.protocol} . ${formatPortSpan(range)} : goto ${chain}`),
  );
  const trusted = layout.trustedInterfaces.map((name) => `"${name}"`).join(', ');
  const isLockdown = layout.policy === 'lockdown';
  return [
    `  chain ${layout.slot}guard {`,
    ...(isForwarding ? [`    ${IS_FORWARDED} ${isLockdown ? `goto ${layout.slot}forwarded` : 'accept'}`] : []),
    ...poolRule(layout),
    ...(trusted === '' ? [] : [`    iifname { ${trusted} } accept`]),
    ...(verdicts.length === 0 ? [] : [`    meta l4proto . th dport vmap { ${verdicts.join(', ')} }`]),
    ...(isLockdown ? [`    goto ${layout.slot}lockdown`] : []),
    '  }',
  ];
}

function renderHooks({ fallback, slots }: Placement, isForwarding: boolean, arming: Arming | undefined): string[] {
  const leading = (slot: Slot, how: Arming) => (arming === undefined ? '' : ` elements = { ${leadTo(slot, how)} }`);
  // A chain that was gone to never comes back: the second look-up is for those whom the first leads nowhere.
  const lookUps = [ACTIVE_MAP, ...(fallback === null ? [] : [FALLBACK_MAP])].map(
    (map) => `    meta nfproto vmap @${map}`,
  );
  return [
    `  map ${ACTIVE_MAP} { type nf_proto : verdict; flags timeout;${leading(slots.layout, arming ?? FOR_GOOD)} }`,
    ...(fallback === null
      ? []
      : [`  map ${FALLBACK_MAP} { type nf_proto : verdict;${leading(slots.fallback, FOR_GOOD)} }`]),
    '  chain prerouting {',
    '    type filter hook prerouting priority -110; policy accept;',
    '    iif lo accept',
    '    fib daddr type != local accept',
    ...lookUps,
    '  }',
    '  chain input {',
    '    type filter hook input priority -10; policy accept;',
    '    iif lo accept',
    ...lookUps,
    '  }',
    ...(isForwarding
      ? ['  chain forward {', '    type filter hook forward priority -10; policy accept;', ...lookUps, '  }']
      : []),
  ];
}

/** Where sockets take the knocks under lockdown, their part of the pool is among the open ports. */
function poolRule({ knocks, policy, pool }: GuardLayout): string[] {
  if (knocks === 'socket' && policy === 'lockdown') return [];
  const verdict = knocks === 'kernel' ? 'goto pool' : 'accept';
  return [`    meta l4proto { tcp, udp } th dport ${formatPortSpan(pool)} ${verdict}`];
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
