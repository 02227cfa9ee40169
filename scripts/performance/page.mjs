/** docs/performance.md. */
import { figure, goalText, number } from '../bench/format.mjs';
import { tally, verdict } from '../bench/goals.mjs';

const WORDS = { met: 'met', missed: '**missed**', unmeasured: 'not measured' };

/** Where a plot lies, relative to docs. */
export function plotFile({ id }, plot) {
  return `performance/${id}-${plot.id}.svg`;
}

/** @param {{host: object, scenarios: object[]}} performance */
export function pageOf({ host, scenarios }) {
  const sections = [
    '<!-- Written by scripts/generate-performance-docs.mjs from docs/performance.json. -->',
    '# Performance',
    opening(host),
    summary(scenarios),
    ...scenarios.map(section),
  ];
  return `${sections.join('\n\n')}\n`;
}

/** The machine, in words. */
export function machineOf({ cpus, cpu, memory, kernel, node }) {
  return `${cpus} × ${cpu}, ${memory} of memory, Linux ${kernel}, Node ${node.replace(/^v/, '')}`;
}

function opening(host) {
  return [
    'Measured by `npm run bench -- --keep` (as root; it works in network namespaces of its own) on this machine:',
    `${machineOf(host)}.`,
    'Another machine gives other figures; the ratios are of what ran side by side, by turns, in one run.',
  ].join('\n');
}

function summary(scenarios) {
  const { goals, met, missed, unmeasured } = tally(scenarios);
  const lines = [`**Goals met: ${met} of ${goals}.**${missed.length > 0 ? ' Missed:\n' : ''}`];
  for (const one of missed)
    lines.push(`- ${one.title}: ${figure(one)}; ${shortfall(one)}.${one.why ? ` ${one.why}` : ''}`);
  if (unmeasured.length > 0) lines.push('', `Not measured: ${unmeasured.map(({ title }) => title).join('; ')}.`);
  return lines.join('\n');
}

/** By how much a goal is missed. */
export function shortfall({ value, goal }) {
  const isShort = goal.least !== undefined && value < goal.least;
  const bound = isShort ? goal.least : goal.most;
  const words = `the goal is ${goalText(goal)}`;
  if (bound === 0) return words;
  return isShort
    ? `${words}, and this is ${number((100 * value) / bound)} % of it`
    : `${words}, and this is ${number(value / bound)} times it`;
}

function section(scenario) {
  const { title, figures, notes, plots, at } = scenario;
  const parts = [`## ${title}`];
  for (const plot of plots) parts.push(`![${escaped(plot.title)}](${plotFile(scenario, plot)})`);
  parts.push(table(figures));
  if (notes.length > 0) parts.push(notes.map((note) => `- ${note}`).join('\n'));
  parts.push(`Measured on ${at.slice(0, 10)}.`);
  return parts.join('\n\n');
}

function table(figures) {
  const rows = figures.map((one) => {
    const compared = one.compared === undefined ? '' : ` (${escaped(one.compared)})`;
    return [`${escaped(one.title)}${compared}`, figure(one), goalText(one.goal), WORDS[verdict(one)] ?? ''];
  });
  return [['', 'measured', 'goal', ''], ['---', '--:', '--:', '---'], ...rows]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
}

/** What Markdown would take as markup is escaped. */
function escaped(words) {
  return words.replace(/[<*_`|[\]]/g, (found) => `\\${found}`);
}
