import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { aggregatorNamed, type AggregatorName, plainKernels } from "../../../src/learning/index.ts";

/** The rules that work coordinate by coordinate; those of the Gram space have their own tests. */
const coordinateRules = ["mean", "median", "trimmed-mean", "nearest-neighbour-mixing"] as const;

const seed = 20_260_101;
const parameters = { seed, numRuns: 150 };

/** Integer values: sums and differences are exact, so that equalities below are equalities. */
const cases = fc
  .record({ n: fc.integer({ min: 1, max: 12 }), length: fc.integer({ min: 1, max: 9 }) })
  .chain(({ n, length }) =>
    fc.record({
      f: fc.integer({ min: 0, max: Math.floor((n - 1) / 2) }),
      rows: fc.array(
        fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: length, maxLength: length }),
        { minLength: n, maxLength: n },
      ),
      shift: fc.array(fc.integer({ min: -1000, max: 1000 }), {
        minLength: length,
        maxLength: length,
      }),
    }),
  );

const aggregate = (name: AggregatorName, rows: number[][], f: number) => {
  const result = aggregatorNamed(name).aggregate(
    rows.map((row) => Float32Array.from(row)),
    f,
    { kernels: plainKernels },
  );
  assert.ok(result.ok);
  return result.value;
};

const closeTo = (a: Float32Array, b: readonly number[], tolerance: number): void => {
  b.forEach((value, i) =>
    assert.ok(Math.abs((a[i] ?? 0) - value) <= tolerance, `${a[i]} is near ${value}`),
  );
};

test(`Coordinate rules equal a plain oracle (seed ${seed}).`, () => {
  fc.assert(
    fc.property(cases, ({ rows, f }) => {
      const n = rows.length;
      for (const [name, trim] of [
        ["median", Math.floor((n - 1) / 2)],
        ["trimmed-mean", f],
        ["mean", 0],
      ] as const) {
        const expected = (rows[0] ?? []).map((_, c) => {
          const column = rows
            .map((row) => row[c] ?? 0)
            .sort((a, b) => a - b)
            .slice(trim, n - trim);
          return Math.fround(column.reduce((a, b) => a + b, 0) / column.length);
        });
        assert.deepEqual(
          [...aggregate(name, rows, f).vector],
          expected.map((v) => v + 0),
          name,
        );
      }
    }),
    parameters,
  );
});

test(`Mixing equals a plain oracle (seed ${seed}).`, () => {
  fc.assert(
    fc.property(cases, ({ rows, f }) => {
      const distance = (a: number[], b: number[]): number =>
        a.reduce((sum, v, c) => sum + (v - (b[c] ?? 0)) ** 2, 0);
      const mixed = rows.map((row, i) => {
        const order = rows.map((other, j) => ({
          other,
          j,
          d: j === i ? -1 : distance(row, other),
        }));
        const near = order.sort((a, b) => a.d - b.d || a.j - b.j).slice(0, rows.length - f);
        return row.map((_, c) =>
          Math.fround(near.reduce((sum, { other }) => sum + (other[c] ?? 0), 0) / near.length),
        );
      });
      const expected = (rows[0] ?? []).map((_, c) => {
        const column = mixed
          .map((row) => row[c] ?? 0)
          .sort((a, b) => a - b)
          .slice(f, rows.length - f);
        return column.reduce((a, b) => a + b, 0) / column.length;
      });
      closeTo(aggregate("nearest-neighbour-mixing", rows, f).vector, expected, 1e-3);
    }),
    parameters,
  );
});

test(`Coordinate rules do not depend on the order of rows; all follow a translation (seed ${seed}).`, () => {
  fc.assert(
    fc.property(cases, ({ rows, f, shift }) => {
      for (const name of coordinateRules) {
        const { vector } = aggregate(name, rows, f);
        const moved = rows.map((row) => row.map((value, c) => value + (shift[c] ?? 0)));
        closeTo(
          aggregate(name, moved, f).vector,
          [...vector].map((v, c) => v + (shift[c] ?? 0)),
          2e-3,
        );
        if (name === "nearest-neighbour-mixing") continue; // Ties go by row, so its order is part of its input.
        assert.deepEqual([...aggregate(name, rows.toReversed(), f).vector], [...vector], name);
      }
    }),
    parameters,
  );
});

test(`Without ties mixing does not depend on the order either (seed ${seed}).`, () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 0, max: 16 }), { minLength: 3, maxLength: 9 }),
      (exponents) => {
        const rows = exponents.map((e) => [2 ** e]);
        const f = Math.floor((rows.length - 1) / 2);
        const forward = aggregate("nearest-neighbour-mixing", rows, f);
        const backward = aggregate("nearest-neighbour-mixing", rows.toReversed(), f);
        closeTo(backward.vector, [...forward.vector], 2 ** exponents.length * 1e-2);
      },
    ),
    parameters,
  );
});

test(`Shares sum to one and the result of robust rules stays within the honest range (seed ${seed}).`, () => {
  fc.assert(
    fc.property(cases, ({ rows, f }) => {
      const lying = rows.map((row, i) => (i < f ? row.map(() => 1e6) : row));
      for (const name of coordinateRules) {
        const { vector, shares } = aggregate(name, lying, f);
        assert.ok(Math.abs(shares.reduce((a, b) => a + b, 0) - 1) < 1e-9, name);
        if (name !== "median" && name !== "trimmed-mean") continue;
        vector.forEach((value, c) => {
          const honest = lying.slice(f).map((row) => row[c] ?? 0);
          assert.ok(
            value >= Math.min(...honest) - 1e-3 && value <= Math.max(...honest) + 1e-3,
            name,
          );
        });
      }
    }),
    parameters,
  );
});
