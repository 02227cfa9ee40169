/** What the scenario `grants` found, as figures, plots and notes. */
import { summary } from './statistics.mjs';

const RESTART_GOAL_S = 3;

export function grantsResult({ points, restarts, held, served, most }) {
  const count = most.toLocaleString('en');
  const full = points.at(-1);
  const median = (samples) => summary(samples).median;
  const slower = (kind) => median(full.connect.full[kind]) / median(full.connect.one[kind]);
  const longest = (list) => Math.round(Math.max(0, ...list));
  const lost = ['full', 'one'].flatMap((name) => ['tcp', 'udp'].map((kind) => summary(full.connect[name][kind]).lost));
  const holds = [held.busy, held.status];
  const figures = [
    {
      id: 'grants-one-more',
      title: `One more grant, opened and recorded: with ${count} live ones to with one`,
      value: round(median(full.grant.full) / median(full.grant.one)),
      unit: 'times',
      goal: { most: 1.5 },
      compared: `${round(median(full.grant.full))} ms to ${round(median(full.grant.one))} ms`,
    },
    ...['tcp', 'udp'].map((kind) => ({
      id: `grants-connect-${kind}`,
      title: `A new ${kind.toUpperCase()} connection: with ${count} grants to with one`,
      value: round(slower(kind)),
      unit: 'times',
      goal: { most: 1.2 },
      compared: `${Math.round(median(full.connect.full[kind]))} µs to ${Math.round(median(full.connect.one[kind]))} µs`,
    })),
    {
      id: 'grants-restart',
      title: `Killed and started: until ready with ${count} grants`,
      value: longest(restarts.intact) / 1000,
      unit: 's',
      goal: { most: RESTART_GOAL_S },
    },
    {
      id: 'grants-restart-flushed',
      title: `Killed, rules flushed, started: until ready and all ${count} are in the kernel`,
      value: longest(restarts.flushed) / 1000,
      unit: 's',
      goal: { most: RESTART_GOAL_S },
    },
    {
      id: 'grants-missing',
      title: 'Grants and connections missing after all that',
      value: Math.max(0, restarts.missing) + lost.reduce((sum, n) => sum + n, 0),
      unit: '',
      goal: { most: 0 },
    },
    {
      id: 'grants-memory',
      title: `Memory of the daemon with ${count} grants`,
      value: longest([served.now, ...restarts.memory.map(({ now }) => now)]),
      unit: 'MB',
      goal: { most: 200 },
      compared: `${longest([served.most, ...restarts.memory.map((one) => one.most)])} MB at its most`,
    },
    {
      id: 'grants-hold',
      title: `Longest time that the event loop was held with ${count} grants`,
      value: longest(holds.map(({ own }) => own)),
      unit: 'ms',
      goal: { most: 50 },
      compared: `${longest(holds.map(({ all }) => all))} ms with what it waited for a processor`,
    },
    {
      id: 'grants-hold-start',
      title: `Longest time that the event loop was held while it started with ${count} grants`,
      value: longest(restarts.holds.map(({ own }) => own)),
      unit: 'ms',
    },
  ];
  const labels = points.map(({ size }) => size.toLocaleString('en'));
  const connected = points.filter(({ connect }) => connect !== undefined);
  return {
    figures,
    samples: { points, restarts, held, served },
    notes: [
      `Beside the gateway with its grants ran one with a single grant, on a machine of its own, and each measurement was taken by turns with both. One more grant is the time of \`sallyport allow\` at the control socket: open in the kernel and on the disk.`,
      `The restarts were done ${restarts.flushed.length} times each and the longest counts. With the table left as it was, the grants stay open all the while; what takes the time is reading them back. All of them were asked for when it was ready, and listed in ${round(longest(restarts.listed) / 1000)} s.`,
      `While the operator asked for the status the event loop was held for ${Math.round(held.status.own)} ms, otherwise for ${Math.round(held.busy.own)} ms at most.`,
      ...(most < 100_000 ? [`A quick run: ${count} grants.`] : []),
    ],
    plots: [
      {
        id: 'grants-one-more',
        title: 'One more grant, by how many are live',
        kind: 'line',
        unit: 'ms',
        series: [
          { name: 'this gateway', values: points.map(({ grant }) => median(grant.full)) },
          { name: 'beside it, a gateway with one grant', values: points.map(({ grant }) => median(grant.one)) },
        ],
        labels,
        across: 'live grants',
      },
      {
        id: 'grants-connect',
        title: 'A new connection through the guard, by how many grants are live',
        kind: 'bars',
        unit: 'µs',
        series: ['tcp', 'udp'].map((kind) => ({
          name: kind.toUpperCase(),
          values: [full.connect.one, ...connected.map(({ connect }) => connect.full)].map((one) => median(one[kind])),
        })),
        labels: ['1', ...connected.map(({ size }) => size.toLocaleString('en'))],
      },
    ],
  };
}

function round(value) {
  return Math.round(value * 100) / 100;
}
