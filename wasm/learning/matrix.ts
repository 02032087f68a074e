// Means of many rows of an n x n matrix (reference 3.6 step 4): nearest-neighbour mixing in Gram space is two of them. Twin of
// src/learning/kernels/mixing.ts, which says in which order rows are summed.

/**
 * For each of the first `lines` lists of a plan the mean of these rows of `matrix`, eight columns of it from `c` on, written transposed:
 * mean k of column c to row c, column k of `out`. The plan is 32-bit words: the number of rows of the base and these rows; then for each list
 * the same of those to subtract, and of those to add. A list has `size` rows in all. The columns are first brought together in `panel`
 * (64 n bytes), where all lists read them from the cache.
 */
export function meanColumns(
  matrix: usize, n: usize, plan: usize, lines: usize, size: usize, panel: usize, out: usize, c: usize,
): void {
  const width = min(n - c, 8);
  fillPanel(matrix + (c << 3), n, width, panel);
  const count = f64x2.splat(<f64>size);
  const line = n << 3;
  let at = plan + 4;
  let end = at + (<usize>load<u32>(plan) << 2);
  let b0 = f64x2.splat(0), b1 = b0, b2 = b0, b3 = b0;
  for (; at < end; at += 4) {
    const row = panel + (<usize>load<u32>(at) << 6);
    b0 = f64x2.add(b0, v128.load(row));
    b1 = f64x2.add(b1, v128.load(row, 16));
    b2 = f64x2.add(b2, v128.load(row, 32));
    b3 = f64x2.add(b3, v128.load(row, 48));
  }
  for (let k: usize = 0; k < lines; k++) {
    let s0 = b0, s1 = b1, s2 = b2, s3 = b3;
    end = at + 4 + (<usize>load<u32>(at) << 2);
    for (at += 4; at < end; at += 4) {
      const row = panel + (<usize>load<u32>(at) << 6);
      s0 = f64x2.sub(s0, v128.load(row));
      s1 = f64x2.sub(s1, v128.load(row, 16));
      s2 = f64x2.sub(s2, v128.load(row, 32));
      s3 = f64x2.sub(s3, v128.load(row, 48));
    }
    end = at + 4 + (<usize>load<u32>(at) << 2);
    for (at += 4; at < end; at += 4) {
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

/** Brings `width` columns of `n` rows together, eight float64 a row. Whole ones by registers: a call for so few bytes would take longer. */
@inline
function fillPanel(from: usize, n: usize, width: usize, panel: usize): void {
  const line = n << 3;
  for (const end = panel + (n << 6); panel < end; panel += 64, from += line) {
    if (width < 8) {
      memory.copy(panel, from, width << 3);
      continue;
    }
    v128.store(panel, v128.load(from));
    v128.store(panel, v128.load(from, 16), 16);
    v128.store(panel, v128.load(from, 32), 32);
    v128.store(panel, v128.load(from, 48), 48);
  }
}

/** Stores the lanes a line apart, as far as there are columns for them. */
@inline
function storePair(pair: v128, to: usize, line: usize, columns: isize): void {
  if (columns > 0) v128.store64_lane(to, pair, 0);
  if (columns > 1) v128.store64_lane(to + line, pair, 1);
}
