import { type PortRange, PROTOCOLS, type Protocol } from '../ports.js';
import { commandOf } from './iptables-file.js';
import { readRule } from './iptables-rule.js';
import { readPorts, wordsOf } from './words.js';

/** What a command of knockd does, as far as it can be told. `ports` null for all. */
export type CommandMeaning =
  | { readonly does: 'open'; readonly ports: readonly PortRange[] | null }
  | { readonly does: 'close' }
  | { readonly does: 'something else' };

const OTHER: CommandMeaning = { does: 'something else' };
/** An address of the documentation (RFC 5737) in place of the knocker's. */
const KNOCKER = '192.0.2.1';

/** Tells what a command opens to %IP%: calls of iptables, nft and ufw, perhaps several. It is never run. */
export function meaningOf(command: string): CommandMeaning {
  let ports: readonly PortRange[] | null = [];
  let closes = false;
  for (const part of command.split(/;|&&/)) {
    if (part.trim() === '') continue;
    const meaning = meaningOfOne(wordsOf(part.replaceAll('%IP%', KNOCKER)) ?? []);
    if (meaning.does === 'something else') return OTHER;
    if (meaning.does === 'close') closes = true;
    else ports = ports === null || meaning.ports === null ? null : [...ports, ...meaning.ports];
  }
  if (ports === null || ports.length > 0) return { does: 'open', ports };
  return closes ? { does: 'close' } : OTHER;
}

function meaningOfOne(words: readonly string[]): CommandMeaning {
  const program = words.find((word) => word !== 'sudo')?.replace(/^.*\//, '');
  const rest = words.slice(words[0] === 'sudo' ? 2 : 1);
  if (program === 'nft') return ofNft(rest);
  if (program === 'ufw') return ofUfw(rest);
  const call = commandOf(words);
  if (call === undefined || !/^ip6?tables/.test(program ?? '')) return OTHER;
  if (call.command === 'delete') return { does: 'close' };
  if ((call.command !== 'append' && call.command !== 'insert') || (call.table ?? 'filter') !== 'filter') return OTHER;
  const rule = readRule(0, call.chain, call.rest);
  const isOdd = rule.unknown !== null || rule.protocol !== null || rule.forgeable !== null || rule.isReply;
  const isKnocker = rule.who?.kind === 'target' && rule.who.target === KNOCKER;
  return isOdd || !isKnocker || rule.target !== 'ACCEPT' ? OTHER : { does: 'open', ports: rule.ports };
}

/** `add rule inet filter input ip saddr %IP% tcp dport 22 accept` */
function ofNft(words: readonly string[]): CommandMeaning {
  const text = words.join(' ').replace(/[{}]/g, '').replace(/ *, */g, ',').replace(/ +/g, ' ');
  if (/^delete /.test(text)) return { does: 'close' };
  const found =
    /^(?:add|insert) rule (?:\S+ ){2,3}ip6? saddr 192\.0\.2\.1(?: (tcp|udp) dport (\S+))?(?: counter)? accept$/.exec(
      text,
    );
  if (found === null) return OTHER;
  const [, protocol, ports] = found;
  return opening(ports, protocol === undefined ? [] : [protocol as Protocol], '-');
}

/** `allow from %IP% to any port 22 proto tcp` */
function ofUfw(words: readonly string[]): CommandMeaning {
  const text = words.join(' ');
  if (/(^| )delete /.test(text)) return { does: 'close' };
  const found =
    /^(?:insert \d+ |prepend )?allow (?:proto (tcp|udp) )?from 192\.0\.2\.1(?: to any)?(?: port (\S+))?(?: proto (tcp|udp))?$/.exec(
      text,
    );
  if (found === null) return OTHER;
  const [, early, ports, late] = found;
  const protocol = early ?? late;
  return opening(ports, protocol === undefined ? PROTOCOLS : [protocol as Protocol], ':');
}

function opening(text: string | undefined, protocols: readonly Protocol[], separator: string): CommandMeaning {
  if (text === undefined) return { does: 'open', ports: null };
  const found = protocols.map((protocol) => readPorts(text, protocol, separator));
  const ports = found.flatMap((some) => some ?? []);
  return found.includes(undefined) || ports.length === 0 ? OTHER : { does: 'open', ports };
}
