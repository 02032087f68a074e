// Nearest neighbours among the rows: the base of nearest-neighbour mixing, and the one statistic by which every rule
// reports outliers, so that reports of different rules compare.

import { ofRank } from "./selection.ts";

/** For each row itself and its n - f - 1 nearest others, on ties the lower rows: ascending by row. */
export function nearestNeighbours(distances: Float64Array, n: number, f: number): Uint16Array[] {
  const count = n - f;
  const unordered = new Float64Array(n);
  return Array.from({ length: n }, (_, i) => {
    const line = distances.subarray(i * n, (i + 1) * n);
    unordered.set(line);
    // Itself is nearer than any other, even one at distance 0.
    unordered[i] = -1;
    const farthest = ofRank(unordered, count - 1);
    let ties = 0;
    for (let k = 0; k < count; k++) if (unordered[k] === farthest) ties++;
    const list = new Uint16Array(count);
    for (let j = 0, at = 0; at < count; j++) {
      const distance = line[j] as number;
      const isIn = j === i || distance < farthest || (distance === farthest && ties-- > 0);
      // Written in any case, and kept by going on: a branch would be guessed wrong too often.
      list[at] = j;
      at += isIn ? 1 : 0;
    }
    return list;
  });
}

/** How many other rows count each row among their neighbours. */
export function inDegrees(neighbours: readonly Uint16Array[]): number[] {
  // Each is in its own list.
  const degrees = neighbours.map(() => -1);
  for (const list of neighbours) {
    for (let k = 0; k < list.length; k++) {
      const row = list[k] as number;
      degrees[row] = (degrees[row] as number) + 1;
    }
  }
  return degrees;
}

/** A row this many times as far from its neighbours as the median row is: honest rows stay below (see outliers). */
const FAR_RATIO = 1.5;

/**
 * Rows that fewer than f others count as a neighbour and that lie far off: the root of the summed squared distances to
 * their own n - f - 1 nearest is above 1.5 times the median row's. Votes alone would always name somebody, since the
 * oddest of honest rows has few as well. Measured on glyphs over three seeds, alpha 1, 5 and 7 nodes: honest rows reach
 * 1.48, liars (sign flip, label flip) have a median of 4 to 8.
 */
export function outliers(
  distances: Float64Array,
  neighbours: readonly Uint16Array[],
  degrees: readonly number[],
  f: number,
): number[] {
  const n = neighbours.length;
  const remoteness = neighbours.map((list, i) => {
    let sum = 0;
    for (let k = 0; k < list.length; k++) sum += distances[i * n + (list[k] as number)] as number;
    return Math.sqrt(sum);
  });
  const middle = remoteness.toSorted((a, b) => a - b)[Math.floor((n - 1) / 2)] ?? 0;
  return degrees.flatMap((degree, i) =>
    degree < f && (remoteness[i] as number) > FAR_RATIO * middle ? [i] : [],
  );
}
