// What a link costs: expected transmissions times a base plus a penalty for delay.
// ETX after De Couto et al. 2003; the clamped-linear delay after RFC 9616 section 4.2 with babeld's numbers.

/** Cost of a good wired link (babeld's wired rxcost). */
export const LINK_COST_BASE = 96;
/** RFC 9616: no penalty up to here, all of it from there. */
export const RTT_MIN_MS = 10;
export const RTT_MAX_MS = 120;
export const RTT_PENALTY_MAX = 150;
/** More expected transmissions than this and the link is no link. */
export const ETX_MAX = 16;

const SLOPE = RTT_PENALTY_MAX / (RTT_MAX_MS - RTT_MIN_MS);

/** Expected transmissions until a packet and its answer get through; `Infinity` when nothing does. */
export function etx(lossForward: number, lossBackward: number): number {
  const delivered = (1 - lossForward) * (1 - lossBackward);
  return delivered > 0 ? 1 / delivered : Number.POSITIVE_INFINITY;
}

/**
 * The cost of a link: 96 for a perfect one, `Infinity` for one that loses too much to be used.
 * @param rttMs >= 0
 * @param lossForward 0..1
 * @param lossBackward 0..1
 */
export function linkCost(rttMs: number, lossForward: number, lossBackward: number): number {
  const transmissions = etx(lossForward, lossBackward);
  if (transmissions > ETX_MAX) return Number.POSITIVE_INFINITY;
  const penalty = Math.min(RTT_PENALTY_MAX, Math.max(0, (rttMs - RTT_MIN_MS) * SLOPE));
  return (LINK_COST_BASE + penalty) * transmissions;
}
