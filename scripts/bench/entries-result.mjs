/** What the scenario `entries` found, as figures and notes. */
import { summary } from './statistics.mjs';

export function entriesResult({ applied, connect, oneMore, most }) {
  const count = most.toLocaleString('en');
  const median = (samples) => summary(samples).median;
  return {
    figures: [
      {
        id: 'entries-apply',
        title: `\`firewall apply\` with ${count} entries, until they hold`,
        value: Math.round(Math.max(...applied)) / 1000,
        unit: 's',
        goal: { most: 1 },
      },
      ...['tcp', 'udp'].map((kind) => ({
        id: `entries-connect-${kind}`,
        title: `A new ${kind.toUpperCase()} connection: with ${count} entries to with one`,
        value: Math.round((100 * median(connect.full[kind])) / median(connect.one[kind])) / 100,
        unit: 'times',
        goal: { most: 1.2 },
        compared: `${Math.round(median(connect.full[kind]))} µs to ${Math.round(median(connect.one[kind]))} µs`,
      })),
      {
        id: 'entries-one-more',
        title: `One more entry beside ${count}: \`allow\``,
        value: Math.round(median(oneMore)),
        unit: 'ms',
      },
    ],
    samples: { applied, connect, oneMore },
    notes: [
      `The longest of ${applied.length} applies counts, from the request to its answer: the configuration is read, checked and compared, and the rules are loaded anew with all entries, the previous rules with theirs behind them. Entries are single addresses, none beside another.`,
    ],
  };
}
