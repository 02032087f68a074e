// Means of many rows out of the same n, in plain TypeScript: twin of wasm/learning/matrix.ts.
//
// Lists of nearest neighbours are much alike, so each is taken as a difference: the sum of the base (the rows that more than half of the lists
// have), less those that are missing, plus the others. Far liars are never in the base: with f < n / 2 of them, only their own lists
// have them. So what is subtracted is of the size of what stays, and no digits of honest rows are lost.

/** How lists are made out of their base: for each the rows to subtract and those to add, all ascending. */
export interface MixingPlan {
  readonly base: readonly number[];
  readonly lists: readonly {
    readonly missing: readonly number[];
    readonly extra: readonly number[];
  }[];
  /** Rows in each list. */
  readonly size: number;
}

/** @param lists of one length, ascending */
export function mixingPlan(n: number, lists: readonly (readonly number[])[]): MixingPlan {
  const counts = new Uint32Array(n);
  for (const list of lists) for (const i of list) counts[i] = (counts[i] as number) + 1;
  const isBase = Array.from(counts, (count) => 2 * count > lists.length);
  const base = isBase.flatMap((is, i) => (is ? [i] : []));
  const has = new Uint8Array(n);
  return {
    base,
    lists: lists.map((list) => {
      has.fill(0);
      for (const i of list) has[i] = 1;
      return {
        missing: base.filter((i) => has[i] === 0),
        extra: list.filter((i) => isBase[i] !== true),
      };
    }),
    size: lists[0]?.length ?? 0,
  };
}

/**
 * For a symmetric n x n matrix of inner products of rows, those of the means of the rows in each list: the means of the listed
 * rows of the matrix, and of these the means of the listed columns. The upper triangle is computed and mirrored.
 */
export function mixed(
  matrix: Float64Array,
  n: number,
  lists: readonly (readonly number[])[],
): Float64Array {
  const plan = mixingPlan(n, lists);
  const halfway = new Float64Array(n * n);
  const products = new Float64Array(n * n);
  eachMean(matrix, n, plan, (mean, k) => {
    for (let c = 0; c < n; c++) halfway[c * n + k] = mean[c] as number;
  });
  eachMean(halfway, n, plan, (mean, k) => {
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
  { base, lists, size }: MixingPlan,
  take: (mean: Float64Array, k: number) => void,
): void {
  const whole = new Float64Array(n);
  addRows(whole, matrix, base, 1);
  const mean = new Float64Array(n);
  for (const [k, { missing, extra }] of lists.entries()) {
    mean.set(whole);
    addRows(mean, matrix, missing, -1);
    addRows(mean, matrix, extra, 1);
    for (let c = 0; c < n; c++) mean[c] = (mean[c] as number) / size;
    take(mean, k);
  }
}

function addRows(
  sums: Float64Array,
  matrix: Float64Array,
  rows: readonly number[],
  sign: 1 | -1,
): void {
  const n = sums.length;
  for (const i of rows) {
    for (let c = 0; c < n; c++) {
      sums[c] = (sums[c] as number) + sign * (matrix[i * n + c] as number);
    }
  }
}
