import type { ClaimView, PartView, StatusView, StrikesView } from '../../control/contract/views.js';
import { clean, count } from '../text.js';
import { grantTable, moment, remaining, WAITS_FOR } from './access.js';
import { columns } from './table.js';
import type { Format, Terminal } from './terminal.js';

export type Tone = 'good' | 'warn' | 'bad';

export interface Verdict {
  readonly tone: Tone;
  readonly text: string;
  /** What to do next, where there is something. */
  readonly next?: string;
}

const COLORS: Readonly<Record<Tone, Format>> = { good: 'green', warn: 'yellow', bad: 'red' };
const MARKS: Readonly<Record<Tone, string>> = { good: '✔', warn: '!', bad: '✖' };
const MOST_ROWS = 40;
const MOST_IGNORED = 10;
const MOST_CLAIMS = 10;

/** How it stands, in one line. */
export function verdict(status: StatusView): Verdict {
  const { firewall } = status.parts;
  const addresses = new Set(status.grants.map(({ address }) => address)).size;
  const inside = addresses === 0 ? 'nobody is in' : `${count(addresses, 'address', 'addresses')} in`;
  const guarding = firewall.policy === 'lockdown' ? 'guarding everything' : 'guarding';
  const reason = firewall.detail === undefined ? '' : `: ${clean(firewall.detail)}`;
  switch (firewall.state) {
    case 'provisional': {
      const then = firewall.reverts_to === 'previous' ? 'back to the previous rules' : 'opens again';
      const left = firewall.reverts_in_s === undefined ? '' : `, ${then} in ${remaining(firewall.reverts_in_s)}`;
      return {
        tone: 'warn',
        text: `${guarding} for now${left}; ${inside}`,
        next: 'keep it: sallyport firewall confirm',
      };
    }
    case 'reverted':
      return {
        tone: 'bad',
        text: 'open: the provisional guard was not confirmed and took itself down',
        next: 'put it up again: sallyport firewall apply',
      };
    case 'open':
      return { tone: 'bad', text: `open: nothing is guarded${reason}`, next: 'guard again: sallyport firewall apply' };
    case 'waiting':
      return { tone: 'bad', text: `open for now${reason}` };
    case 'none':
      return { tone: 'bad', text: `NOT GUARDING${reason}; ${inside}` };
    case 'failed':
      return { tone: 'bad', text: `the guard failed${reason}` };
    case 'guarding': {
      const broken = partsOf(status).filter(([, part]) => toneOf(part) === 'bad');
      if (broken.length > 0) {
        return {
          tone: 'warn',
          text: `${guarding}, but not all is well: ${broken.map(([name]) => clean(name)).join(', ')}`,
        };
      }
      if (!status.ready) return { tone: 'warn', text: `starting; ${inside}` };
      return { tone: 'good', text: `${guarding}; ${inside}` };
    }
    default:
      return { tone: 'warn', text: `the guard is ${clean(firewall.state)}${reason}; ${inside}` };
  }
}

export async function renderStatus(terminal: Terminal, status: StatusView): Promise<string> {
  const { tone, text, next } = verdict(status);
  const blocks: string[] = [];
  const mark = terminal.fancy ? `${terminal.paint(COLORS[tone], '●')} ` : '';
  blocks.push(mark + terminal.paint(['bold', COLORS[tone]] as Format, text) + (next === undefined ? '' : `\n${next}`));
  blocks.push(columns(partsOf(status).map(([name, part]) => partRow(terminal, name, part))));
  if (status.grants.length > 0) {
    const shown = [...status.grants].sort((a, b) => a.remaining_s - b.remaining_s).slice(0, MOST_ROWS);
    const more = status.grants.length - shown.length;
    const rest = more > 0 ? `\nand ${count(more, 'grant', 'grants')} more: sallyport list` : '';
    blocks.push((await grantTable(terminal, shown)) + rest);
  }
  if (status.claims.length > 0) blocks.push(claimsBlock(terminal, status.claims));
  if (status.strikes !== null) blocks.push(...strikesBlock(terminal, status.strikes));
  if (status.notices.length > 0) {
    blocks.push(status.notices.map((notice) => `${terminal.paint('yellow', '!')} ${clean(notice)}`).join('\n'));
  }
  const facts = [
    count(status.users, 'user', 'users'),
    count(status.entries, 'entry that stays', 'entries that stay'),
    ...(status.strikes === null ? ['strikes off'] : []),
    `version ${clean(status.version)}`,
    `since ${moment(status.started_at)}`,
  ];
  blocks.push(terminal.paint('dim', facts.join(' · ')));
  return blocks.join('\n\n');
}

/** Who asks to be let in. */
function claimsBlock(terminal: Terminal, claims: readonly ClaimView[]): string {
  const shown = claims.slice(0, MOST_CLAIMS);
  const rest = claims.length > shown.length ? [`and ${(claims.length - shown.length).toLocaleString('en')} more`] : [];
  const rows = shown.map(({ address, user, waits_for, remaining_s }) => [
    `  ${clean(address)}`,
    clean(user),
    `waits for ${WAITS_FOR[waits_for]}`,
    `${remaining(remaining_s)} left`,
  ]);
  const head = `${count(claims.length, 'address waits', 'addresses wait')} for a yes:`;
  return [terminal.paint('yellow', head), columns(rows), ...rest].join('\n');
}

/** Whose knocks are ignored; nothing where nobody's are. */
function strikesBlock(terminal: Terminal, { ignored_count, ignored }: StrikesView): string[] {
  if (ignored_count === null) return ['Whose knocks are ignored cannot be read.'];
  if (ignored_count === 0) return [];
  const shown = ignored.slice(0, MOST_IGNORED);
  const who = count(ignored_count, 'source is', 'sources are');
  const rest = ignored_count > shown.length ? [`and ${(ignored_count - shown.length).toLocaleString('en')} more`] : [];
  const rows = shown.map(({ address, remaining_s }) => [`  ${clean(address)}`, `${remaining(remaining_s)} left`]);
  return [
    [
      terminal.paint('yellow', `${who} ignored for wrong packets (sallyport allow ADDRESS ends it):`),
      columns(rows),
      ...rest,
    ].join('\n'),
  ];
}

function partsOf({ parts }: StatusView): [name: string, part: PartView][] {
  return Object.entries(parts).flatMap(([name, part]) => (part === undefined ? [] : [[name, part]]));
}

function partRow(terminal: Terminal, name: string, part: PartView): string[] {
  const tone = toneOf(part);
  return [
    ...(terminal.fancy ? [terminal.paint(COLORS[tone], MARKS[tone])] : []),
    clean(name),
    terminal.paint(COLORS[tone], clean(part.state)),
    terminal.paint('dim', clean(part.detail ?? '')),
  ];
}

const BAD = new Set([
  'failed',
  'reverted',
  'open',
  'waiting',
  'down',
  'error',
  'stopped',
  'failing',
  'none',
  'refused',
  'unreachable',
]);
const WARN = new Set(['provisional', 'degraded', 'starting', 'off', 'polling', 'connecting']);

function toneOf({ state }: PartView): Tone {
  return BAD.has(state) ? 'bad' : WARN.has(state) ? 'warn' : 'good';
}
