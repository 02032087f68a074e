// Means of many rows out of the same n, in plain TypeScript: twin of wasm/learning/matrix.ts.
//
// Lists of nearest neighbours are much alike, so each is taken as a difference: the sum of the base (the rows that more than half of the lists
// have), less those that are missing, plus the others. Far liars are never in the base: with f < n / 2 of them, only their own lists
// have them. So what is subtracted is of the size of what stays, and no digits of honest rows are lost.

/**
 * How lists are made out of their base: the number of rows of the base, and these; then for each list the same of the rows to subtract, and of
 * those to add. All ascending.
 */
export type MixingPlan = Uint32Array;

/** @param lists of one length, ascending */
export function mixingPlan(n: number, lists: readonly Uint16Array[]): MixingPlan {
  const counts = new Uint32Array(n);
  for (const list of lists) mark(counts, list);
  const isBase = Uint8Array.from(counts, (count) => (2 * count > lists.length ? 1 : 0));
  const base = Uint16Array.from(isBase.keys()).filter((i) => isBase[i] === 1);
  const shared = base.reduce((sum, i) => sum + (counts[i] as number), 0);
  const listed = lists.reduce((sum, list) => sum + list.length, 0);
  const differing = base.length * lists.length + listed - 2 * shared;
  const plan = new Uint32Array(1 + base.length + 2 * lists.length + differing);
  const isListed = new Uint8Array(n);
  let at = append(plan, 0, base, isListed);
  for (const list of lists) {
    isListed.fill(0);
    mark(isListed, list);
    at = append(plan, at, base, isListed);
    at = append(plan, at, list, isBase);
  }
  return plan;
}

function mark(counts: Uint32Array | Uint8Array, rows: Uint16Array): void {
  for (let k = 0; k < rows.length; k++) {
    const row = rows[k] as number;
    counts[row] = (counts[row] as number) + 1;
  }
}

/** Appends the rows but those that are marked, behind their number; gives where the next may begin. */
function append(plan: MixingPlan, begin: number, rows: Uint16Array, but: Uint8Array): number {
  let end = begin + 1;
  for (let k = 0; k < rows.length; k++) {
    const row = rows[k] as number;
    if (but[row] === 0) plan[end++] = row;
  }
  plan[begin] = end - begin - 1;
  return end;
}

/**
 * For a symmetric n x n matrix of inner products of rows, those of the means of the rows in each list: the means of the listed
 * rows of the matrix, and of these the means of the listed columns. The upper triangle is computed and mirrored.
 */
export function mixed(
  matrix: Float64Array,
  n: number,
  lists: readonly Uint16Array[],
): Float64Array {
  const plan = mixingPlan(n, lists);
  const size = lists[0]?.length ?? 0;
  const halfway = new Float64Array(n * n);
  const products = new Float64Array(n * n);
  eachMean(matrix, n, plan, size, (mean, k) => {
    for (let c = 0; c < n; c++) halfway[c * n + k] = mean[c] as number;
  });
  eachMean(halfway, n, plan, size, (mean, k) => {
    for (let c = k; c < n; c++) {
      products[k * n + c] = mean[c] as number;
      products[c * n + k] = mean[c] as number;
    }
  });
  return products;
}

function eachMean(
  matrix: Float64Array,
  n: number,
  plan: MixingPlan,
  size: number,
  take: (mean: Float64Array, k: number) => void,
): void {
  let at = 0;
  const next = (): Uint32Array => {
    const begin = at + 1;
    at = begin + (plan[at] as number);
    return plan.subarray(begin, at);
  };
  const whole = new Float64Array(n);
  addRows(whole, matrix, next(), 1);
  const mean = new Float64Array(n);
  for (let k = 0; at < plan.length; k++) {
    mean.set(whole);
    addRows(mean, matrix, next(), -1);
    addRows(mean, matrix, next(), 1);
    for (let c = 0; c < n; c++) mean[c] = (mean[c] as number) / size;
    take(mean, k);
  }
}

function addRows(sums: Float64Array, matrix: Float64Array, rows: Uint32Array, sign: 1 | -1): void {
  const n = sums.length;
  for (const i of rows) {
    for (let c = 0; c < n; c++) {
      sums[c] = (sums[c] as number) + sign * (matrix[i * n + c] as number);
    }
  }
}
