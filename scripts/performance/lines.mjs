/** Values along something that grows; each line is named at its end. */
import { number, withUnit } from '../bench/format.mjs';
import { scaleOf } from './scale.mjs';
import { element, line, ofSeries, picture, TOP, text, WIDTH, widthOf, wrapped } from './svg.mjs';

const HEIGHT = 380;
const BOTTOM = HEIGHT - 58;
const PLOT_TOP = TOP + 26;
/** Beyond so many points a mark for each says nothing. */
const MOST_MARKS = 30;
const MOST_LABELS = 8;
const NAME_STEP = 16;
const NAME_GAP = 4;
/** Characters of a line of a name. */
const NAME_WIDTH = 18;

/** @param {import('../bench/scenarios.mjs').Plot} plot */
export function lines({ title, unit, log = false, series, labels, across = '' }) {
  const all = series.flatMap(({ values }) => values);
  const { place, ticks } = scaleOf(all, { log, from: BOTTOM, to: PLOT_TOP });
  const left = 32 + Math.max(...ticks.map(({ label }) => widthOf(label)));
  const ownNames = series.map(({ name }) => wrapped(name, NAME_WIDTH));
  const right = WIDTH - 28 - Math.max(...ownNames.flat().map((one) => widthOf(one, { isStrong: true })));
  const count = Math.max(...series.map(({ values }) => values.length));
  const along = (i) => (count === 1 ? (left + right) / 2 : left + ((right - left) * i) / (count - 1));
  const names = labels ?? Array.from({ length: count }, (_, i) => String(i + 1));
  const content = ticks.flatMap((tick) => [
    line(left, tick.place, right, tick.place, 'grid'),
    text(left - 10, tick.place + 4, tick.label, { className: 'soft', anchor: 'end' }),
  ]);
  content.push(text(20, TOP + 6, `${unit}${log ? ', logarithmic scale' : ''}`, { className: 'soft' }));
  for (const i of chosen(count))
    content.push(text(along(i), BOTTOM + 20, names[i], { className: 'soft', anchor: 'middle' }));
  if (across !== '')
    content.push(text((left + right) / 2, BOTTOM + 42, across, { className: 'soft', anchor: 'middle' }));
  for (const [index, { values }] of series.entries()) {
    const points = values.map((value, i) => `${along(i).toFixed(1)} ${place(value).toFixed(1)}`);
    content.push(
      element('path', { class: ofSeries('line', index), 'stroke-linejoin': 'round', d: `M${points.join('L')}` }),
    );
    if (values.length <= MOST_MARKS)
      for (const [i, value] of values.entries())
        content.push(element('circle', { class: ofSeries('fill', index), cx: along(i), cy: place(value), r: 3.5 }));
  }
  const tops = apart(
    series.map(({ values }, i) => ({ middle: place(values.at(-1)), height: ownNames[i].length * NAME_STEP })),
  );
  for (const [index, ownLines] of ownNames.entries())
    for (const [row, words] of ownLines.entries()) {
      const baseline = tops[index] + row * NAME_STEP + 13;
      content.push(text(right + 10, baseline, words, { className: `${ofSeries('fill', index)} strong` }));
    }
  return picture({ title, description: description(series, unit), height: HEIGHT, content });
}

/** Which of so many labels there is room for, evenly from the first on. */
function chosen(count) {
  const least = count / MOST_LABELS;
  const magnitude = 10 ** Math.max(0, Math.floor(Math.log10(least)));
  const step = [1, 2, 5, 10].map((one) => one * magnitude).find((one) => one >= least);
  return Array.from({ length: Math.ceil(count / step) }, (_, i) => i * step);
}

/** The tops of blocks whose middles would be at given heights, moved so that none is over another or out of the plot. */
function apart(blocks) {
  const order = blocks.map((block, index) => ({ ...block, index })).sort((a, b) => a.middle - b.middle);
  let least = TOP;
  for (const block of order) {
    block.top = Math.max(block.middle - block.height / 2, least);
    least = block.top + block.height + NAME_GAP;
  }
  let most = BOTTOM + NAME_STEP / 2;
  for (const block of order.toReversed()) {
    block.top = Math.min(block.top, most - block.height);
    most = block.top - NAME_GAP;
  }
  return order.sort((a, b) => a.index - b.index).map(({ top }) => top);
}

function description(series, unit) {
  const told = ({ name, values }) =>
    `${name}: from ${withUnit(number(values[0]), unit)} to ${withUnit(number(values.at(-1)), unit)}, ` +
    `at most ${withUnit(number(Math.max(...values)), unit)}`;
  return `${series.map(told).join('. ')}.`;
}
