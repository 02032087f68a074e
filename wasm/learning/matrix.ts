// Means of rows of an n x n matrix (reference 3.6 step 4): nearest-neighbour mixing in Gram space is two of them.

/**
 * For each of the first `lines` of lists of `size` row numbers (32 bits each, ascending) the mean of these rows of `matrix`, eight columns
 * of it from `c` on, written transposed: mean k of column c to row c, column k of `out`. Sums are float64 in the order of the list. The
 * columns are first brought together in `panel` (64 n bytes), where all lists read them from the cache.
 */
export function meanColumns(
  matrix: usize, n: usize, lists: usize, lines: usize, size: usize, panel: usize, out: usize, c: usize,
): void {
  const width = min(n - c, 8);
  for (let i: usize = 0; i < n; i++) memory.copy(panel + (i << 6), matrix + ((i * n + c) << 3), width << 3);
  const count = f64x2.splat(<f64>size);
  const line = n << 3;
  for (let k: usize = 0; k < lines; k++) {
    let s0 = f64x2.splat(0), s1 = s0, s2 = s0, s3 = s0;
    const list = lists + ((k * size) << 2);
    for (let at = list; at < list + (size << 2); at += 4) {
      const row = panel + (<usize>load<u32>(at) << 6);
      s0 = f64x2.add(s0, v128.load(row));
      s1 = f64x2.add(s1, v128.load(row, 16));
      s2 = f64x2.add(s2, v128.load(row, 32));
      s3 = f64x2.add(s3, v128.load(row, 48));
    }
    const to = out + ((c * n + k) << 3);
    storePair(f64x2.div(s0, count), to, line, width);
    storePair(f64x2.div(s1, count), to + 2 * line, line, width - 2);
    storePair(f64x2.div(s2, count), to + 4 * line, line, width - 4);
    storePair(f64x2.div(s3, count), to + 6 * line, line, width - 6);
  }
}

/** Stores the lanes a line apart, as far as there are columns for them. */
@inline
function storePair(pair: v128, to: usize, line: usize, columns: isize): void {
  if (columns > 0) v128.store64_lane(to, pair, 0);
  if (columns > 1) v128.store64_lane(to + line, pair, 1);
}
