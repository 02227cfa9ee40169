/** Numbers as people read them. */

/** Three digits that count, thousands apart: 0.0123, 1.23, 12.0, 1,230. */
export function number(value) {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size < 0.001) return value.toExponential(1);
  if (Number.isInteger(value)) return grouped(String(value));
  if (size < 1) return String(Number(value.toPrecision(3)));
  const decimals = 2 - Math.floor(Math.log10(size));
  return grouped(value.toFixed(Math.max(0, decimals)));
}

/** A figure's value with its unit. */
export function figure({ value, unit }) {
  return value === null ? '-' : withUnit(number(value), unit);
}

export function withUnit(text, unit) {
  return unit === '' ? text : `${text} ${unit}`;
}

/** A goal in words; empty where there is none. */
export function goalText(goal) {
  if (goal === undefined) return '';
  const parts = [];
  if (goal.least !== undefined) parts.push(`at least ${number(goal.least)}`);
  if (goal.most !== undefined) parts.push(`at most ${number(goal.most)}`);
  return parts.join(', ');
}

function grouped(text) {
  const [whole, fraction] = text.split('.');
  const apart = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return fraction === undefined ? apart : `${apart}.${fraction}`;
}
