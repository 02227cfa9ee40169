/** The value below which a share of the samples lies (nearest rank): `quantile(samples, 0.5)` is the median. */
export function quantile(samples, share) {
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

/** At most so many of the samples, evenly by rank, the smallest and the largest among them; sorted where it is fewer. */
export function thinned(samples, most) {
  if (samples.length <= most) return samples;
  const sorted = [...samples].sort((a, b) => a - b);
  return evenly(sorted, most);
}

/** At most so many of a list, in its order, the first and the last among them. */
export function evenly(list, most) {
  if (list.length <= most) return list;
  return Array.from({ length: most }, (_, i) => list[Math.round((i * (list.length - 1)) / (most - 1))]);
}
