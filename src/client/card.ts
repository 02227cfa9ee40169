import type { Sequence } from '../core/sequence.js';
import type { Approval } from '../core/user.js';
import {
  bashSnippet,
  debianKnockCommand,
  HOST_PLACEHOLDER,
  pairCommand,
  powershellSnippet,
  sallyportCommand,
  snippetHost,
} from './snippets.js';
import { paint } from './terminal.js';

/** What a user needs to know to get in. All of it is secret. */
export interface Card {
  readonly user: string;
  /** Where to knock; a placeholder is printed for what is not a valid address or name. */
  readonly host: string;
  readonly sequence: Sequence;
  /** What the knock opens, for people: `ssh, web`. */
  readonly services: string;
  /** For how long, for people: `1h`. */
  readonly ttl: string;
  /** Whose yes a knock takes before it opens; `none` where it is left out. */
  readonly approval?: Approval;
  /** A TCP port that the knock opens, such as `tcp/22`, by which the client sees that it worked. */
  readonly waitPort?: string;
  /** What to call to confirm a pairing code, where this user can. */
  readonly extension?: string;
}

export interface CardStyle {
  readonly color: boolean;
  /** Columns of the terminal. Commands are never broken, so that they can be copied. */
  readonly width: number;
}

const AFTER: Readonly<Record<Approval, string>> = {
  none: 'after each knock; knock again to go on',
  phone: 'after a knock and your yes: call, choose 2, and confirm within five minutes',
  callback: 'after a knock and your yes: your telephone rings',
};

const NARROWEST = 40;
const WIDEST = 100;

/** The card that a user is handed once: what it opens, and how to knock with what one has. Ends in a line break. */
export function renderCard(card: Card, style: CardStyle): string {
  const { bold, dim, yellow } = paint(style.color);
  const width = Math.min(Math.max(style.width, NARROWEST), WIDEST);
  const host = snippetHost(card.host);
  const [user, services, ttl] = [card.user, card.services, card.ttl].map(oneLine);

  const prose = (text: string, indent = '') => wrap(text, width - indent.length).map((line) => indent + line);
  const field = (name: string, text: string) => `  ${dim(name.padEnd(9))} ${text}`;
  const code = (text: string) => text.split('\n').map((line) => `  ${line}`);
  const section = (title: string, lines: readonly string[]) => ['', bold(title), ...lines];

  const knocks = card.sequence.map(({ protocol, port }, i) => `${i + 1}. ${protocol} ${port}`);
  const inWords = card.sequence.map(({ protocol, port }) => `${port} ${protocol.toUpperCase()}`).join(', then ');

  return [
    bold(`The secret knock of ${user}`),
    ...prose('This card is a secret: whoever has it gets in as you. Keep it like a password.').map(yellow),
    '',
    field('opens', `${services}, for ${ttl} ${AFTER[card.approval ?? 'none']}`),
    field('server', host),
    ...knocks.map((text, i) => field(i === 0 ? 'knock' : '', text)),
    ...(host === HOST_PLACEHOLDER
      ? ['', ...prose(`Put the name or address of the server where this card says ${HOST_PLACEHOLDER}.`)]
      : []),
    ...section('From a laptop, with sallyport', [
      ...code(sallyportCommand(host, card.sequence, card.waitPort)),
      ...prose('(sallyport knock --help says how to keep the ports out of the list of processes.)', '  ').map(dim),
    ]),
    ...(card.extension === undefined
      ? []
      : section('From a laptop and a telephone, so that nothing opens without your PIN', [
          ...code(pairCommand(host, card.sequence, card.extension, card.waitPort)),
          ...prose(`(Then call ${oneLine(card.extension)}, choose 2, and type the code that it shows.)`, '  ').map(dim),
        ])),
    ...section("With Debian's knock (apt install knockd)", code(debianKnockCommand(host, card.sequence))),
    ...section('From a phone, with any port-knocking app', [
      field('host', host),
      field('ports', `${inWords}; in this order`),
      field('delay', '200 ms or more between two packets; their content does not matter'),
    ]),
    ...section('With nothing but bash, on Linux', code(bashSnippet(host, card.sequence))),
    ...section('With PowerShell, on Windows', code(powershellSnippet(host, card.sequence))),
    ...section(
      'What to know',
      [
        'The packets must arrive in this order. If one is lost on the way, simply knock again.',
        'It opens for the address that the server sees you come from. Whoever shares that address with you, such as everyone behind the same router, gets in with you for that time.',
        'Anyone who can watch the network can copy these packets and send them again: a knock like this hides the door, but is no lock. Keep strong keys or passwords on what is behind it.',
        'If someone else may have seen this card, ask for new ports.',
      ].flatMap((text) => prose(text, '    ').map((line, i) => (i === 0 ? line.replace('    ', '  - ') : line))),
    ),
    '',
  ].join('\n');
}

/** Breaks text at blanks into lines of at most `width` columns, where the words allow it. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  return line === '' ? lines : [...lines, line];
}

/** No escape sequence and no line break comes in with a name. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, '?');
}
