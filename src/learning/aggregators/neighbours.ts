// Nearest neighbours among the rows: the base of nearest-neighbour mixing, and the one statistic by which every rule
// reports outliers, so that reports of different rules compare.

import { ofRank } from "./selection.ts";

/** For each row itself and its n - f - 1 nearest others, on ties the lower rows: ascending by row. */
export function nearestNeighbours(distances: Float64Array, n: number, f: number): number[][] {
  const unordered = new Float64Array(n);
  return Array.from({ length: n }, (_, i) => {
    const line = distances.slice(i * n, (i + 1) * n);
    // Nearer than any other, even one at distance 0.
    line[i] = -1;
    unordered.set(line);
    const farthest = ofRank(unordered, n - f - 1);
    let ties = n - f;
    for (const distance of line) if (distance < farthest) ties--;
    const list: number[] = [];
    for (let j = 0; j < n; j++) {
      const distance = line[j] as number;
      if (distance < farthest || (distance === farthest && ties-- > 0)) list.push(j);
    }
    return list;
  });
}

/** How many other rows count each row among their neighbours. */
export function inDegrees(neighbours: readonly (readonly number[])[]): number[] {
  const degrees = neighbours.map(() => 0);
  neighbours.forEach((list, i) => {
    for (const j of list) if (j !== i) degrees[j] = (degrees[j] ?? 0) + 1;
  });
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
  neighbours: readonly (readonly number[])[],
  degrees: readonly number[],
  f: number,
): number[] {
  const n = neighbours.length;
  const remoteness = neighbours.map((list, i) =>
    Math.sqrt(list.reduce((sum, j) => sum + (distances[i * n + j] as number), 0)),
  );
  const middle = remoteness.toSorted((a, b) => a - b)[Math.floor((n - 1) / 2)] ?? 0;
  return degrees.flatMap((degree, i) =>
    degree < f && (remoteness[i] as number) > FAR_RATIO * middle ? [i] : [],
  );
}
