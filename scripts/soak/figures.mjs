/** The figures of an hour from its samples. */

/** Below this many minutes a process still warms up, and what it has grown by says nothing. */
const TELLING_MINUTES = 30;

export function hourFigures({
  minutes,
  samples,
  knocks,
  visitors,
  watchers,
  meddler,
  errors,
  excused,
  cuts,
  differences,
  records,
}) {
  const early = within(samples, minutes / 6, minutes / 3);
  const late = within(samples, (minutes * 5) / 6, Number.POSITIVE_INFINITY);
  const [before, after] = [early, late].map((some) => median(some.map(({ rss_mb }) => rss_mb)));
  const lowest = (some) => Math.min(...some.map(({ fds }) => fds));
  const goalOf = (goal) => (minutes >= TELLING_MINUTES ? { goal } : {});
  const delays = [...knocks.delays].sort((a, b) => a - b);
  const figure = (id, title, value, unit = '', goal = undefined) => ({
    id,
    title,
    value,
    unit,
    ...(goal ? { goal } : {}),
  });
  const none = { most: 0 };
  const last = samples.at(-1);
  return [
    figure('knocks', 'knocks answered', knocks.answered),
    figure('rate', 'knocks answered a second', knocks.answered / (minutes * 60), '/s'),
    figure('lost', 'knocks lost, after two retries', knocks.lost.length, '', none),
    figure('late', 'knocks that needed a retry, while nobody meddled', knocks.late.length, '', none),
    figure('delay_median', 'from the last packet to the line in the journal, median', quantile(delays, 0.5), 'ms'),
    figure('delay_p99', 'the same, 99th percentile', quantile(delays, 0.99), 'ms'),
    figure('grants', 'grants recorded', records.length),
    figure('disagreements', 'disagreements of store, kernel and journal', differences.length, '', none),
    figure('errors', 'errors in the log or of clients', errors.length, '', none),
    figure('excused', 'errors while the rules were not there', excused.length + visitors.excused),
    figure('users', 'changes of users', visitors.steps),
    figure('refused', 'of these refused, while nobody meddled', visitors.refused.length, '', none),
    figure('watchers', 'clients that came and went', watchers.came),
    figure('failed', 'of these failed', watchers.failed.length + cuts, '', none),
    figure('drift', 'times the rules were changed past us', meddler.done),
    figure('stuck', 'of these not put right within 15 s', meddler.stuck.length, '', none),
    {
      id: 'rss_growth',
      title: `memory, last 10 of 60 parts against 10 to 20`,
      value: ((after - before) / before) * 100,
      unit: '%',
      ...goalOf({ most: 10 }),
    },
    figure('rss', 'memory at the end', last.rss_mb, 'MB'),
    figure('rss_most', 'memory, the most', Math.max(...samples.map(({ rss_mb }) => rss_mb)), 'MB'),
    {
      id: 'fds_growth',
      title: 'open files more than at first',
      value: lowest(late) - lowest(early),
      unit: '',
      ...goalOf(none),
    },
    figure('threads', 'threads at the end', last.threads),
    figure(
      'cpu',
      'processor time of the daemon',
      ((last.cpu_s - samples[0].cpu_s) / ((last.minute - samples[0].minute) * 60)) * 100,
      '%',
    ),
    figure('store', 'size of the store', last.store_mb, 'MB'),
    figure('wal', 'size of its log, the most', Math.max(...samples.map(({ wal_mb }) => wal_mb)), 'MB'),
    figure('journal', 'events in the journal', last.journal),
  ];
}

function within(samples, from, until) {
  const some = samples.filter(({ minute }) => minute >= from && minute <= until);
  return some.length > 0 ? some : samples.slice(-1);
}

function median(values) {
  return quantile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
}

function quantile(sorted, q) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
}
