/** Values along something that grows; each line is named at its end. */
import { number, withUnit } from '../bench/format.mjs';
import { scaleOf } from './scale.mjs';
import { element, line, ofSeries, picture, TOP, text, WIDTH, widthOf } from './svg.mjs';

const HEIGHT = 380;
const BOTTOM = HEIGHT - 58;
const PLOT_TOP = TOP + 26;
/** Beyond so many points a mark for each says nothing. */
const MOST_MARKS = 30;
const MOST_LABELS = 8;
const NAME_STEP = 17;

/** @param {import('../bench/scenarios.mjs').Plot} plot */
export function lines({ title, unit, log = false, series, labels, across = '' }) {
  const all = series.flatMap(({ values }) => values);
  const { place, ticks } = scaleOf(all, { log, from: BOTTOM, to: PLOT_TOP });
  const left = 32 + Math.max(...ticks.map(({ label }) => widthOf(label)));
  const right = WIDTH - 28 - Math.max(...series.map(({ name }) => widthOf(name, { isStrong: true })));
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
  const heights = apart(series.map(({ values }) => place(values.at(-1))));
  for (const [index, { name }] of series.entries())
    content.push(text(right + 10, heights[index] + 4, name, { className: `${ofSeries('fill', index)} strong` }));
  return picture({ title, description: description(series, unit), height: HEIGHT, content });
}

/** Which of so many labels there is room for, evenly from the first on. */
function chosen(count) {
  const least = count / MOST_LABELS;
  const magnitude = 10 ** Math.max(0, Math.floor(Math.log10(least)));
  const step = [1, 2, 5, 10].map((one) => one * magnitude).find((one) => one >= least);
  return Array.from({ length: Math.ceil(count / step) }, (_, i) => i * step);
}

/** Heights for names, near the wanted ones and not over each other. */
function apart(wanted) {
  const order = wanted.map((height, index) => ({ height, index })).sort((a, b) => a.height - b.height);
  for (let i = 1; i < order.length; i++) order[i].height = Math.max(order[i].height, order[i - 1].height + NAME_STEP);
  for (let i = order.length - 1, most = BOTTOM; i >= 0; i--, most = order[i + 1].height - NAME_STEP)
    order[i].height = Math.min(order[i].height, most);
  const heights = [];
  for (const { height, index } of order) heights[index] = height;
  return heights;
}

function description(series, unit) {
  const told = ({ name, values }) =>
    `${name}: from ${withUnit(number(values[0]), unit)} to ${withUnit(number(values.at(-1)), unit)}, ` +
    `at most ${withUnit(number(Math.max(...values)), unit)}`;
  return `${series.map(told).join('. ')}.`;
}
