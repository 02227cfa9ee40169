import type { JournalView } from '../../control/contract/views.js';
import { clean, list } from '../text.js';
import { moment } from './access.js';
import { pad } from './table.js';
import type { Format, Terminal } from './terminal.js';

/** By the last word of an event's name. */
const COLORS: Readonly<Record<string, Format>> = {
  opened: 'green',
  renewed: 'green',
  added: 'green',
  enabled: 'green',
  confirmed: 'green',
  refused: 'red',
  ignored: 'red',
  repaired: 'red',
  reverted: 'red',
  evicted: 'yellow',
  shared: 'yellow',
  revoked: 'yellow',
  removed: 'yellow',
  disabled: 'yellow',
  stepped: 'yellow',
  provisional: 'yellow',
};

/** One event as a line: when, what, who, and the rest. Widths are fixed, since events come one by one. */
export function journalLine(terminal: Terminal, event: JournalView): string {
  const color = event.event === 'firewall.opened' ? 'red' : COLORS[event.event.split('.').pop() ?? ''];
  const name = pad(clean(event.event), 20);
  const rest = [
    ...(event.method === null ? [] : [clean(event.method)]),
    ...(event.services === null ? [] : [list(event.services)]),
    ...(event.detail === null ? [] : [clean(event.detail)]),
    ...(event.grant === null ? [] : [terminal.paint('dim', clean(event.grant))]),
  ];
  return [
    terminal.paint('dim', moment(event.at)),
    color === undefined ? name : terminal.paint(color, name),
    pad(clean(event.address ?? '-'), 15),
    pad(clean(event.user ?? '-'), 10),
    rest.join('  '),
  ]
    .join('  ')
    .trimEnd();
}
