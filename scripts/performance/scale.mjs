/** From values to places: linear from 0, or logarithmic. Both end at round values and know which to write down. */
import { number } from '../bench/format.mjs';

const STEPS = [1, 2, 5, 10];
const MOST_TICKS = 6;

/**
 * @param {number[]} values
 * @param {{log?: boolean, from: number, to: number}} options `from`, `to`: the places of the ends
 * @returns {{place: (value: number) => number, ticks: {value: number, place: number, label: string}[]}}
 */
export function scaleOf(values, { log = false, from, to }) {
  const { low, high, ticks, share } = log ? logarithmic(values) : linear(values);
  const place = (value) => from + (to - from) * Math.min(1, Math.max(0, share(value, low, high)));
  return { place, ticks: ticks.map((value) => ({ value, place: place(value), label: labelOf(value) })) };
}

/** Round values need no zeros to fill three digits. */
function labelOf(value) {
  const label = number(value);
  return label.includes('.') && !label.includes('e') ? label.replace(/\.?0+$/, '') : label;
}

function linear(values) {
  const high = Math.max(...values, 0);
  const low = Math.min(...values, 0);
  const span = high - low || 1;
  const magnitude = 10 ** Math.floor(Math.log10(span / MOST_TICKS));
  const step = magnitude * STEPS.find((one) => span / (one * magnitude) <= MOST_TICKS);
  const first = Math.floor(low / step);
  const last = Math.ceil((low + span) / step);
  // Multiples, not sums: a sum of tenths is not a tenth.
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
  const share = (value, from, to) => (value - from) / (to - from);
  return { low: ticks[0], high: ticks.at(-1), ticks, share };
}

/** A value that is not above 0 has no place on it: it is put at the low end. */
function logarithmic(values) {
  const above = values.filter((value) => value > 0);
  const all = above.length === 0 ? [1] : above;
  const round = [];
  for (let power = -9; power <= 12; power++) for (const step of [1, 2, 5]) round.push(Number(`${step}e${power}`));
  // Below all of them: a bar must have a length.
  const low = round.findLast((value) => value < Math.min(...all)) ?? round[0];
  const high = round.find((value) => value > Math.max(...all)) ?? round.at(-1);
  const within = round.filter((value) => value >= low && value <= high);
  const decades = within.filter((value) => Number.isInteger(Number(Math.log10(value).toFixed(9))));
  const ticks = within.length <= 2 * MOST_TICKS || decades.length < 2 ? within : decades;
  const share = (value, from, to) =>
    value <= 0 ? 0 : (Math.log10(value) - Math.log10(from)) / (Math.log10(to) - Math.log10(from));
  return { low, high, ticks, share };
}
