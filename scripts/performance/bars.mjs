/** A bar for each value, with the value at its end; where there are several labels, the bars of one stand together. */
import { number, withUnit } from '../bench/format.mjs';
import { scaleOf } from './scale.mjs';
import { element, line, ofSeries, picture, TOP, text, WIDTH, widthOf } from './svg.mjs';

const BAR = 22;
const STEP = 30;
const HEADING = 26;
const RIGHT = 110;
const BELOW = 52;

/** @param {import('../bench/scenarios.mjs').Plot} plot */
export function bars({ title, unit, log = false, series, labels }) {
  const groups = groupsOf(series, labels);
  const rows = groups.flatMap(({ rows: own }) => own);
  const left = 36 + Math.max(...rows.map(({ name }) => widthOf(name)));
  const { place, ticks } = scaleOf(
    rows.map(({ value }) => value),
    { log, from: left, to: WIDTH - RIGHT },
  );
  const drawn = [];
  let y = TOP + 8;
  for (const { name, rows: own } of groups) {
    if (name !== undefined) {
      drawn.push(text(20, y + 15, name, { className: 'ink strong halo' }));
      y += HEADING;
    }
    for (const one of own) {
      drawn.push(...bar(one, y, { left, place, log, unit }));
      y += STEP;
    }
    y += 6;
  }
  const grid = ticks.flatMap((tick) => [
    line(tick.place, TOP, tick.place, y, 'grid'),
    text(tick.place, y + 18, tick.label, { className: 'soft', anchor: 'middle' }),
  ]);
  const axis = text((left + WIDTH - RIGHT) / 2, y + 38, `${unit}${log ? ', logarithmic scale' : ''}`, {
    className: 'soft',
    anchor: 'middle',
  });
  const description = groups
    .map(({ name, rows: own }) => {
      const told = own.map((one) => `${one.name} ${withUnit(number(one.value), unit)}`).join(', ');
      return name === undefined ? told : `${name}: ${told}`;
    })
    .join('. ');
  return picture({ title, description: `${description}.`, height: y + BELOW, content: [...grid, axis, ...drawn] });
}

/** Headings only where there is something on both sides to tell apart. */
function groupsOf(series, labels) {
  const count = Math.max(...series.map(({ values }) => values.length));
  const names = labels ?? Array.from({ length: count }, (_, i) => (count === 1 ? '' : String(i + 1)));
  if (series.length === 1 && names.length > 1)
    return [{ rows: names.map((name, i) => ({ name, value: series[0].values[i], color: 0 })) }];
  return names.map((name, i) => ({
    ...(names.length > 1 ? { name } : {}),
    rows: series.map(({ name: own, values }, color) => ({ name: own, value: values[i], color })),
  }));
}

function bar({ name, value, color }, y, { left, place, log, unit }) {
  const base = log ? left : place(0);
  const [from, to] = [base, place(value)].sort((a, b) => a - b);
  return [
    text(left - 12, y + 15.5, name, { className: 'ink', anchor: 'end' }),
    element('rect', { class: ofSeries('fill', color), x: from, y, width: Math.max(1, to - from), height: BAR, rx: 2 }),
    text(to + 8, y + 15.5, withUnit(number(value), unit), { className: 'ink strong halo' }),
  ];
}
