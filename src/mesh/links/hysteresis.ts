// When a better value replaces the one in use: it has to be better by a tenth for two half-times of the smoothing, in which an
// outlier has lost three quarters of its weight. What flickers must not move routes all over the mesh.

/** Weight of one probe in a link's smoothed loss, and of one round trip in RFC 6298's mean. */
export const SAMPLE_GAIN = 1 / 8;
/** A cost must differ by this share of the one in use ... */
export const HYSTERESIS_RATIO = 0.1;
/** Samples until the smoothing has forgotten half: 5.19. */
const HALF_TIME_SAMPLES = Math.LN2 / -Math.log(1 - SAMPLE_GAIN);
/** ... for two half-times: in so many samples of a link, one after another ... */
export const HYSTERESIS_SAMPLES = Math.ceil(2 * HALF_TIME_SAMPLES);
/** ... or, for a path of many links, for as long as these take at a probe a second. */
export const HYSTERESIS_HOLD_MS = Math.ceil(2 * HALF_TIME_SAMPLES * 1000);

/** Whether a cost is so much lower than the one in use. Both > 0; `Infinity` is worse than anything else. */
export function isClearlyBetter(cost: number, inUse: number): boolean {
  return cost !== Number.POSITIVE_INFINITY && cost <= inUse * (1 - HYSTERESIS_RATIO);
}
