// How matrices of pairs leave wasm memory.

/** Rows in memory come in fours; those that are too many are zero. */
export function paddedRows(n: number): number {
  return 4 * Math.ceil(n / 4);
}

/** The symmetric n x n matrix of which `at` tells where the entry i, j with i <= j stands. */
export function mirrored(
  entries: Float64Array,
  n: number,
  at: (i: number, j: number) => number,
): Float64Array {
  const matrix = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = i; j < n; j++) {
      const value = entries[at(i, j)] as number;
      matrix[i * n + j] = value;
      matrix[j * n + i] = value;
    }
  }
  return matrix;
}

/** Room of the trimmed mean of n rows: what wasm/learning/select.ts says. */
export function selectRoomBytes(n: number): number {
  return 64 + 80 * paddedRows(n);
}
