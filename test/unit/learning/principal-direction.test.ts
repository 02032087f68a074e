// The direction of greatest variance against Jacobi's rotations of the covariance itself, and where an iteration could miss it.

import assert from "node:assert/strict";
import test from "node:test";
import { SeededRandom } from "../../../src/learning/index.ts";
import { topDirection } from "../../../src/learning/aggregators/gram/principal-direction.ts";

type Rows = readonly (readonly number[])[];

const inner = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, c) => sum + value * (b[c] ?? 0), 0);
const found = (rows: Rows, counts: readonly number[] = rows.map(() => 1)) => {
  const values = Float64Array.from(rows.flatMap((a) => rows.map((b) => inner(a, b))));
  return topDirection({ n: rows.length, values }, Float64Array.from(counts));
};
const near = (actual: number | undefined, expected: number, share = 1e-9): void =>
  assert.ok(
    Math.abs((actual ?? Number.NaN) - expected) <= share * Math.abs(expected),
    `${actual} is ${expected}`,
  );

/** The greatest eigenvalue of the weighted covariance, and the rows' squared projections: a thousand steps of the power iteration. */
function expected(rows: Rows, counts: readonly number[]) {
  const whole = counts.reduce((a, b) => a + b, 0);
  const mean = rows[0]!.map(
    (_, c) =>
      inner(
        counts,
        rows.map((row) => row[c]!),
      ) / whole,
  );
  const away = rows.map((row) => row.map((value, c) => value - mean[c]!));
  let direction = mean.map((_, c) => 1 + c / 7);
  let variance = 0;
  for (let step = 0; step < 1000; step++) {
    const along = away.map((row, i) => (inner(row, direction) * counts[i]!) / whole);
    const next = mean.map((_, c) =>
      inner(
        along,
        away.map((row) => row[c]!),
      ),
    );
    variance = Math.sqrt(inner(next, next));
    direction = next.map((value) => value / variance);
  }
  return { variance, parts: away.map((row) => inner(row, direction) ** 2) };
}

function noise(n: number, length: number, seed: number): number[][] {
  const random = new SeededRandom("test/principal-direction", seed);
  return Array.from({ length: n }, () => Array.from({ length }, () => random.normal()));
}

test("Of few rows, weighted or not, it is the top eigenvector of their covariance.", () => {
  for (const seed of [1, 2, 3]) {
    const rows = noise(9, 5, seed);
    for (const counts of [rows.map(() => 1), rows.map((_, i) => i / 8)]) {
      const { variance, parts } = expected(rows, counts);
      const direction = found(rows, counts);
      near(direction.variance, variance);
      parts.forEach((part, i) => {
        const seen = counts[i]! > 0 ? part : 0;
        assert.ok(Math.abs(direction.parts[i]! - seen) < 1e-6, `row ${i}`);
      });
    }
  }
});

test("Of many rows it is never above the greatest variance, and within a tenth of it among noise alone.", () => {
  const rows = noise(200, 60, 4);
  const counts = rows.map(() => 1);
  const { variance } = expected(rows, counts);
  const direction = found(rows, counts);
  assert.ok(direction.variance <= variance * (1 + 1e-12) && direction.variance > 0.9 * variance);
  // The parts are those of a direction that there is: their mean is its variance, and that is not all found.
  const along = direction.parts.reduce((sum, part) => sum + part, 0) / rows.length;
  assert.ok(along > direction.variance * (1 + 1e-9), `${along}`);
  assert.ok(along <= variance * (1 + 1e-9), `${along} of ${variance}`);
});

test("A third of the rows that agree on a direction are found, wherever they stand.", () => {
  for (const place of [0, 70, 140]) {
    const rows = noise(200, 60, 5).map((row, i) =>
      i >= place && i < place + 60 ? row.map((value, c) => value + (c === 3 ? 6 : 0)) : row,
    );
    const { variance, parts } = expected(
      rows,
      rows.map(() => 1),
    );
    const direction = found(rows);
    near(direction.variance, variance, 1e-6);
    near(direction.parts[place], parts[place]!, 0.01);
  }
});

test("Two rows, mirrored rows and rows of one line have one: a start that cancels would see none.", () => {
  near(found([[1], [3]]).variance, 1);
  near(found([[-2], [2], [-2], [2]]).variance, 4);
  near(
    found([
      [0, 5],
      [5, 0],
      [0, -5],
      [-5, 0],
    ]).variance,
    12.5,
  );
  near(
    found([
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 4],
    ]).variance,
    2.5,
  );
});

test("Equal rows have none, and one far row is all of it, 10^30 times as long or not.", () => {
  assert.deepEqual(
    found([
      [7, 1],
      [7, 1],
      [7, 1],
    ]).parts,
    new Float64Array(3),
  );
  assert.equal(found([[0], [0]]).variance, 0);
  assert.equal(found([[3]]).variance, 0);
  for (const far of [100, 1e30]) {
    const { parts, variance } = found([
      [0, 1],
      [0, -1],
      [1, 0],
      [-1, 0],
      [far, 0],
    ]);
    near(variance, 0.16 * far * far, 0.01);
    assert.equal(parts.indexOf(Math.max(...parts)), 4);
  }
});
