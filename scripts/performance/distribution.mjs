/** Every sample as a dot, a row for each series; the box holds the middle half, its thick line is the median. */
import { number, withUnit } from '../bench/format.mjs';
import { quantile } from '../bench/statistics.mjs';
import { scaleOf } from './scale.mjs';
import { element, line, ofSeries, picture, TOP, text, WIDTH, widthOf } from './svg.mjs';

const ROW = 84;
const RIGHT = 30;
const BOX = 26;
const BELOW = 52;
const SMALL = 11;

/** @param {import('../bench/scenarios.mjs').Plot} plot */
export function distribution({ title, unit, log = false, series }) {
  const names = series.map(({ name }) => widthOf(name, { isStrong: true }));
  const left = 36 + Math.max(...names, widthOf(samplesOf(series[0].values)));
  const bottom = TOP + 6 + ROW * series.length;
  const { place, ticks } = scaleOf(
    series.flatMap(({ values }) => values),
    { log, from: left, to: WIDTH - RIGHT },
  );
  const content = ticks.flatMap((tick) => [
    line(tick.place, TOP, tick.place, bottom, 'grid'),
    text(tick.place, bottom + 18, tick.label, { className: 'soft', anchor: 'middle' }),
  ]);
  content.push(
    text((left + WIDTH - RIGHT) / 2, bottom + 38, `${unit}${log ? ', logarithmic scale' : ''}`, {
      className: 'soft',
      anchor: 'middle',
    }),
  );
  for (const [index, one] of series.entries()) content.push(...row(one, index, { left, place, unit }));
  const description = series.map((one) => `${one.name}: ${told(one.values, unit)}`).join('. ');
  return picture({ title, description: `${description}.`, height: bottom + BELOW, content });
}

function row({ name, values }, index, { left, place, unit }) {
  const middle = TOP + 6 + ROW * index + 42;
  const [low, median, high, p99] = [0.25, 0.5, 0.75, 0.99].map((share) => quantile(values, share));
  const [from, at, to, far] = [low, median, high, p99].map(place);
  const words = `median ${withUnit(number(median), unit)}`;
  const farWords = `99 % within ${withUnit(number(p99), unit)}`;
  return [
    text(left - 16, middle - 2, name, { className: `${ofSeries('fill', index)} strong`, anchor: 'end' }),
    text(left - 16, middle + 15, samplesOf(values), { className: 'soft', anchor: 'end', size: SMALL }),
    element('path', { class: ofSeries('dots', index), d: dots(values, place, middle) }),
    element('rect', {
      class: ofSeries('line', index),
      x: from,
      y: middle - BOX / 2,
      width: Math.max(1, to - from),
      height: BOX,
      rx: 3,
    }),
    element('rect', { class: ofSeries('fill', index), x: at - 2, y: middle - BOX / 2 - 3, width: 4, height: BOX + 6 }),
    line(far, middle - BOX / 2 + 3, far, middle + BOX / 2 - 3, ofSeries('line', index)),
    text(within(at, widthOf(words, { isStrong: true }), left), middle - 22, words, {
      className: 'ink strong halo',
      anchor: 'middle',
    }),
    text(within(far, widthOf(farWords, { size: SMALL }), left), middle + 28, farWords, {
      className: 'soft',
      anchor: 'middle',
      size: SMALL,
    }),
  ];
}

/** Off the middle by turns, by a fixed pattern, so that dots do not hide each other and the file is always the same. */
function dots(values, place, middle) {
  return values
    .map((value, i) => `M${place(value).toFixed(1)} ${(middle + (((i * 7) % 15) - 7) * 1.2).toFixed(1)}h0`)
    .join('');
}

function samplesOf(values) {
  return `${number(values.length)} samples`;
}

function told(values, unit) {
  const [median, p99] = [0.5, 0.99].map((share) => withUnit(number(quantile(values, share)), unit));
  return `median ${median}, 99th percentile ${p99}`;
}

/** Where the middle of a text must be for the text to stay beside the names and in the picture. */
function within(middle, width, left) {
  return Math.max(left + width / 2, Math.min(middle, WIDTH - 10 - width / 2));
}
