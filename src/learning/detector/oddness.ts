// How odd each row of one round looks, 0 to 1, from what the rule said of it. A statistic and no proof: honest nodes with unlike
// data look odd as well, and good liars do not. Only +, -, * and /: every node has the same bits.

import type { Aggregate } from "../aggregators/aggregator.ts";
import { lowerMedianOf } from "../convergence/certified-round.ts";

/** A distance so many times the median's counts fully, one no greater than the median's not at all. */
const FAR_RATIO = 3;

/** What of an aggregate is looked at. */
export type RowSigns = Pick<Aggregate, "votes" | "clip" | "distances" | "cosines">;

/** The greatest of five signs for each row: few votes, clipped, far, pointing elsewhere, late. */
export function oddnessOf(signs: RowSigns, staleness: readonly number[]): number[] {
  const { votes, clip, distances, cosines } = signs;
  const usualVotes = lowerMedianOf(votes);
  const usualDistance = lowerMedianOf(distances);
  const usualCosine = lowerMedianOf(cosines);
  return votes.map((own, i) => {
    const fewVotes = usualVotes > 0 ? 1 - own / usualVotes : 0;
    const clipped = 1 - (clip[i] as number);
    const ratio = usualDistance > 0 ? (distances[i] as number) / usualDistance : 1;
    const far = (ratio - 1) / (FAR_RATIO - 1);
    const elsewhere = (usualCosine - (cosines[i] as number)) / (1 + usualCosine || 1);
    const age = staleness[i] ?? 0;
    return clamped(Math.max(fewVotes, clipped, far, elsewhere, age / (1 + age)));
  });
}

function clamped(value: number): number {
  return Math.min(1, Math.max(0, value));
}
