import { neverAllowed, type Target } from '../address.js';
import { formatPortRange, type PortRange } from '../ports.js';
import { readRuleFile } from './iptables-file.js';
import { ANY, both, type Condition, type Rule } from './iptables-rule.js';
import { type Reading, ReadingBuilder, type Verdict, whoText } from './reading.js';
import { networksOf, Shadows } from './shadows.js';
import { retired } from './who.js';
import { shown } from './words.js';

/** Chains that jump to each other could be walked for ever; no whitelist comes near this. */
const MOST_STEPS = 200_000;

/** Targets after which a packet goes on. */
const GOING_ON = new Set([
  'LOG',
  'NFLOG',
  'ULOG',
  'AUDIT',
  'MARK',
  'CONNMARK',
  'TCPMSS',
  'CT',
  'SET',
  'TRACE',
  'TOS',
  'DSCP',
]);
const FAIL2BAN = /^(f2b|fail2ban)-/i;

/** Says where a line is from, for the note of its entry. */
export type Origin = (line: number, comment: string | null) => string;

type Finding = readonly [verdict: Verdict, words: string];

/**
 * Reads the rules of iptables that let somebody in to this machine: a file of iptables-save, or calls of iptables. Follows jumps,
 * in the order in which a packet meets the rules.
 */
export function readIptables(text: string, origin: Origin): Reading {
  const out = new ReadingBuilder();
  const { chains, policy } = readRuleFile(text, out);
  const walk = new Walk(chains, out, origin);
  walk.chain('INPUT', ANY, new Set(['INPUT']));
  walk.warnOfHoles();
  for (const [chain, rules] of chains)
    for (const { line } of rules) if (!walk.met.has(line)) out.say(line, ...(walk.isOver ? LOST : unmet(chain)));
  if (policy !== null) out.say(policy.line, ...judgePolicy(policy.accepts && !walk.closes));
  return out.done();
}

const LOST: Finding = ['not_understood', 'too many jumps of these chains to follow them all'];

function unmet(chain: string): Finding {
  if (FAIL2BAN.test(chain)) return ['not_needed', 'a chain of fail2ban, which looks after it itself'];
  if (chain === 'OUTPUT') return ['not_needed', 'what goes out is not filtered'];
  if (chain === 'FORWARD') return ['not_needed', 'forwarded traffic: the rule stays as it is'];
  return ['not_needed', `nothing leads from INPUT to this rule of ${shown(chain, 32)}`];
}

function judgePolicy(isOpen: boolean): Finding {
  return isOpen
    ? ['not_taken', 'whatever no rule drops is open to everybody there; here the guarded services are closed']
    : ['not_needed', 'Sallyport closes what it guards by itself'];
}

class Walk {
  readonly #chains: ReadonlyMap<string, readonly Rule[]>;
  readonly #out: ReadingBuilder;
  readonly #origin: Origin;
  readonly #dropped = new Shadows();
  /** Rules that drop somebody, by the line. */
  readonly #holes: { readonly line: number; readonly target: Target }[] = [];
  /** The lines that were judged. */
  readonly met = new Set<number>();
  #steps = 0;

  constructor(chains: ReadonlyMap<string, readonly Rule[]>, out: ReadingBuilder, origin: Origin) {
    this.#chains = chains;
    this.#out = out;
    this.#origin = origin;
  }

  /** Whether it was given up. */
  get isOver(): boolean {
    return this.#steps > MOST_STEPS;
  }

  /** Whether everything that no rule lets in is dropped by one. */
  get closes(): boolean {
    return this.#dropped.hide(null, null);
  }

  /** @param above the chains that led here, and this one */
  chain(name: string, from: Condition, above: ReadonlySet<string>): void {
    const left = new Shadows();
    for (const rule of this.#chains.get(name) ?? []) {
      if (++this.#steps > MOST_STEPS) {
        this.met.add(rule.line);
        this.#out.say(rule.line, 'not_understood', 'too many jumps lead here to follow them all');
        return;
      }
      const packets = both(from, rule);
      this.met.add(rule.line);
      if (packets === undefined || this.#isHidden(packets, left)) {
        this.#out.say(rule.line, 'not_needed', 'never reached: an earlier rule ends the way of these packets');
      } else this.#rule(rule, packets, left, above);
    }
  }

  #isHidden({ who, ports }: Condition, left: Shadows): boolean {
    return this.#dropped.hide(who, ports) || left.hide(who, ports);
  }

  #rule(rule: Rule, packets: Condition, left: Shadows, above: ReadonlySet<string>): void {
    const { line, target } = rule;
    if (target === 'ACCEPT') this.#accept(rule, packets);
    else if (target === 'DROP' || target === 'REJECT') {
      if (isPlain(packets)) this.#dropped.add(packets.who, packets.ports);
      if (packets.who?.kind === 'target') this.#holes.push({ line, target: packets.who.target });
      this.#out.say(line, 'not_needed', 'Sallyport closes what it guards by itself');
    } else if (target === 'RETURN') {
      if (isPlain(packets)) left.add(packets.who, packets.ports);
      this.#out.say(line, 'not_needed', 'it only leaves the chain');
    } else if (target === null) this.#out.say(line, 'not_needed', 'it lets nobody in: it only counts');
    else if (GOING_ON.has(target))
      this.#out.say(line, 'not_needed', `it lets nobody in: ${target} only marks or notes`);
    else if (FAIL2BAN.test(target)) this.#out.say(line, 'not_needed', 'fail2ban looks after its chains itself');
    else if (!this.#chains.has(target)) {
      this.#out.say(line, 'not_needed', `it lets nobody in: there is no rule in ${shown(target, 32)}`);
    } else if (above.has(target)) this.#out.say(line, 'not_understood', 'these chains lead to each other in a circle');
    else {
      this.#out.say(line, 'taken', `followed: what ${shown(target, 32)} lets in`);
      this.chain(target, packets, new Set([...above, target]));
      if (rule.isGoto && isPlain(packets)) left.add(packets.who, packets.ports);
    }
  }

  #accept(rule: Rule, packets: Condition): void {
    const { who, whoLine } = packets;
    const refusal = judge(packets);
    if (refusal !== undefined) this.#out.say(rule.line, ...refusal);
    if (refusal !== undefined || who === null) return;
    if (whoLine !== rule.line) this.#out.say(rule.line, 'taken', `it accepts who comes by line ${whoLine}`);
    const more = [
      ...(packets.interface === null ? [] : [`only through ${packets.interface}`]),
      ...(packets.hasDestination ? ['only to one address of this machine'] : []),
    ];
    this.#out.entry({
      line: whoLine,
      who,
      ports: packets.ports,
      note: this.#origin(whoLine, rule.comment),
      wider: more.length > 0 ? more.join(', ') : null,
    });
  }

  /** A network that is let in but for a part of it: entries cannot have holes. */
  warnOfHoles(): void {
    const entered = new Set(this.#out.entries.flatMap(({ who }) => (who.kind === 'target' ? [who.target] : [])));
    for (const { line, target } of this.#holes) {
      const around = networksOf(target)
        .slice(1)
        .find((one) => entered.has(one));
      if (around === undefined) continue;
      const words = `${target} is dropped there and lies in ${around}, which is let in as a whole here`;
      this.#out.say(line, 'not_taken', words);
    }
  }
}

/** Whether nothing but source and ports decides. */
function isPlain(packets: Condition): boolean {
  const { isLoopback, isReply, protocol, forgeable, unknown } = packets;
  const isNarrowed = isLoopback || isReply || protocol !== null || forgeable !== null || unknown !== null;
  return !isNarrowed && packets.interface === null && !packets.hasDestination;
}

/** Why a rule that accepts these packets makes no entry; undefined where it does. */
function judge(packets: Condition): Finding | undefined {
  const { who, ports, protocol, forgeable, unknown } = packets;
  if (packets.isLoopback) return ['not_needed', 'loopback is always let in'];
  if (packets.isReply) return ['not_needed', 'replies to connections of this machine are let in by Sallyport itself'];
  if (protocol !== null && /icmp/.test(protocol)) return ['not_needed', 'the ICMP that is needed passes by itself'];
  if (unknown !== null) return ['not_understood', `there is no counterpart here of ${unknown}`];
  if (protocol !== null) return ['not_taken', `entries open TCP and UDP, not ${protocol}`];
  if (forgeable === 'flags')
    return ['not_taken', 'it goes by TCP flags, which any stranger can set, and so lets strangers in'];
  if (forgeable === 'source port')
    return who === null
      ? ['not_taken', 'it goes by the source port, which any stranger can choose, and so lets strangers in']
      : [
          'not_taken',
          `it goes by the source port; replies pass by themselves, and for more: sallyport allow ${whoText(who)}`,
        ];
  if (who === null) return everybody(packets, ports);
  const gone = retired(who);
  if (gone !== undefined) return ['not_taken', `${whoText(who)} was ${gone}, which is no more: let nobody in by it`];
  const never = who.kind === 'target' ? neverAllowed(who.target, NONE) : undefined;
  return never === undefined ? undefined : ['not_taken', `${whoText(who)} may never be let in: it is ${never}`];
}

const NONE: ReadonlySet<never> = new Set();
/** What a host gets its own address by: DHCP and DHCPv6. */
const DHCP = new Set(['udp/67', 'udp/68', 'udp/67-68', 'udp/546', 'udp/547', 'udp/546-547']);

function everybody(packets: Condition, ports: readonly PortRange[] | null): Finding {
  if (packets.interface !== null) {
    const name = packets.interface;
    return ['not_taken', `everybody who comes through ${name}; if they are all trusted: trusted.interfaces: [${name}]`];
  }
  if (ports === null) return ['not_taken', 'it is open to everybody, for everything'];
  const text = ports.map(formatPortRange);
  if (text.every((one) => DHCP.has(one))) return ['not_needed', 'DHCP is not closed by Sallyport'];
  return ['not_taken', `${portsText(ports)} is open to everybody there; here it is closed if a guarded service has it`];
}

/** Ports for a person, the first few of them. */
export function portsText(ports: readonly PortRange[] | null): string {
  if (ports === null) return 'all ports';
  const text = ports.slice(0, 6).map(formatPortRange).join(', ');
  return ports.length > 6 ? `${text} and ${ports.length - 6} more` : text;
}
