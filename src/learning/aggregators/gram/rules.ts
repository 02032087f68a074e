// Rules in Gram space: from inner products and f to one weight a row. Definitions after the papers named at each; where
// these leave something open (ties, starts, numbers of steps) it is fixed here, so that every node gets the same bits.

import {
  ascending,
  distancesTo,
  equalWeights,
  type Gram,
  gramDistances,
  lowerMedian,
  type Weights,
} from "./gram.ts";
import { ofRank } from "../selection.ts";
import { topDirection } from "./principal-direction.ts";

/** A rule in Gram space. `minimum` is the fewest rows it stands on when f may lie. */
export interface GramRule {
  readonly minimum: (f: number) => number;
  readonly weigh: (gram: Gram, f: number) => Weights;
}

/** Steps of Weiszfeld's iteration; it gains about a digit in two on data of models. */
const WEISZFELD_STEPS = 16;
/** The point may come so near to a row, as a share of the median distance between rows, before that is smoothed. */
const WEISZFELD_SMOOTHING = 1e-6;
/** Steps of centered clipping from the base model. */
const CLIPPING_STEPS = 3;
/** Turns of the spectral filter. */
const SPECTRAL_TURNS = 3;
/** Keeps divisions finite where rows coincide. */
const TINY = 1e-150;

/**
 * Geometric median (Pillutla et al. 2022, RFA) by smoothed Weiszfeld steps: weights 1 / max(distance, nu), nu the 1e-6th
 * part of the median distance between two rows. They start at the middle of the nearest majority and not at the mean, from
 * where sixteen steps do not come back when a liar is 10^10 times as far off. n >= 2f + 1.
 */
export const geometricMedian: GramRule = {
  minimum: (f) => 2 * f + 1,
  weigh(gram) {
    const distances = gramDistances(gram);
    const between = Math.sqrt(lowerMedian(betweenRows(distances, gram.n)));
    const nearest = Math.max(WEISZFELD_SMOOTHING * between, TINY);
    let weights = nearestMajority(distances, gram.n);
    for (let step = 0; step < WEISZFELD_STEPS; step++) {
      const inverse = distancesTo(gram, weights).map(
        (squared) => 1 / Math.max(Math.sqrt(squared), nearest),
      );
      weights = normalised(inverse);
    }
    return weights;
  },
};

/** Krum (Blanchard et al. 2017): the one row with the least sum of its n - f - 2 smallest squared distances. n >= 2f + 3. */
export const krum: GramRule = {
  minimum: (f) => 2 * f + 3,
  weigh: (gram, f) => meanOfLowest(krumScores(gram, f), 1),
};

/** Multi-Krum: the mean of the n - f rows of the lowest Krum scores. n >= 2f + 3. */
export const multiKrum: GramRule = {
  minimum: (f) => 2 * f + 3,
  weigh: (gram, f) => meanOfLowest(krumScores(gram, f), gram.n - f),
};

/**
 * Centered clipping (Karimireddy et al. 2021): from the base model three steps towards the mean of the rows, each row's pull
 * cut at the median pull of that step. n >= 2f + 1. Weights sum to less than 1 where rows were cut: the rest stays
 * with the base model.
 */
export const centeredClipping: GramRule = {
  minimum: (f) => 2 * f + 1,
  weigh(gram) {
    const { n } = gram;
    let weights: Weights = new Float64Array(n);
    for (let step = 0; step < CLIPPING_STEPS; step++) {
      const away = distancesTo(gram, weights).map(Math.sqrt);
      const radius = lowerMedian(away);
      const share = away.map((distance) => (distance > radius ? radius / distance : 1) / n);
      const kept = 1 - share.reduce((sum, value) => sum + value, 0);
      weights = weights.map((weight, i) => weight * kept + (share[i] as number));
    }
    return weights;
  },
};

/**
 * Covariance-bound agnostic filter (Allouah et al. 2025, CAF): rows lose weight by their part in the direction of greatest
 * variance until n - 2f are left; of all turns the mean with the least such variance. n >= 2f + 1. How near it stays to the honest
 * mean is proven in docs/robustness.md. A turn takes all weight from at least one row, so 2f + 1 turns are enough.
 */
export const caf: GramRule = {
  minimum: (f) => 2 * f + 1,
  weigh(gram, f) {
    const { n } = gram;
    let counts = new Float64Array(n).fill(1);
    let best: { readonly variance: number; readonly weights: Weights } | undefined;
    for (let turn = 0; turn <= 2 * f; turn++) {
      const { variance, parts } = topDirection(gram, counts);
      if (best === undefined || variance < best.variance) {
        best = { variance, weights: normalised(counts) };
      }
      const greatest = parts.reduce((most, part) => Math.max(most, part), 0);
      if (greatest === 0) break;
      counts = counts.map((count, i) => count * (1 - (parts[i] as number) / greatest));
      if (counts.reduce((sum, count) => sum + count, 0) <= n - 2 * f) break;
    }
    return best?.weights ?? equalWeights(n);
  },
};

/**
 * Multi-round spectral filter (after Shejwalkar & Houmansadr 2021, DnC): in each of three turns the rows that lie farthest
 * along the direction of greatest variance of those kept are dropped, f in all. The mean of the rest. n >= 2f + 1.
 */
export const spectral: GramRule = {
  minimum: (f) => 2 * f + 1,
  weigh(gram, f) {
    const kept = new Float64Array(gram.n).fill(1);
    const each = Math.ceil(f / SPECTRAL_TURNS);
    for (let dropped = 0; dropped < f; ) {
      const { parts } = topDirection(gram, kept);
      // Of equal rows the higher goes: the lower row has the better right everywhere.
      const order = ascending(parts).filter((i) => kept[i] === 1);
      for (const row of order.slice(-Math.min(each, f - dropped))) {
        kept[row] = 0;
        dropped++;
      }
    }
    return normalised(kept);
  },
};

/** The distances of an n x n matrix between two rows, each once. */
function betweenRows(distances: Float64Array, n: number): Float64Array {
  const between = new Float64Array((n * (n - 1)) / 2);
  for (let i = 0, at = 0; i < n; at += n - 1 - i, i++) {
    between.set(distances.subarray(i * n + i + 1, (i + 1) * n), at);
  }
  return between;
}

/** Equal weights on the floor(n / 2) + 1 rows nearest one another: around the row whose farthest of so many is nearest. */
function nearestMajority(distances: Float64Array, n: number): Weights {
  const majority = Math.floor(n / 2) + 1;
  const line = new Float64Array(n);
  let centre = 0;
  let radius = Number.POSITIVE_INFINITY;
  for (let i = 0; i < n; i++) {
    let nearer = 0;
    for (let j = 0; j < n; j++) if ((distances[i * n + j] as number) < radius) nearer++;
    if (nearer < majority) continue;
    centre = i;
    line.set(distances.subarray(i * n, (i + 1) * n));
    radius = ofRank(line, majority - 1);
  }
  return meanOfLowest(distances.slice(centre * n, (centre + 1) * n), majority);
}

/** For each row the sum of its n - f - 2 smallest squared distances to others. */
function krumScores(gram: Gram, f: number): Float64Array {
  const { n } = gram;
  const distances = gramDistances(gram);
  return Float64Array.from({ length: n }, (_, i) => {
    const others = distances.slice(i * n, (i + 1) * n).filter((_distance, j) => j !== i);
    return others
      .sort()
      .subarray(0, n - f - 2)
      .reduce((sum, distance) => sum + distance, 0);
  });
}

function meanOfLowest(scores: Float64Array, count: number): Weights {
  const weights = new Float64Array(scores.length);
  for (const row of ascending(scores).slice(0, count)) weights[row] = 1 / count;
  return weights;
}

function normalised(weights: Float64Array): Weights {
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / whole);
}
