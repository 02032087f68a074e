import assert from "node:assert/strict";
import test from "node:test";
import {
  type Aggregator,
  aggregatorNamed,
  aggregatorNames,
  mean,
  median,
  nearestNeighbourMixing,
  plainKernels,
  trimmedMean,
} from "../../../src/learning/index.ts";

const rowsOf = (...rows: number[][]): Float32Array[] => rows.map((row) => Float32Array.from(row));
const run = (rule: Aggregator, rows: readonly Float32Array[], f: number) => {
  const result = rule.aggregate(rows, f, { kernels: plainKernels });
  assert.ok(result.ok, "the rule gave a result");
  return result.value;
};

test("The mean averages every row and rejects nobody.", () => {
  const { vector, shares, rejected } = run(mean, rowsOf([1, 2], [3, 4], [8, 0]), 0);
  assert.deepEqual([...vector], [4, 2]);
  assert.deepEqual(shares, [1 / 3, 1 / 3, 1 / 3]);
  assert.deepEqual(rejected, []);
});

test("The median takes the middle of an odd count and the mean of the two middles of an even one.", () => {
  assert.deepEqual([...run(median, rowsOf([5, -1], [1, 7], [9, 0]), 1).vector], [5, 0]);
  assert.deepEqual([...run(median, rowsOf([5], [1], [9], [6]), 1).vector], [5.5]);
});

test("The trimmed mean leaves out the f least and greatest of each coordinate.", () => {
  const rows = rowsOf([1, 50], [2, 40], [3, 30], [4, 20], [1000, -1000]);
  assert.deepEqual([...run(trimmedMean, rows, 1).vector], [3, 30]);
  assert.deepEqual([...run(trimmedMean, rows, 2).vector], [3, 30]);
});

test("The share of a row in a trimmed mean is how often it was kept.", () => {
  const { shares } = run(trimmedMean, rowsOf([1, 1], [2, 2], [3, 9]), 1);
  assert.deepEqual(shares, [0, 1, 0]);
});

test("Nearest-neighbour mixing pulls every row to its neighbours before trimming.", () => {
  // f = 1 of 4: each row averages its 3 nearest. 0,1,2 mix to 1; 100 mixes with 2 and 1.
  const { vector, inDegree, rejected, shares } = run(
    nearestNeighbourMixing,
    rowsOf([0], [1], [2], [100]),
    1,
  );
  assert.deepEqual([...vector], [1]);
  assert.deepEqual(inDegree, [2, 3, 3, 0]);
  assert.deepEqual(rejected, [3]);
  assert.ok(Math.abs(shares.reduce((a, b) => a + b, 0) - 1) < 1e-12);
});

test("Equal distances go to the lower row.", () => {
  // Row 1 lies midway between rows 0 and 2 and has one place beside itself (n - f = 2).
  const { inDegree } = run(nearestNeighbourMixing, rowsOf([0], [1], [2]), 1);
  assert.deepEqual(inDegree, [1, 2, 0]);
});

test("Two liars that vouch for each other are still rejected: f - 1 votes are no support.", () => {
  const rows = rowsOf([0], [0.1], [0.2], [0.3], [0.4], [90], [91]);
  for (const rule of [median, trimmedMean, nearestNeighbourMixing]) {
    const { inDegree, rejected } = run(rule, rows, 2);
    assert.deepEqual(inDegree.slice(5), [1, 1], rule.name);
    assert.deepEqual(rejected, [5, 6], rule.name);
  }
});

test("Robust rules want 2f + 1 rows, Krum's 2f + 3, and refuse one fewer; none falls back to the mean.", () => {
  for (const name of aggregatorNames.filter((other) => other !== "mean")) {
    const rule = aggregatorNamed(name);
    const least = name.includes("krum") ? 7 : 5;
    assert.equal(rule.minimum(2), least, name);
    const rows = rowsOf([1], [2], [3], [4], [5], [6], [7]).slice(0, least);
    assert.ok(rule.aggregate(rows, 2, { kernels: plainKernels }).ok, `${name} with ${least}`);
    const refused = rule.aggregate(rows.slice(1), 2, { kernels: plainKernels });
    assert.equal(refused.ok ? "" : refused.code, "learning/too-few-updates", name);
  }
});

test("Every rule refuses no rows, unequal lengths and numbers that are not finite, also in the result.", () => {
  for (const name of aggregatorNames) {
    const code = (rows: Float32Array[], f = 0): string => {
      const result = aggregatorNamed(name).aggregate(rows, f, { kernels: plainKernels });
      return result.ok ? "ok" : result.code;
    };
    assert.equal(code([]), "learning/too-few-updates");
    assert.equal(code(rowsOf([1]), -1), "learning/too-few-updates");
    assert.equal(code(rowsOf([1]), 0.5), "learning/too-few-updates");
    assert.equal(code(rowsOf([1, 2], [1, 2], [1])), "learning/wrong-shape");
    assert.equal(code(rowsOf([1], [1], [Number.NaN])), "learning/not-finite");
    assert.equal(code(rowsOf([1], [1], [Number.NEGATIVE_INFINITY])), "learning/not-finite");
    assert.equal(code(rowsOf([3e38], [3e38], [3e38])), "ok", name);
  }
});

test("A huge liar does not wipe out the digits of honest rows.", () => {
  const rows = rowsOf([1.25], [1.5], [1.75], [3e38]);
  assert.deepEqual([...run(nearestNeighbourMixing, rows, 1).vector], [1.5]);
});

test("Rules do not write into their rows.", () => {
  const rows = rowsOf([3, 1], [2, 2], [1, 3], [0, 5], [9, 9]);
  const before = rows.map((row) => [...row]);
  for (const name of aggregatorNames) run(aggregatorNamed(name), rows, 1);
  assert.deepEqual(
    rows.map((row) => [...row]),
    before,
  );
});

test("An honest oddity with few votes is no outlier until it lies 1.5 times as far off as the median row.", () => {
  for (const rule of [median, trimmedMean, nearestNeighbourMixing]) {
    assert.deepEqual(run(rule, rowsOf([0], [1], [2], [3.5], [4.5]), 2).rejected, [], rule.name);
    assert.deepEqual(run(rule, rowsOf([0], [1], [2], [3], [50]), 2).rejected, [4], rule.name);
  }
  // Rows 0 and 1 lie 1 apart, the third 1.5 off and then just beyond.
  assert.deepEqual(run(median, rowsOf([0], [1], [2.5]), 1).rejected, []);
  assert.deepEqual(run(median, rowsOf([0], [1], [2.51]), 1).rejected, [2]);
});
