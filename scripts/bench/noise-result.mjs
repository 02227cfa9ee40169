/** What the scenario `noise` found, as figures, plots and notes. */

/** @param found of each program the rounds that #round gives, null for one that is not there; `kinds` of noise */
export function noiseResult({ kinds: all, ours, theirs, spa, packets, people }) {
  const millions = packets / 1_000_000;
  const costOf = ({ control, kinds }) => kinds.map(({ user }) => Math.max(0, user - control.user) / millions);
  const [ourCost, theirCost, spaCost] = [ours, theirs, spa].map((one) => one && costOf(one));
  const compared = (n, tell) => {
    const peers = [theirs && ['knockd', theirs, theirCost], spa && ['fwknopd', spa, spaCost]].filter(Boolean);
    const told = peers.filter(([, { kinds }]) => kinds[n] !== undefined);
    if (told.length === 0) return {};
    return { compared: told.map(([name, { kinds }, cost]) => `${name}: ${tell(kinds[n], cost[n])}`).join(', ') };
  };
  const figures = all.flatMap(({ id, title }, n) => {
    return [
      {
        id: `noise-lost-${id}`,
        title: `Honest knocks lost, noise ${title}`,
        value: ours.kinds[n].lost,
        unit: `of ${people}`,
        goal: { most: 0 },
        ...compared(n, ({ lost }) => lost),
      },
      {
        id: `noise-cpu-${id}`,
        title: `User-space CPU for a million packets, noise ${title}`,
        value: round(ourCost[n]),
        unit: 's',
        goal: { most: 0.05 },
        ...compared(n, (_, cost) => `${cost.toFixed(2)} s`),
      },
    ];
  });
  figures.push(
    { id: 'noise-let-in', title: 'Sources of noise that were let in', value: ours.letIn, unit: '', goal: { most: 0 } },
    {
      id: 'noise-rate',
      title: 'Noise sent, slowest kind',
      value: Math.round(Math.min(...ours.kinds.map(({ rate }) => rate))),
      unit: 'packets/s',
      goal: { least: 100_000 },
    },
    {
      id: 'noise-softirq',
      title: 'Kernel CPU (softirq, whole host) for a million packets, dearest kind',
      value: round(Math.max(...ours.kinds.map(({ softirq }) => softirq - ours.control.softirq)) / millions),
      unit: 's',
    },
  );
  const labels = all.map(({ title }) => title);
  const both = (mine, peers) => [
    { name: 'Sallyport', values: mine },
    ...(theirs?.kinds.length === all.length ? [{ name: 'knockd', values: peers }] : []),
  ];
  const share = ({ kinds }) => kinds.map(({ lost }) => ((people - lost) / people) * 100);
  return {
    figures,
    samples: { sallyport: ours, knockd: theirs, fwknopd: spa },
    notes: notes({ ours, theirs, spa, people, packets }),
    plots: [
      {
        id: 'noise-answered',
        title: 'Honest knocks that got in while the noise went on',
        kind: 'bars',
        unit: '%',
        series: both(share(ours), theirs && share(theirs)),
        labels,
      },
      {
        id: 'noise-cpu',
        title: 'User-space CPU for a million packets of noise',
        kind: 'bars',
        unit: 's',
        series: both(ourCost, theirCost),
        labels,
      },
    ],
  };
}

function notes({ ours, theirs, spa, people, packets }) {
  const sum = ({ kinds }, key) => kinds.reduce((total, one) => total + one[key], 0);
  const total = people * ours.kinds.length;
  const list = [
    `Each of the ${total} honest people knocked as the client does: up to three tries. ${sum(ours, 'retried')} needed more than one with Sallyport${theirs ? `, ${sum(theirs, 'retried')} with knockd` : ''}.`,
    `The CPU time is that of the process with all its threads, less the ${ours.control.user.toFixed(2)} s that the same honest knocks took without noise; the kernel counts it in hundredths of a second.`,
  ];
  if (packets < 1_000_000) {
    list.push(
      `A quick run of ${packets.toLocaleString('en')} packets: a hundredth of a second counts ${1_000_000 / packets} times.`,
    );
  }
  if (spa) list.push('fwknopd looks at one port alone, so its noise went there, and the other kinds do not reach it.');
  const dropped = sum(ours, 'dropped');
  if (dropped > 0) list.push(`The host dropped ${dropped} packets before the gateway saw them.`);
  return list;
}

function round(value) {
  return Math.round(value * 1000) / 1000;
}
