// What all nodes know alike of a round that was certified: each identity's own measurements, and how far the model moved.

/** One certified round. */
export interface CertifiedRound {
  /** Mean loss as each identity of the set reports it. */
  readonly losses: readonly number[];
  /** Accuracy as each reports it, 0 to 1. */
  readonly accuracies: readonly number[];
  /** Euclidean length of the certified update over the round's learning rate. */
  readonly updateNorm: number;
}

/**
 * The lower median: the report of an honest identity, or between two, as long as fewer than half lie. What is no number
 * counts as infinite, and so does an empty list.
 */
export function lowerMedianOf(reports: readonly number[]): number {
  const sorted = Float64Array.from(reports, (report) =>
    Number.isNaN(report) ? Number.POSITIVE_INFINITY : report,
  ).sort();
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.POSITIVE_INFINITY;
}
