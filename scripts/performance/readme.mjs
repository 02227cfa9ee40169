/** The block of README that carries the measured comparison. */
import { figure, number } from '../bench/format.mjs';
import { tally } from '../bench/goals.mjs';
import { SetupError } from '../lib/run.mjs';
import { machineOf, shortfall } from './page.mjs';

const BEGIN = '<!-- performance:begin -->';
const END = '<!-- performance:end -->';

const PEERS = [
  { id: 'knockd', name: 'knockd 0.8' },
  { id: 'fwknopd', name: 'fwknopd 2.6, as Debian sets it' },
];

/** README with the block made anew; what is around it stays. */
export function withTable(readme, performance) {
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (begin === -1 || end < begin)
    throw new SetupError(`README.md has no ${BEGIN} … ${END}`, 'Put both lines back where the figures belong');
  return `${readme.slice(0, begin + BEGIN.length)}\n${blockOf(performance)}\n${readme.slice(end)}`;
}

function blockOf({ host, scenarios }) {
  const opening = scenarios.find(({ id }) => id === 'opening');
  return [...(opening === undefined ? [] : [comparison(opening)]), conclusion(host, scenarios)].join('\n\n');
}

function comparison({ figures }) {
  const of = (id) => figures.find((one) => one.id === id);
  const shown = (id) => (of(id) === undefined ? '-' : figure(of(id)));
  const rows = [['Sallyport', shown('sallyport-median'), shown('sallyport-p99'), '']];
  for (const { id, name } of PEERS) {
    const ratio = of(`${id}-ratio`)?.value ?? null;
    rows.push([name, shown(`${id}-median`), shown(`${id}-p99`), ratio === null ? '' : `${number(ratio)} times ours`]);
  }
  return [
    ['From the last packet to the open port', 'median', '99th percentile', ''],
    ['---', '--:', '--:', '---'],
    ...rows,
  ]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
}

function conclusion(host, scenarios) {
  const { goals, met, missed } = tally(scenarios);
  const lines = [
    'Measured by `npm run bench`, side by side in one run, on this machine:',
    `${machineOf(host)}.`,
    `Goals met: ${met} of ${goals}; all figures, with plots: [docs/performance.md](docs/performance.md).`,
  ];
  if (missed.length > 0) lines.push('');
  for (const one of missed) lines.push(`- Missed: ${one.title}: ${figure(one)}; ${shortfall(one)}.`);
  return lines.join('\n');
}
