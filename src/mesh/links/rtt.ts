// Round-trip smoothing after RFC 6298 section 2, with jitter as the mean deviation it keeps anyway.

/** Gains of RFC 6298: alpha 1/8 for the mean, beta 1/4 for the deviation; K = 4 deviations for a timeout. */
const ALPHA = 1 / 8;
const BETA = 1 / 4;
const K = 4;
/** RFC 6298 asks for at least the clock's granularity G. */
const GRANULARITY_MS = 1;

/** A smoothed round trip. */
export interface RttEstimate {
  readonly smoothedMs: number;
  /** Mean deviation: the jitter. */
  readonly variationMs: number;
}

/** The estimate after one more sample. @param sampleMs >= 0 */
export function nextRtt(estimate: RttEstimate | undefined, sampleMs: number): RttEstimate {
  if (estimate === undefined) return { smoothedMs: sampleMs, variationMs: sampleMs / 2 };
  const { smoothedMs, variationMs } = estimate;
  return {
    variationMs: (1 - BETA) * variationMs + BETA * Math.abs(smoothedMs - sampleMs),
    smoothedMs: (1 - ALPHA) * smoothedMs + ALPHA * sampleMs,
  };
}

/** When an answer is overdue: SRTT + max(G, 4 RTTVAR), within the bounds given. */
export function rttTimeoutMs(estimate: RttEstimate, minMs: number, maxMs: number): number {
  const timeoutMs = estimate.smoothedMs + Math.max(GRANULARITY_MS, K * estimate.variationMs);
  return Math.min(maxMs, Math.max(minMs, timeoutMs));
}
