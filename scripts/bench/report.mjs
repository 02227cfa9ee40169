/** What was measured, as text for people. */
import { styleText } from 'node:util';
import { figure, goalText } from './format.mjs';
import { tally, verdict } from './goals.mjs';

const VERDICTS = {
  met: ['green', 'met'],
  missed: ['red', 'MISSED'],
  unmeasured: ['yellow', 'not measured'],
};

/**
 * @param {{quick: boolean, scenarios: object[]}} result
 * @param {boolean} isColored
 */
export function benchReport({ quick, scenarios }, isColored) {
  const paint = (format, text) => (isColored ? styleText(format, text, { validateStream: false }) : text);
  const figures = scenarios.flatMap((scenario) => scenario.figures ?? []);
  const rows = figures.map((one) => [`  ${one.title}`, figure(one), goalText(one.goal)]);
  const aligned = columns(rows);
  const parts = [];
  for (const { title, figures: own = [], failed } of scenarios) {
    const lines = own.map((one) => {
      const [color, word] = VERDICTS[verdict(one)] ?? [];
      return `${aligned.shift()}${word === undefined ? '' : `   ${paint(color, word)}`}`.trimEnd();
    });
    if (failed !== undefined) lines.push(`  ${paint('red', 'FAILED')}: ${failed}`);
    parts.push([paint('bold', title), ...lines].join('\n'));
  }
  return [...parts, conclusion(scenarios, quick)].join('\n\n');
}

function conclusion(scenarios, quick) {
  const { goals, met, missed, unmeasured } = tally(scenarios);
  const failed = scenarios.filter((scenario) => scenario.failed !== undefined);
  const sentences = [`${met} of ${goals} goals met`];
  if (missed.length > 0) sentences.push(`${missed.length} MISSED`);
  if (unmeasured.length > 0) sentences.push(`${unmeasured.length} not measured`);
  if (failed.length > 0) sentences.push(`${failed.length} of ${scenarios.length} scenarios FAILED`);
  return `${sentences.join(', ')}.${quick ? ' A quick run: its figures are not to be quoted.' : ''}`;
}

/** The first column aligned to the left, the others to the right. */
function columns(rows) {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  return rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('   '),
  );
}
