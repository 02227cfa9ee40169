/** What the rounds of the opening say: figures, plot and notes. */
import { number } from './format.mjs';
import { summary } from './statistics.mjs';

const NAMES = {
  sallyport: 'Sallyport',
  knockd: 'knockd',
  fwknopd: 'fwknopd',
  eagerFwknopd: 'fwknopd, eager',
};

/**
 * @param {Record<string, Round[]>} measured rounds by who opened; none of a peer that was not there
 * @param {Record<string, Round[]>} knockdByWay rounds of knockd by how it opens
 * @returns {import('./scenarios.mjs').Measured}
 *
 * @typedef {{opened: number | null, unsure: number}} Round
 */
export function openingResult(measured, knockdByWay) {
  const [way, other] = byMedian(knockdByWay);
  const samples = { ...measured, knockd: way === undefined ? [] : knockdByWay[way] };
  const of = Object.fromEntries(
    Object.entries(samples).map(([name, rounds]) => [name, summary(rounds.map(({ opened }) => opened))]),
  );
  const { sallyport, knockd, fwknopd, eagerFwknopd, first, floor } = of;
  return {
    figures: [
      {
        ...figure('knockd-ratio', 'knockd’s median ÷ Sallyport’s', ratio(knockd.median, sallyport.median), 'times'),
        goal: { least: 20 },
        why: `With this median of knockd’s, ours would have to be under ${needed(knockd.median, 20)} ms.`,
        ...(way
          ? { compared: `knockd 0.8, which opens by “${way}”${other ? `: here faster than by “${other}”` : ''}` }
          : {}),
      },
      {
        ...figure('fwknopd-ratio', 'fwknopd’s median ÷ Sallyport’s', ratio(fwknopd.median, sallyport.median), 'times'),
        goal: { least: 250 },
        why:
          'fwknopd’s time is what it sleeps between two looks at its packets, 50 ms on average, and the runs of iptables that ' +
          `follow. With this median, ours would have to be under ${needed(fwknopd.median, 250)} ms.`,
        compared: 'fwknopd 2.6 with Debian’s settings',
      },
      {
        ...figure(
          'p99-ratio',
          'Sallyport’s 99th percentile ÷ knockd’s median',
          ratio(sallyport.p99, knockd.median),
          '',
        ),
        goal: { most: 1 },
      },
      figure('sallyport-lost', 'Sallyport, knocks that opened nothing', sallyport.lost, 'knocks'),
      figure('sallyport-median', 'Sallyport, median', sallyport.median, 'ms'),
      figure('sallyport-p99', 'Sallyport, 99th percentile', sallyport.p99, 'ms'),
      figure('sallyport-first', 'Sallyport, the first knock after a start', first.median, 'ms'),
      figure('knockd-median', 'knockd, median', knockd.median, 'ms'),
      figure('knockd-p99', 'knockd, 99th percentile', knockd.p99, 'ms'),
      figure('fwknopd-median', 'fwknopd, median', fwknopd.median, 'ms'),
      figure('fwknopd-p99', 'fwknopd, 99th percentile', fwknopd.p99, 'ms'),
      figure('fwknopd-eager-median', 'fwknopd, looking every millisecond, median', eagerFwknopd.median, 'ms'),
      figure('floor', 'floor: the port is open already', floor.median, 'ms'),
    ],
    samples: Object.fromEntries(
      Object.entries(samples).map(([name, rounds]) => [name, rounds.map(({ opened }) => opened)]),
    ),
    notes: notes(samples, of),
    plots: [
      {
        id: 'opening',
        title: 'From the last packet of a knock to the port open',
        kind: 'distribution',
        unit: 'ms',
        log: true,
        series: Object.entries(NAMES)
          .map(([key, name]) => ({ name, values: seen(samples[key]) }))
          .filter(({ values }) => values.length > 0),
      },
    ],
  };
}

function notes(samples, { knockd, fwknopd, eagerFwknopd, floor }) {
  const rounds = Object.values(samples).flat();
  const unsure = summary(rounds.map(({ unsure }) => unsure));
  const told = [
    'Each knock comes from an address of its own. Its last packet is sent, and at once a prober asks the guarded UDP port over and over ' +
      'until it is answered; the moment of opening is when the first question that was answered was sent. ' +
      `It is known to ${number(unsure.median)} ms (median). Where the port is open already, this finds ${number(floor.median)} ms.`,
    'All take turns in blocks, in the same two namespaces, with the same prober.',
  ];
  if (fwknopd.n > 0)
    told.push(
      'fwknopd gets one encrypted, authenticated packet (Rijndael, HMAC), made beforehand by its own client: its making is not ' +
        'measured. By default it looks for packets ten times a second (`PCAP_LOOP_SLEEP`); “eager” is the same daemon looking every millisecond, ' +
        'which costs it processor time without an end and nobody runs.',
    );
  for (const [name, { n, lost }] of Object.entries({ knockd, fwknopd, 'fwknopd, eager': eagerFwknopd }))
    if (lost > 0) told.push(`${name}: ${lost} of ${n} knocks opened nothing within 2 s; they are in no median.`);
  if (knockd.n === 0) told.push('knockd was not measured: it could not be fetched.');
  if (fwknopd.n === 0)
    told.push('fwknopd was not measured: it, or iptables, could not be fetched or does not run here.');
  return told;
}

function figure(id, title, value, unit) {
  return { id, title, value: value ?? null, unit };
}

/** The ways of knockd, the fastest first: it is compared in its best case. */
function byMedian(rounds) {
  const median = (way) => summary(rounds[way].map(({ opened }) => opened)).median ?? Number.POSITIVE_INFINITY;
  return Object.keys(rounds).sort((a, b) => median(a) - median(b));
}

function needed(median, times) {
  return median === undefined ? '-' : number(median / times);
}

function ratio(a, b) {
  return a === undefined || b === undefined ? null : a / b;
}

function seen(rounds) {
  return rounds.map(({ opened }) => opened).filter((value) => value !== null);
}
