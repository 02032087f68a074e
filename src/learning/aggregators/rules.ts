// The aggregation rules by name, and those among them that work coordinate by coordinate. Definitions and limits: Yin et
// al. 2018 (median, trimmed mean), Allouah et al. 2023 (nearest-neighbour mixing before trimming; error bounds); the
// others are in `gram/`. All but the mean stand while fewer than half the rows lie.

import type { Result } from "../../foundation/index.ts";
import type { LearningErrorCode } from "../codes.ts";
import {
  type Aggregate,
  type Aggregator,
  type AggregatorName,
  type AggregateContext,
  checkRows,
  sealResult,
} from "./aggregator.ts";
import { cosine } from "./gram/gram.ts";
import { gramPipeline } from "./gram/pipeline.ts";
import { caf, centeredClipping, geometricMedian, krum, multiKrum, spectral } from "./gram/rules.ts";
import { inDegrees, nearestNeighbours, outliers } from "./neighbours.ts";

/** The arithmetic mean. For the laboratory: one liar moves it anywhere. Rejects nobody. */
export const mean: Aggregator = {
  name: "mean",
  minimum: () => 1,
  aggregate(rows, f, { kernels }) {
    const checked = checkRows(rows, f, 1);
    if (!checked.ok) return checked;
    const all = rows.map((_, i) => i);
    return explained(rows, kernels.meanOf(rows, all), {
      weights: new Float64Array(rows.length).fill(1 / rows.length),
      inDegree: rows.map(() => rows.length - 1),
      rejected: [],
    });
  },
};

/** Coordinate-wise median; of an even count the mean of the two middle values. n >= 2f + 1. */
export const median: Aggregator = {
  name: "median",
  minimum: majority,
  aggregate: (rows, f, context) => trimmed(rows, f, Math.floor((rows.length - 1) / 2), context),
};

/** Coordinate-wise trimmed mean: the f least and f greatest of each coordinate are left out. n >= 2f + 1. */
export const trimmedMean: Aggregator = {
  name: "trimmed-mean",
  minimum: majority,
  aggregate: (rows, f, context) => trimmed(rows, f, f, context),
};

/**
 * Nearest-neighbour mixing, then trimmed mean: each row becomes the mean of its n - f nearest (itself included), which
 * pulls honest rows of unlike data together before liars are trimmed. n >= 2f + 1. The share shown is each row's
 * share in the mixed rows.
 */
export const nearestNeighbourMixing: Aggregator = {
  name: "nearest-neighbour-mixing",
  minimum: majority,
  aggregate(rows, f, { kernels }) {
    const checked = checkRows(rows, f, majority(f));
    if (!checked.ok) return checked;
    const n = rows.length;
    const distances = kernels.squaredDistances(rows);
    const neighbours = nearestNeighbours(distances, n, f);
    // Neighbours are summed in row order and directly: subtracting the f farthest from the whole sum would let one
    // huge liar wipe out the honest digits.
    const mixed = neighbours.map((list) => kernels.meanOf(rows, [...list]));
    const inDegree = inDegrees(neighbours);
    return explained(rows, kernels.trimmedMean(mixed, f).vector, {
      weights: Float64Array.from(inDegree, (degree) => (degree + 1) / (n * (n - f))),
      inDegree,
      rejected: outliers(distances, neighbours, inDegree, f),
    });
  },
};

const rules: Readonly<Record<AggregatorName, Aggregator>> = {
  mean,
  median,
  "trimmed-mean": trimmedMean,
  "nearest-neighbour-mixing": nearestNeighbourMixing,
  "geometric-median": gramPipeline("geometric-median", [], geometricMedian),
  krum: gramPipeline("krum", [], krum),
  "multi-krum": gramPipeline("multi-krum", [], multiKrum),
  "centered-clipping": gramPipeline("centered-clipping", [], centeredClipping),
  caf: gramPipeline("caf", [], caf),
  spectral: gramPipeline("spectral", [], spectral),
  "nnm+geometric-median": gramPipeline("nnm+geometric-median", ["nnm"], geometricMedian),
  "arc+nnm+geometric-median": gramPipeline(
    "arc+nnm+geometric-median",
    ["arc", "nnm"],
    geometricMedian,
  ),
  "arc+nnm+multi-krum": gramPipeline("arc+nnm+multi-krum", ["arc", "nnm"], multiKrum),
  "arc+caf": gramPipeline("arc+caf", ["arc"], caf),
  "arc+spectral": gramPipeline("arc+spectral", ["arc"], spectral),
};

/** The rule of a name. */
export function aggregatorNamed(name: AggregatorName): Aggregator {
  return rules[name];
}

function majority(f: number): number {
  return 2 * f + 1;
}

function trimmed(
  rows: readonly Float32Array[],
  f: number,
  trim: number,
  { kernels }: AggregateContext,
): Result<Aggregate, LearningErrorCode> {
  const checked = checkRows(rows, f, majority(f));
  if (!checked.ok) return checked;
  const { vector, kept } = kernels.trimmedMean(rows, trim);
  const distances = kernels.squaredDistances(rows);
  const neighbours = nearestNeighbours(distances, rows.length, f);
  const inDegree = inDegrees(neighbours);
  return explained(rows, vector, {
    weights: kept,
    inDegree,
    rejected: outliers(distances, neighbours, inDegree, f),
  });
}

/** The result with where each row lies as seen from it; summed in float64 by ascending coordinate. */
function explained(
  rows: readonly Float32Array[],
  vector: Float32Array,
  found: Pick<Aggregate, "inDegree" | "rejected"> & { readonly weights: Float64Array },
): Result<Aggregate, LearningErrorCode> {
  const { weights, inDegree, rejected } = found;
  const places = rows.map((row) => placeOf(row, vector));
  return sealResult({
    vector,
    shares: [...weights],
    votes: Array.from(weights, (share) => share * rows.length),
    clip: rows.map(() => 1),
    distances: places.map(({ distance }) => distance),
    cosines: places.map(({ angle }) => angle),
    inDegree,
    rejected,
  });
}

function placeOf(
  row: Float32Array,
  vector: Float32Array,
): { readonly distance: number; readonly angle: number } {
  let apart = 0;
  let product = 0;
  let rowSquared = 0;
  let vectorSquared = 0;
  for (let c = 0; c < row.length; c++) {
    const a = row[c] as number;
    const b = vector[c] as number;
    apart += (a - b) * (a - b);
    product += a * b;
    rowSquared += a * a;
    vectorSquared += b * b;
  }
  const angle = cosine(product, Math.sqrt(rowSquared) * Math.sqrt(vectorSquared));
  return { distance: Math.sqrt(apart), angle };
}
