// Means of rows of an n x n matrix (reference 3.6 step 4): nearest-neighbour mixing in Gram space is two of them.

/**
 * For each of `n` lists of `size` row numbers (32 bits each, ascending) the mean of these rows of `matrix` into a row of `out`, eight
 * columns of it from `c` on. Rows of both are `stride` float64 apart, an even number of at least n. Sums are float64 in the order of
 * the list. The columns are first brought together in `panel` (64 n bytes), where all lists read them from the cache.
 */
export function meanColumns(
  matrix: usize, n: usize, stride: usize, lists: usize, size: usize, panel: usize, out: usize, c: usize,
): void {
  const width = min(stride - c, 8) << 3;
  for (let i: usize = 0; i < n; i++) memory.copy(panel + (i << 6), matrix + ((i * stride + c) << 3), width);
  const count = f64x2.splat(<f64>size);
  for (let k: usize = 0; k < n; k++) {
    let s0 = f64x2.splat(0), s1 = s0, s2 = s0, s3 = s0;
    const list = lists + ((k * size) << 2);
    for (let at = list; at < list + (size << 2); at += 4) {
      const row = panel + (<usize>load<u32>(at) << 6);
      s0 = f64x2.add(s0, v128.load(row));
      s1 = f64x2.add(s1, v128.load(row, 16));
      s2 = f64x2.add(s2, v128.load(row, 32));
      s3 = f64x2.add(s3, v128.load(row, 48));
    }
    const to = out + ((k * stride + c) << 3);
    v128.store(to, f64x2.div(s0, count));
    if (width > 16) v128.store(to, f64x2.div(s1, count), 16);
    if (width > 32) v128.store(to, f64x2.div(s2, count), 32);
    if (width > 48) v128.store(to, f64x2.div(s3, count), 48);
  }
}
