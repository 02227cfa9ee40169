/** What the calls of the phone scenario say: figures, plot and notes. */
import { number } from './format.mjs';
import { summary } from './statistics.mjs';

const DRIVERS = { ari: 'ARI', ami: 'AMI' };
const GOAL = { most: 20 };

/**
 * From the release of the last key to the port open, by the machine's monotonic clock.
 * @param {{opened: number | null, at: number}} found what the prober found, which began before the key was released
 * @param {number} released
 * @returns {number | null} milliseconds; null: it did not open
 * @throws where the port was open before, so that nothing was measured
 */
export function sinceRelease({ opened, at }, released) {
  if (opened === null) return null;
  const delay = at + opened - released;
  if (delay < 0) throw new Error('the port was open before the last key was released');
  return delay;
}

/**
 * @param {Record<'ari' | 'ami', PhoneCall[]>} calls by driver; none where there is no Asterisk
 * @returns {import('./scenarios.mjs').Measured}
 *
 * @typedef {object} PhoneCall
 * @property {number | null} opened milliseconds from the release of the key to the port open; null: it opened nothing
 * @property {number} unsure to how many milliseconds that is known
 * @property {number} presses how often the key was pressed
 */
export function phoneResult(calls) {
  const all = Object.values(calls).flat();
  const samples = Object.fromEntries(Object.entries(calls).map(([driver, own]) => [driver, own.map(delayOf)]));
  const series = Object.entries(DRIVERS)
    .map(([driver, name]) => ({ name, values: samples[driver].filter((value) => value !== null) }))
    .filter(({ values }) => values.length > 0);
  return {
    figures: Object.entries(DRIVERS).flatMap(([driver, name]) => figures(driver, name, calls[driver])),
    samples,
    notes: all.length === 0 ? ['Not measured: Asterisk could not be fetched.'] : notes(all),
    plots: series.length === 0 ? [] : [plot(series)],
  };
}

function figures(driver, name, calls) {
  const { n, lost, median, max } = summary(calls.map(delayOf));
  const again = calls.filter(({ presses }) => presses > 1).length;
  const figure = (id, title, value, unit) => ({
    id: `${driver}-${id}`,
    title: `By phone (${name}), ${title}`,
    value,
    unit,
  });
  return [
    { ...figure('median', 'median', median ?? null, 'ms'), goal: GOAL },
    figure('slowest', 'slowest', max ?? null, 'ms'),
    figure('lost', 'calls that opened nothing', n === 0 ? null : lost, `of ${n}`),
    figure('again', 'calls in which the key was pressed again', n === 0 ? null : again, `of ${n}`),
  ];
}

function notes(calls) {
  const unsure = summary(calls.map((call) => call.unsure)).median;
  return [
    'Each call is a real one, by SIP and RTP through an Asterisk 22 of its own: account, PIN, item 4 of the menu, and `1` while ' +
      'the address is being read back. Three callers are on the line at a time and confirm one after the other; the drivers take turns.',
    'The time runs from the first packet that carries the end of the `1` (RFC 4733). The tone itself, of 80 ms, comes before and does not ' +
      'count: a PBX tells of a digit when it has ended. The two packets that repeat the end follow at once, and are not waited for.',
    `The guarded UDP port is asked over and over, from before the key is pressed. The moment of opening is known to ${number(unsure)} ms (median).`,
    'A key that is pressed while the sentence before the address is still being said begins that anew. It is pressed again then, and the time ' +
      'is that of the key that opened.',
    'Where the PIN’s `#` opens, as in a call-back, the check of the PIN comes on top, which is slow on purpose (scrypt); it is not in here.',
  ];
}

function plot(series) {
  const title = 'From the release of the confirming key to the port open';
  return { id: 'phone', title, kind: 'distribution', unit: 'ms', log: true, series };
}

function delayOf({ opened }) {
  return opened;
}
