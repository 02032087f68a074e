// The attacks of colluding liars on rows whose statistics are known by hand.

import assert from "node:assert/strict";
import test from "node:test";
import {
  aggregatorNamed,
  omniscientAttack,
  type OmniscientAttackName,
  omniscientAttackNames,
  plainKernels,
  SeededRandom,
} from "../../../src/learning/index.ts";

const honest = [
  [1, 0],
  [3, 0],
  [2, 1],
  [2, -1],
].map((row) => Float32Array.from(row));
const mean = [2, 0];
const deviation = Math.SQRT1_2;

/** The median as the pipeline under attack. */
const aggregate = (attack: readonly Float32Array[]): Float32Array | undefined => {
  const result = aggregatorNamed("median").aggregate([...attack, ...honest], 1, {
    kernels: plainKernels,
  });
  return result.ok ? result.value.vector : undefined;
};
const context = () => ({ aggregate, random: new SeededRandom("test", 1) });
const rowsOf = (name: OmniscientAttackName, f = 2): number[][] =>
  omniscientAttack(name)
    .rows(honest, f, context())
    .map((row) => [...row]);
const near = (row: readonly number[] | undefined, expected: readonly number[]): void => {
  expected.forEach((value, c) =>
    assert.ok(Math.abs((row?.[c] ?? Number.NaN) - value) < 1e-5, String(row)),
  );
};
const apart = (a: readonly number[] | Float32Array, b: readonly number[] | Float32Array): number =>
  Math.hypot(...[...a].map((value, c) => value - (b[c] ?? 0)));

test("Every attack that sends rows sends as many as there are liars, and none without liars.", () => {
  for (const name of omniscientAttackNames) {
    const { rows, flags } = omniscientAttack(name);
    const silent = flags.withholds === true || flags.flipsLabels === true;
    assert.equal(rows(honest, 3, context()).length, silent ? 0 : 3, name);
    assert.equal(rows(honest, 0, context()).length, 0, name);
  }
});

test("Sign flip sends the opposite of the mean, IPM a tenth of it, ALIE z deviations below it.", () => {
  near(rowsOf("sign-flip")[0], [-2, 0]);
  near(rowsOf("ipm")[1], [-0.2, 0]);
  // n = 6, f = 2: needed = floor(6 / 2 + 1) - 2 = 2 of 4 honest: the median of the normal distribution, z = 0.
  near(rowsOf("alie")[0], mean);
  // n = 7, f = 3: needed = 1 of 4, so z of 3/4.
  near(rowsOf("alie", 3)[0], [2 - 0.67449 * deviation, -0.67449 * deviation]);
});

test("Min-max and min-sum lie as far as they can without being farther than honest rows lie from each other.", () => {
  const distances = (row: readonly number[]): number[] => honest.map((other) => apart(row, other));
  const most = Math.max(...honest.flatMap((row) => distances([...row])));
  const [minMax = []] = rowsOf("min-max");
  near([Math.max(...distances(minMax))], [most]);
  assert.ok((minMax[0] ?? 0) < 2 && (minMax[1] ?? 0) < 0, "down in every coordinate");
  const sum = (row: readonly number[]): number =>
    distances(row).reduce((total, distance) => total + distance ** 2, 0);
  near([sum(rowsOf("min-sum")[0] ?? [])], [Math.max(...honest.map((row) => sum([...row])))]);
});

const squares = (row: readonly number[], rows: readonly Float32Array[]): number[] =>
  rows.map((other) => apart(row, other) ** 2);
const limits = {
  "min-max": (squared: readonly number[]) => Math.max(...squared),
  "min-sum": (squared: readonly number[]) => squared.reduce((a, b) => a + b, 0),
};

for (const [name, cost] of Object.entries(limits)) {
  test(`${name} is at its limit among rows that lie anyhow: a thousandth farther would be past it`, () => {
    const random = new SeededRandom("test/attacks", 2);
    const rows = Array.from({ length: 9 }, () =>
      Float32Array.from({ length: 20 }, () => 3 + random.normal()),
    );
    const [first = new Float32Array(0), ...others] = omniscientAttack(
      name as OmniscientAttackName,
    ).rows(rows, 3, context());
    for (const other of others) assert.equal(other, first, "liars send the same");
    const allowed = Math.max(...rows.map((row) => cost(squares([...row], rows))));
    const middle = [...first].map((_, c) => rows.reduce((sum, row) => sum + (row[c] ?? 0), 0) / 9);
    const moved = (by: number) => [...first].map((v, c) => middle[c]! + by * (v - middle[c]!));
    assert.ok(cost(squares(moved(0.999), rows)) < allowed);
    assert.ok(cost(squares(moved(1.001), rows)) > allowed);
    [...first].forEach((value, c) => assert.ok(value < middle[c]!, "down in every coordinate"));
  });

  test(`${name} among equal rows is that row: there is nothing to hide behind`, () => {
    const same = Array.from({ length: 4 }, () => Float32Array.of(5, -5));
    const attack = omniscientAttack(name as OmniscientAttackName).rows(same, 1, context());
    assert.deepEqual(
      attack.map((row) => [...row]),
      [[5, -5]],
    );
  });
}

test("The optimal variants do at least as much damage to the pipeline as the plain ones.", () => {
  const damage = (name: OmniscientAttackName): number => {
    const attack = omniscientAttack(name).rows(honest, 2, context());
    return apart(aggregate(attack) ?? mean, mean);
  };
  assert.ok(damage("ipm-optimal") >= damage("ipm") && damage("ipm-optimal") > 0);
  assert.ok(damage("alie-optimal") >= damage("alie") && damage("alie-optimal") > 0);
});

test("A search against a pipeline that holds its model ends, with nothing won.", () => {
  const [row] = omniscientAttack("ipm-optimal").rows(honest, 2, {
    ...context(),
    aggregate: () => undefined,
  });
  near([...(row ?? [])], mean);
});

test("Mimic sends one honest row, and keeps to its victim after the first rounds.", () => {
  const attack = omniscientAttack("mimic");
  const outstanding = [
    [0, 0],
    [0, 1],
    [0, -1],
    [9, 0],
  ].map((row) => Float32Array.from(row));
  for (let round = 0; round < 25; round++) {
    assert.deepEqual([...(attack.rows(outstanding, 1, context())[0] ?? [])], [9, 0]);
  }
  const swapped = [outstanding[3], ...outstanding.slice(1, 3), outstanding[0]] as Float32Array[];
  assert.deepEqual([...(attack.rows(swapped, 1, context())[0] ?? [])], [0, 0], "node 3 still");
});

test("Noise is loud, a replay repeats the first round, and what is not finite is not.", () => {
  const [first = [], second = []] = rowsOf("gaussian");
  assert.notDeepEqual(first, second);
  const replay = omniscientAttack("stale-replay");
  near([...(replay.rows(honest, 1, context())[0] ?? [])], mean);
  near([...(replay.rows([Float32Array.of(7, 7)], 1, context())[0] ?? [])], mean);
  assert.ok(
    rowsOf("infinite")
      .flat()
      .every((value) => value === Number.POSITIVE_INFINITY),
  );
  assert.ok(rowsOf("not-a-number").flat().every(Number.isNaN));
  assert.deepEqual(rowsOf("zero")[0], [0, 0]);
});

test("What liars do beside sending rows stands in the flags.", () => {
  assert.deepEqual(omniscientAttack("label-flip").flags, { flipsLabels: true });
  assert.deepEqual(omniscientAttack("equivocation").flags, { equivocates: true });
  assert.deepEqual(omniscientAttack("withholding").flags, { withholds: true });
  assert.deepEqual(omniscientAttack("stale-replay").flags, { replays: true });
  assert.ok((omniscientAttack("huge-samples").flags.claimedSamples ?? 0) > 1e9);
});
