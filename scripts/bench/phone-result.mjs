/** What the calls of the phone scenario say: figures, plot and notes. */
import { number } from './format.mjs';
import { summary } from './statistics.mjs';

const NAMES = { ari: 'ARI', ami: 'AMI' };
const GOAL = { most: 20 };

/**
 * From the release of the last key to the port open, by the machine's monotonic clock.
 * @param {{opened: number | null, at: number}} found what the prober found; it began before the key was released
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
 * @param {Record<'ari' | 'ami', (number | null)[]>} samples milliseconds by driver, null for a call that opened nothing; empty
 *   where there is no Asterisk
 * @param {number[]} unsure to how many milliseconds the moment of opening is known, of each call
 * @returns {import('./scenarios.mjs').Measured}
 */
export function phoneResult(samples, unsure) {
  const drivers = Object.keys(NAMES);
  const of = Object.fromEntries(drivers.map((driver) => [driver, summary(samples[driver])]));
  const wasMeasured = drivers.some((driver) => of[driver].n > 0);
  const series = drivers.map((driver) => ({
    name: NAMES[driver],
    values: samples[driver].filter((value) => value !== null),
  }));
  const shown = series.filter(({ values }) => values.length > 0);
  return {
    figures: drivers.flatMap((driver) => figures(driver, of[driver])),
    samples,
    notes: wasMeasured ? notes(summary(unsure).median) : ['Not measured: Asterisk could not be fetched.'],
    ...(shown.length === 0
      ? {}
      : {
          plots: [
            {
              id: 'phone',
              title: 'From the release of the confirming key to the port open',
              kind: 'distribution',
              unit: 'ms',
              log: true,
              series: shown,
            },
          ],
        }),
  };
}

function figures(driver, { n, lost, median, max }) {
  const figure = (id, title, value, unit = 'ms') => ({ id: `${driver}-${id}`, title, value: value ?? null, unit });
  return [
    { ...figure('median', `By ${NAMES[driver]}, median`, median), goal: GOAL },
    figure('max', `By ${NAMES[driver]}, slowest`, max),
    figure('lost', `By ${NAMES[driver]}, calls that opened nothing`, n === 0 ? null : lost, `of ${n}`),
  ];
}

function notes(unsure) {
  return [
    'Each call is a real one, by SIP and RTP through an Asterisk 22 of its own: account, PIN, item 4 of the menu, and `1` while ' +
      'the address is being read back. Three callers are on the line at a time and confirm one after the other; the drivers take turns.',
    'The time runs from the first packet that carries the end of the `1` (RFC 4733). The tone itself, of 80 ms, comes before and does not ' +
      'count: no PBX tells of a digit before it ends. The two packets that repeat the end follow at once, and change nothing.',
    `The port is found open as above, by a prober that begins before the key is pressed. The moment is known to ${number(unsure)} ms (median).`,
  ];
}
