// The value of a rank without sorting (Hoare 1961, with the median of three as pivot): n x n distances have hundreds of thousands of values, and
// their order is not needed.

/** Pivots tried before the rest is sorted: whoever sends bad ones on purpose gains nothing. */
const PIVOTS_MAX = 64;

/** The value of rank `rank`, 0 the least; the values, none of them NaN, change places. */
export function ofRank(values: Float64Array, rank: number): number {
  let [low, high] = [0, values.length - 1];
  for (let pivots = 0; low < high; pivots++) {
    if (pivots === PIVOTS_MAX) {
      values.subarray(low, high + 1).sort();
      break;
    }
    const pivot = medianOfThree(values, low, high);
    let [i, j] = [low, high];
    while (i <= j) {
      while ((values[i] as number) < pivot) i++;
      while ((values[j] as number) > pivot) j--;
      if (i > j) break;
      const held = values[i] as number;
      values[i] = values[j] as number;
      values[j] = held;
      i++;
      j--;
    }
    // Left of i nothing is above the pivot, right of j nothing below it, and between them it stands itself.
    if (rank <= j) high = j;
    else if (rank >= i) low = i;
    else break;
  }
  return values[rank] as number;
}

function medianOfThree(values: Float64Array, low: number, high: number): number {
  const a = values[low] as number;
  const b = values[(low + high) >> 1] as number;
  const c = values[high] as number;
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}
