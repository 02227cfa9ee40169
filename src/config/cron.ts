/** Second, minute, hour, day of the month, month, day of the week: the first may be left out. */
const FIELDS = [
  { first: 0, last: 59 },
  { first: 0, last: 59 },
  { first: 0, last: 23 },
  { first: 1, last: 31 },
  { first: 1, last: 12 },
  { first: 0, last: 7 },
] as const;

const ITEM = /^(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:\/(\d{1,2}))?$/;

/** The outer form, for editors. */
export const CRON_FORM = '^[0-9*/,-]+( [0-9*/,-]+){4,5}$';

/** True for a cron expression of numbers: less than node-cron reads, so that whatever passes here can be carried out. */
export function isCron(text: string): boolean {
  const fields = text.split(' ');
  if (fields.length !== 5 && fields.length !== 6) return false;
  const ranges = FIELDS.slice(FIELDS.length - fields.length);
  return fields.every((field, i) => {
    const range = ranges[i];
    return range !== undefined && field.split(',').every((item) => isItem(item, range));
  });
}

function isItem(item: string, { first, last }: { first: number; last: number }): boolean {
  const match = ITEM.exec(item);
  if (match === null) return false;
  const [, from, to, step] = match;
  const start = from === undefined ? first : Number(from);
  const end = to === undefined ? start : Number(to);
  const isStepGood = step === undefined || (Number(step) >= 1 && (from === undefined || to !== undefined));
  return first <= start && start <= end && end <= last && isStepGood;
}
