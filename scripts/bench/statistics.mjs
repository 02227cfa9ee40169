/** The value below which a share of the samples lies (nearest rank): `quantile(samples, 0.5)` is the median. */
function quantile(samples, share) {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

/** @param {(number | null)[]} samples null: it never came */
export function summary(samples) {
  const seen = samples.filter((sample) => sample !== null);
  return {
    n: samples.length,
    lost: samples.length - seen.length,
    median: quantile(seen, 0.5),
    p99: quantile(seen, 0.99),
    max: seen.length === 0 ? undefined : Math.max(...seen),
  };
}
