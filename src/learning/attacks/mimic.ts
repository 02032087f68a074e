// Mimic (Karimireddy et al. 2022): every liar sends what one honest node sends, so that on unlike data its share of the result
// grows and the others' vanish, without one unlikely row. The victim is the one that stands out most along the direction in
// which honest rows vary, found in the first rounds and then kept.

import { addTo, inner, meanRow } from "./row-statistics.ts";

/** Rounds in which the direction is still learned. */
const WARM_UP_ROUNDS = 20;

/** A mimic with its memory. */
export function mimic(): (honest: readonly Float32Array[], f: number) => Float32Array[] {
  let direction: Float64Array | undefined;
  let standing: Float64Array = new Float64Array(0);
  let rounds = 0;
  return (honest, f) => {
    if (rounds++ < WARM_UP_ROUNDS) {
      const mean = meanRow(honest);
      direction = turned(direction ?? away(honest[0], mean), honest, mean);
      const axis = direction;
      if (standing.length !== honest.length) standing = new Float64Array(honest.length);
      standing = standing.map((sum, i) => sum + inner(away(honest[i], mean), axis));
    }
    const victim = standing.reduce(
      (best, sum, i) => (Math.abs(sum) > Math.abs(standing[best] as number) ? i : best),
      0,
    );
    return new Array<Float32Array>(f).fill(honest[victim] as Float32Array);
  };
}

/** One power step of the rows' covariance on the direction, at unit length; its sense is kept. */
function turned(
  direction: Float64Array,
  honest: readonly Float32Array[],
  mean: Float64Array,
): Float64Array {
  const next = new Float64Array(mean.length);
  for (const row of honest) {
    const apart = away(row, mean);
    addTo(next, apart, inner(apart, direction));
  }
  const length = Math.sqrt(inner(next, next));
  return length > 0 ? next.map((value) => value / length) : direction;
}

function away(row: Float32Array | undefined, mean: Float64Array): Float64Array {
  return mean.map((value, c) => (row?.[c] as number) - value);
}
