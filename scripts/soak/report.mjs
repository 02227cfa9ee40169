/** What a soak found, as text for people. */
import { styleText } from 'node:util';

/** Whether a figure is as good as it has to be; without a goal it always is. */
export function isMet({ value, goal = {} }) {
  return !(goal.most !== undefined && !(value <= goal.most)) && !(goal.least !== undefined && !(value >= goal.least));
}

export function soakReport(results, isColored) {
  const paint = (format, text) => (isColored ? styleText(format, text, { validateStream: false }) : text);
  return results.map((result) => section(result, paint)).join('\n\n');
}

function section({ title, figures, notes, failed }, paint) {
  const rows = figures.map((figure) => [figure.title, `${shown(figure.value)} ${figure.unit}`.trim(), goalOf(figure)]);
  const widths = [0, 1].map((i) => Math.max(0, ...rows.map((row) => row[i].length)));
  const lines = rows.map(([name, value, goal], i) => {
    const line = `${name.padEnd(widths[0])}   ${value.padStart(widths[1])}   ${goal}`.trimEnd();
    return isMet(figures[i]) ? line : paint('red', line);
  });
  const end = failed === undefined ? [] : [paint('red', `FAILED: ${failed}`)];
  return [paint('bold', title), '', ...lines, ...notes.map((note) => paint('dim', note)), ...end].join('\n');
}

function goalOf(figure) {
  const { most, least } = figure.goal ?? {};
  if (most === undefined && least === undefined) return '';
  const goal = most === undefined ? `at least ${shown(least)}` : `at most ${shown(most)}`;
  return `${goal}: ${isMet(figure) ? 'met' : 'MISSED'}`;
}

function shown(value) {
  if (typeof value !== 'number' || !Number.isFinite(value)) return '-';
  return Number.isInteger(value) ? String(value) : value.toFixed(Math.abs(value) < 1 ? 3 : 1);
}
