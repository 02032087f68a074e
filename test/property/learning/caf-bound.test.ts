// The bound that docs/robustness.md proves of CAF: whichever n - f rows are taken for the honest ones, the result is as near to their
// mean as their greatest variance in any direction allows.

import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { aggregatorNamed, plainKernels, SeededRandom } from "../../../src/learning/index.ts";
import { topDirection } from "../../../src/learning/aggregators/gram/principal-direction.ts";
import { kappaOf } from "../../../src/sim/checkers/learning-bound.ts";

const seed = 20_261_123;
/** Of the squared distance: what float32 and the 2^-24 of the weights add, relative to the longest row. */
const ROUNDING = 1e-9;

const inner = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, value, c) => sum + value * (b[c] ?? 0), 0);

/** Rows of noise, of which the first f lie on one side or on both, near or far. */
const histories = fc
  .record({
    n: fc.integer({ min: 3, max: 9 }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    decades: fc.double({ min: -1, max: 5, noNaN: true }),
    sides: fc.boolean(),
    noise: fc.nat(),
  })
  .map(({ n, share, decades, sides, noise }) => {
    const random = new SeededRandom("test/caf", noise);
    const f = Math.min(Math.floor((n - 1) / 2), Math.floor((share * n) / 2));
    const rows = Array.from({ length: n }, (_, i) => {
      const row = Float32Array.from({ length: 4 }, () => random.normal());
      if (i < f) row[0] = (sides && i % 2 === 1 ? -1 : 1) * 10 ** decades;
      return row;
    });
    return { rows, f };
  });

function subsets(n: number, size: number, from = 0): number[][] {
  if (size === 0) return [[]];
  const firsts = Array.from({ length: Math.max(0, n - size - from + 1) }, (_, i) => from + i);
  return firsts.flatMap((first) => subsets(n, size - 1, first + 1).map((rest) => [first, ...rest]));
}

test(`CAF keeps its bound for every n - f of the rows (seed ${seed}).`, () => {
  let tightest = 0;
  fc.assert(
    fc.property(histories, ({ rows, f }) => {
      const n = rows.length;
      const kappa = kappaOf("caf", n, f) ?? Number.NaN;
      const result = aggregatorNamed("caf").aggregate(rows, f, { kernels: plainKernels });
      assert.ok(result.ok);
      const { vector } = result.value;
      const longest = Math.max(...rows.map((row) => inner(row, row)));
      for (const chosen of subsets(n, n - f)) {
        const honest = chosen.map((i) => rows[i] as Float32Array);
        const size = honest.length;
        const mean = vector.map((_, c) => honest.reduce((sum, row) => sum + row[c]!, 0) / size);
        const apart = vector.map((value, c) => value - mean[c]!);
        const values = Float64Array.from(honest.flatMap((a) => honest.map((b) => inner(a, b))));
        const { variance } = topDirection({ n: size, values }, new Float64Array(size).fill(1));
        const moved = inner(apart, apart);
        assert.ok(moved <= kappa * variance + ROUNDING * longest, `${moved} of ${variance}, ${f}`);
        if (f > 0) tightest = Math.max(tightest, moved / (kappa * variance));
      }
    }),
    { seed, numRuns: 400 },
  );
  assert.ok(tightest > 0.01, `the bound is not idle: ${tightest}`);
});
