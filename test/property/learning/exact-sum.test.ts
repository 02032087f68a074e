// The final sum of rows on a grid is exact: equal to the sum in whole numbers, in whatever order it is taken.

import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { aggregatorNamed, plainKernels } from "../../../src/learning/index.ts";

const seed = 20_261_122;
const rules = ["arc+nnm+geometric-median", "arc+caf", "multi-krum", "centered-clipping"] as const;

/** Rows of int8 values, and the step's exponent. */
const cases = fc.record({
  rows: fc
    .record({ n: fc.integer({ min: 7, max: 14 }), length: fc.integer({ min: 1, max: 9 }) })
    .chain(({ n, length }) =>
      fc.array(
        fc.array(fc.integer({ min: -127, max: 127 }), { minLength: length, maxLength: length }),
        { minLength: n, maxLength: n },
      ),
    ),
  exponent: fc.integer({ min: -40, max: 10 }),
});

test(`The sum of int8 rows is the exact one rounded once, and its order does not matter (seed ${seed}).`, () => {
  fc.assert(
    fc.property(cases, ({ rows, exponent }) => {
      const scaled = rows.map((row) => Float32Array.from(row, (value) => value * 2 ** exponent));
      for (const name of rules) {
        const result = aggregatorNamed(name).aggregate(scaled, 2, { kernels: plainKernels });
        assert.ok(result.ok);
        const { shares, vector } = result.value;
        const parts = shares.map((share) => BigInt(share * 2 ** 24));
        vector.forEach((value, c) => {
          const exact = parts.reduce((sum, part, i) => sum + part * BigInt(rows[i]?.[c] ?? 0), 0n);
          // The whole number is below 2^31, so it and its scaling are exact: the one rounding is to float32.
          assert.equal(value, Math.fround(Number(exact) * 2 ** (exponent - 24)) + 0, name);
        });
        const backwards = plainKernels.weightedSum(
          scaled.toReversed(),
          Float64Array.from(shares).reverse(),
        );
        assert.deepEqual(
          [...backwards].map((value) => value + 0),
          [...vector],
          name,
        );
      }
    }),
    { seed, numRuns: 200 },
  );
});

test(`Inner products and distances of int8 rows are exact (seed ${seed}).`, () => {
  fc.assert(
    fc.property(cases, ({ rows, exponent }) => {
      const scaled = rows.map((row) => Float32Array.from(row, (value) => value * 2 ** exponent));
      const unit = 4 ** exponent;
      const gram = plainKernels.gram(scaled);
      const distances = plainKernels.squaredDistances(scaled);
      rows.forEach((a, i) => {
        rows.forEach((b, j) => {
          const product = a.reduce((sum, value, c) => sum + value * (b[c] ?? 0), 0);
          const apart = a.reduce((sum, value, c) => sum + (value - (b[c] ?? 0)) ** 2, 0);
          assert.equal((gram[i * rows.length + j] ?? 0) + 0, product * unit + 0);
          assert.equal(distances[i * rows.length + j], apart * unit);
        });
      });
    }),
    { seed, numRuns: 100 },
  );
});
