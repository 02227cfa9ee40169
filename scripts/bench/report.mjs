/** What a measurement found, as text for people. */
import { styleText } from 'node:util';

const TITLE = 'From the last packet of a knock to the port open, in milliseconds';

export function openingReport(opening, isColored) {
  const paint = (format, text) => (isColored ? styleText(format, text, { validateStream: false }) : text);
  const { sallyport, firstAfterStart, knockd, floor, resolution, ratios } = opening;
  const rows = [
    ['Sallyport', sallyport],
    ['  of these, the first after a start', firstAfterStart],
    ...(knockd ? [[`knockd (${knockd.opensBy})`, knockd]] : []),
    ['floor: the port is open already', floor],
  ].map(([name, { n, lost, median, p99, max }]) => [name, n, lost, ...[median, p99, max].map(ms)].map(String));
  const head = ['', 'knocks', 'lost', 'median', 'p99', 'longest'];
  const [first, ...others] = columns([head, ...rows]);
  const verdicts = ratios
    ? [
        `knockd's median is ${ratios.median.toFixed(1)} times ours; our p99 is ${ratios.p99ToMedian.toFixed(2)} of knockd's median.`,
      ]
    : [`knockd was not measured: ${opening.knockdMissing}.`];
  verdicts.push(
    `The moment of opening is known to ${ms(resolution.median)} ms (median), ${ms(resolution.p99)} ms (p99).`,
  );
  return [paint('bold', TITLE), '', paint('dim', first), ...others, '', ...verdicts].join('\n');
}

function ms(value) {
  return value === undefined ? '-' : value.toFixed(value < 0.1 ? 3 : 2);
}

/** The first column aligned to the left, the others to the right. */
function columns(rows) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  return rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('   '),
  );
}
