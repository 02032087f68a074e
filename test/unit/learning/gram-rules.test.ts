// Rules of the Gram space on rows small enough to work out by hand.

import assert from "node:assert/strict";
import test from "node:test";
import { type AggregatorName, aggregatorNamed, plainKernels } from "../../../src/learning/index.ts";

const aggregate = (name: AggregatorName, f: number, ...rows: number[][]) => {
  const result = aggregatorNamed(name).aggregate(
    rows.map((row) => Float32Array.from(row)),
    f,
    { kernels: plainKernels },
  );
  assert.ok(result.ok, name);
  return result.value;
};
const near = (actual: number | undefined, expected: number, tolerance = 1e-6): void =>
  assert.ok(Math.abs((actual ?? Number.NaN) - expected) <= tolerance, `${actual} is ${expected}`);

test("The geometric median of rows on a line goes to the median, not to the mean.", () => {
  const { vector } = aggregate("geometric-median", 1, [0], [0], [4], [5], [100]);
  near(vector[0], 4, 0.01);
});

test("A row that the geometric median stands on does not make it a division by zero.", () => {
  near(aggregate("geometric-median", 1, [0], [0], [0], [9]).vector[0], 0, 1e-5);
  near(aggregate("geometric-median", 0, [7]).vector[0], 7);
  near(aggregate("geometric-median", 1, [0], [0], [0]).vector[0], 0);
});

test("Krum takes the row with the nearest n - f - 2 others; on a tie the lower row.", () => {
  // n = 5, f = 1: two nearest others. Scores 1+4, 1+1, 1+4, ...
  assert.deepEqual([...aggregate("krum", 1, [0], [1], [2], [50], [90]).vector], [1]);
  assert.deepEqual([...aggregate("krum", 1, [3], [3], [3], [3], [9]).vector], [3]);
  const tie = aggregate("krum", 1, [1], [-1], [1], [-1], [0]);
  assert.deepEqual(tie.shares, [1, 0, 0, 0, 0], "rows 0 to 3 score the same, the middle one 2");
});

test("Multi-Krum is the mean of the n - f lowest scores.", () => {
  const { vector, shares } = aggregate("multi-krum", 1, [0], [1], [2], [3], [90]);
  near(vector[0], 1.5);
  assert.deepEqual(shares, [0.25, 0.25, 0.25, 0.25, 0]);
});

test("Centered clipping cuts each pull at the median pull, three times from the base model.", () => {
  // The weight of the far row is a whole number of 2^-24: off by up to 1000 * 2^-25.
  // Pulls 1, 1, 1, 1 and 1000, clipped to 1: v = 1; then all but the last stand on it, and the median pull is 0.
  near(aggregate("centered-clipping", 1, [1], [1], [1], [1], [1000]).vector[0], 1, 1e-4);
  // Opposite pulls cancel.
  near(aggregate("centered-clipping", 1, [2], [-2], [0]).vector[0], 0);
});

test("CAF takes weight from the row along the direction of greatest variance first.", () => {
  const { shares } = aggregate("caf", 1, [0, 1], [0, -1], [0.5, 0], [-0.5, 0], [100, 0]);
  assert.equal(shares[4], 0);
  assert.ok(shares.slice(0, 4).every((share) => share > 0));
});

test("The spectral filter drops f rows in three turns and takes the mean of the rest.", () => {
  const rows = [
    [0, 0],
    [1, 0],
    [0, 1],
    [1, 1],
    [0.5, 0.5],
    [0.4, 0.6],
    [60, 0],
    [0, 90],
    [70, 70],
  ];
  const { shares, vector } = aggregate("spectral", 3, ...rows);
  assert.deepEqual(
    shares.map((share) => share > 0),
    [true, true, true, true, true, true, false, false, false],
  );
  near(vector[0], (0 + 1 + 0 + 1 + 0.5 + 0.4) / 6);
});

test("The spectral filter drops f rows and no more, also when its turns do not divide f.", () => {
  const rows = Array.from({ length: 11 }, (_, i) => [i * i]);
  const kept = aggregate("spectral", 5, ...rows).shares.filter((share) => share > 0);
  assert.deepEqual(kept, new Array(6).fill(Math.round(2 ** 24 / 6) / 2 ** 24));
});

test("Of equal rows the spectral filter drops the higher, and f = 0 drops none.", () => {
  assert.deepEqual(aggregate("spectral", 1, [1], [1], [1]).shares, [0.5, 0.5, 0]);
  assert.deepEqual(aggregate("spectral", 0, [0], [10]).shares, [0.5, 0.5]);
});

test("ARC shortens the floor(2 (f / n) (n - f)) longest rows to the next; none for f = 0.", () => {
  // n = 5, f = 1: floor(8 / 5) = 1 row, the one of length 40, to length 4.
  const clipped = aggregate("arc+spectral", 1, [1], [2], [3], [-4], [40]);
  const plain = aggregate("spectral", 1, [1], [2], [3], [-4], [40]);
  assert.equal(plain.shares[4], 0, "unclipped, the far row is the one that goes");
  near(clipped.shares[4], 4 / 40 / 4);
  assert.equal(clipped.shares[3], 0, "clipped, the one of the other sign is");
  assert.deepEqual(aggregate("arc+caf", 0, [1], [40]).shares, [0.5, 0.5]);
});

test("ARC of the fewest rows that stand a liar: with n = 4 and f = 1 the longest comes down to the next, and no other.", () => {
  const clipOf = (f: number, ...lengths: number[]) =>
    aggregate("arc+caf", f, ...lengths.map((length) => [0, length])).clip;
  assert.deepEqual(clipOf(1, 40, 1, -4, 2), [0.1, 1, 1, 1]);
  assert.deepEqual(clipOf(1, 1, 4, 2, -4), [1, 1, 1, 1], "of two longest neither is longer");
  assert.deepEqual(clipOf(1, 40, 1, 4), [0.1, 1, 1], "n = 3: floor(4 / 3)");
  assert.deepEqual(clipOf(2, 1, 40, 4, -40, 2), [1, 0.1, 1, 0.1, 1], "n = 5, f = 2: floor(12 / 5)");
  const far = aggregate("arc+caf", 1, [1, 0], [1.2, 0], [0.8, 0], [-1e6, 0]);
  assert.ok((far.vector[0] ?? 0) > 0.7, "one liar of four turns nothing round");
});

test("The share of a liar after clipping and mixing is small, and the report names it.", () => {
  const honest = [
    [1, 0],
    [1.1, 0],
    [0.9, 0.1],
    [1, 0.1],
    [1, -0.1],
  ];
  const { shares, rejected, inDegree } = aggregate(
    "arc+nnm+geometric-median",
    2,
    ...honest,
    [-8, 0],
    [-8, 0.1],
  );
  assert.deepEqual(rejected, [5, 6]);
  assert.deepEqual(inDegree.slice(5), [1, 1]);
  assert.ok((shares[5] ?? 1) + (shares[6] ?? 1) < 0.05, shares.join());
});
