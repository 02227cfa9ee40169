import { type PortRange, type Protocol, toPort } from '../ports.js';

/** The lines of a file, whatever ends them. */
export function linesOf(text: string): string[] {
  return text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/);
}

/**
 * The words of a line as iptables-restore and a shell read it: blanks part them, quotes hold them together, a backslash takes
 * the next character as it is, and # in front of a word ends the line. Undefined where a quote stays open. Nothing is expanded.
 */
export function wordsOf(line: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let i = 0; i < line.length; i++) {
    const char = line.charAt(i);
    if (quote !== '') {
      if (char === quote) quote = '';
      else if (char === '\\' && quote === '"') word += line.charAt(++i);
      else word += char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= '';
    } else if (char === ' ' || char === '\t') {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (char === '#' && word === undefined) {
      break;
    } else {
      word = `${word ?? ''}${char === '\\' ? line.charAt(++i) : char}`;
    }
  }
  if (quote !== '') return undefined;
  if (word !== undefined) words.push(word);
  return words;
}

/** Ports by name, as iptables without -n and people write them. */
const NAMED: Readonly<Record<string, number>> = {
  ftp: 21,
  ssh: 22,
  telnet: 23,
  smtp: 25,
  domain: 53,
  bootps: 67,
  bootpc: 68,
  tftp: 69,
  http: 80,
  www: 80,
  ntp: 123,
  imap2: 143,
  https: 443,
  submission: 587,
  imaps: 993,
  iax: 4569,
  sip: 5060,
  'sip-tls': 5061,
};

/** Reads `5060,5061,10000:20000` for a protocol; undefined where a part is no port. */
export function readPorts(text: string, protocol: Protocol, separator = ':'): PortRange[] | undefined {
  try {
    return text.split(',').map((item) => {
      const [first = '', last = first, ...more] = item.trim().split(separator);
      if (more.length > 0) throw new Error('more than a range');
      const range = { protocol, first: port(first, 1), last: port(last, 65535) };
      if (range.first > range.last) throw new Error('backwards');
      return range;
    });
  } catch {
    return undefined;
  }
}

/** An end of a range that is left out is the end of all ports; 0 is written for the first. */
function port(text: string, open: number) {
  if (text === '' || (text === '0' && open === 1)) return toPort(open);
  return toPort(Object.hasOwn(NAMED, text) ? (NAMED[text] ?? text) : text);
}

/** Text of a file, as part of one of our lines: short, and nothing that steers a terminal. */
export function shown(text: string, longest = 60): string {
  const clean = text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '?');
  return clean.length > longest ? `${clean.slice(0, longest - 1)}…` : clean;
}
