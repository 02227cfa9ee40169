import { toPort } from '../ports.js';
import type { Knock, Sequence } from '../sequence.js';
import { type Duration, humanDuration, seconds } from '../time.js';
import { portsText } from './iptables.js';
import { type CommandMeaning, meaningOf } from './open-command.js';
import { type Reading, ReadingBuilder, type Verdict } from './reading.js';
import { safeUserName } from './user-name.js';
import { linesOf } from './words.js';

/** A section while it is read. */
interface Section {
  readonly line: number;
  readonly name: string;
  sequence: Sequence | null;
  sequenceLine: number;
  noSequence: string;
  command: CommandMeaning | null;
  timeout: Duration | null;
  stops: boolean;
}

type Finding = readonly [verdict: Verdict, words: string];

/** Settings of the daemon itself, which matter to nobody who knocks. */
const OF_THE_DAEMON = new Set(['usesyslog', 'logfile', 'pidfile', 'interface']);

/** Reads knockd.conf: each section whose command opens to the knocker is a user. No port of a sequence is in any word. */
export function readKnockd(text: string): Reading {
  const out = new ReadingBuilder();
  let section: Section | null = null;
  for (const [index, raw] of linesOf(text).entries()) {
    const [line, trimmed] = [index + 1, raw.trim()];
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const header = /^\[([^\]]*)\]/.exec(trimmed);
    if (header !== null) {
      if (section !== null) finish(section, out);
      section = newSection(line, header[1] ?? '', out);
      continue;
    }
    const [key = '', ...value] = trimmed.split('=');
    const name = key.trim().toLowerCase();
    if (OF_THE_DAEMON.has(name)) out.say(line, 'not_needed', 'a setting of knockd itself');
    else if (section === null) out.say(line, 'not_understood', 'no setting of knockd that is known here');
    else {
      const finding = readSetting(section, name, value.join('=').trim());
      if (finding === null) section.sequenceLine = line;
      else out.say(line, ...finding);
    }
  }
  if (section !== null) finish(section, out);
  return out.done();
}

function newSection(line: number, name: string, out: ReadingBuilder): Section | null {
  if (name.trim().toLowerCase() === 'options') {
    out.say(line, 'not_needed', 'the settings of knockd itself');
    return null;
  }
  const noSequence = 'it has none';
  return { line, name, sequence: null, sequenceLine: 0, noSequence, command: null, timeout: null, stops: false };
}

/** Null where the whole section decides. */
function readSetting(section: Section, name: string, value: string): Finding | null {
  switch (name) {
    case 'sequence':
      section.sequence = readSequence(value);
      section.noSequence = 'it cannot be read';
      return section.sequence === null ? ['not_understood', 'a sequence that cannot be read'] : null;
    case 'one_time_sequences':
      section.noSequence = 'one-time sequences have no counterpart';
      return ['not_taken', 'one-time sequences have no counterpart: the user gets a sequence that stays'];
    case 'seq_timeout':
      return ['not_needed', 'knock.window of the configuration says how long a knock may take'];
    case 'tcpflags':
      return /^(syn|syn,!ack|!ack,syn)$/i.test(value.replace(/\s/g, ''))
        ? ['not_needed', 'a TCP knock is a SYN here, too']
        : ['not_taken', 'a TCP knock is a plain SYN here: a client that sends other flags does not get in'];
    case 'start_command':
    case 'command':
      section.command = meaningOf(value);
      return aboutCommand(section.command);
    case 'start_command_6':
    case 'command_6':
      section.command ??= meaningOf(value);
      return ['not_needed', 'a knock opens for the address that it came from, IPv4 or IPv6'];
    case 'stop_command':
    case 'stop_command_6':
      section.stops = true;
      return ['not_needed', 'the kernel itself closes when the time is over'];
    case 'cmd_timeout':
      if (!/^\d{1,8}$/.test(value)) return ['not_understood', 'a time that cannot be read'];
      section.timeout = seconds(Number(value));
      return ['taken', `it closes after ${humanDuration(section.timeout)}`];
    case 'target':
      return ['not_taken', 'knocks count for every address of this machine'];
    default:
      return ['not_understood', 'no setting of knockd that is known here'];
  }
}

function aboutCommand(meaning: CommandMeaning): Finding {
  if (meaning.does === 'open') return ['taken', `it opens ${portsText(meaning.ports)}`];
  if (meaning.does === 'close') return ['not_needed', 'the kernel itself closes when the time is over'];
  return ['not_understood', 'a command that is no plain call of iptables, nft or ufw to let the knocker in'];
}

function finish(section: Section, out: ReadingBuilder): void {
  const { line, command, sequence, sequenceLine } = section;
  if (sequence !== null) {
    const verdict = command?.does === 'open' ? 'taken' : 'not_needed';
    out.say(sequenceLine, verdict, `a sequence of ${sequence.length} ports; line ${line} says what becomes of it`);
  }
  if (command?.does === 'close')
    out.say(line, 'not_needed', 'it only closes; here the kernel does, when the time is over');
  else if (command?.does !== 'open') {
    out.say(line, 'not_understood', 'what it opens cannot be told, so no user is made: sallyport user add');
  } else {
    const name = safeUserName(section.name, `knockd-${line}`);
    const isTimed = section.stops && section.timeout !== null && section.timeout > 0;
    const ttl = isTimed ? section.timeout : null;
    const noSequence = sequence === null ? section.noSequence : null;
    out.user({ line, name, ports: command.ports, ttl, sequence, noSequence });
  }
}

/** `7000,8000:udp`; TCP where nothing is said. */
function readSequence(text: string): Sequence | null {
  const knocks: Knock[] = [];
  for (const item of text.split(',')) {
    const [, port, protocol = 'tcp'] = /^(\d{1,5})(?::(tcp|udp))?$/i.exec(item.trim()) ?? [];
    if (port === undefined || Number(port) < 1 || Number(port) > 65535) return null;
    knocks.push({ protocol: protocol.toLowerCase() as Knock['protocol'], port: toPort(Number(port)) });
  }
  return knocks;
}
