// The cost law: fits what it should, with intervals that hold, and says what it is worth at sizes held out.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../../src/sim/index.ts";
import { type CostPoint, fitCostLaw, heldOut, predict } from "../../../src/sim/scaling/cost-law.ts";
import { human, inUnit } from "../../../src/sim/scaling/costs.ts";

const SIZES = [100, 500, 1_000, 2_000, 10_000];

function points(cost: (nodes: number) => number, sizes = SIZES): CostPoint[] {
  return sizes.map((nodes) => ({ nodes, cost: cost(nodes) }));
}

test("an exact power law is found, and its intervals are as good as nothing", () => {
  const law = fitCostLaw(points((nodes) => 3 * nodes ** 0.5));
  assert.ok(Math.abs(law.exponent - 0.5) < 1e-9);
  assert.ok(Math.abs(law.factor - 3) < 1e-9);
  assert.ok(law.exponentError < 1e-6 && law.explained > 1 - 1e-12);
  assert.ok(Math.abs(law.at(100_000) - 3 * 100_000 ** 0.5) < 1e-6);
});

test("the exponent's interval holds the truth in about 95 of 100 noisy fits", () => {
  const random = SeededRandom.fromSeed(1);
  let held = 0;
  for (let round = 0; round < 400; round++) {
    const noise = (): number => {
      let total = 0;
      for (let i = 0; i < 12; i++) total += random.fraction();
      return 1.1 ** (total - 6); // twelve uniforms: normal enough
    };
    const law = fitCostLaw(points((nodes) => 7 * nodes ** 0.5 * noise()));
    if (Math.abs(law.exponent - 0.5) <= law.exponentError) held++;
  }
  assert.ok(held > 360 && held < 396, `${held} of 400`);
});

test("a size held out is predicted by the smaller ones alone", () => {
  const law = points((nodes) => (nodes === 10_000 ? 400 : 2 * nodes ** 0.5));
  const held = heldOut(law);
  assert.deepEqual(
    held.map(({ nodes }) => nodes),
    [1_000, 2_000, 10_000],
  );
  assert.ok(Math.abs((held[2]?.predicted ?? 0) - 200) < 1e-6);
  assert.equal(held[2]?.measured, 400);
});

test("a prediction's error bar is at least as wide as the worst miss at a size held out", () => {
  const exact = predict(
    points((nodes) => nodes),
    100_000,
  );
  assert.ok(exact.high / exact.low < 1.0001);
  const missed = points((nodes) => (nodes === 10_000 ? 3 * nodes : nodes));
  const { cost, low, high } = predict(missed, 100_000);
  assert.ok(high / cost >= 3 && cost / low >= 3);
});

test("two points make a law whose intervals are open; one makes none, nor does a cost of 0", () => {
  const law = fitCostLaw(points((nodes) => nodes, [10, 100]));
  assert.ok(Math.abs(law.exponent - 1) < 1e-9);
  assert.equal(law.exponentError, Infinity);
  assert.equal(law.errorFactorAt(1_000), Infinity);
  assert.throws(() => fitCostLaw(points((nodes) => nodes, [10, 10])), RangeError);
  assert.throws(() => fitCostLaw(points(() => 0)), RangeError);
});

test("numbers are written with three digits and their unit", () => {
  assert.deepEqual([0.5, 12.345, 999.4, 999.5, 123_456, 7.8e9, 1e13].map(human), [
    "0.5",
    "12.3",
    "999",
    "1 k",
    "123 k",
    "7.8 G",
    "∞",
  ]);
  assert.equal(inUnit(12_345, { unit: "B/s" }), "12.3 kB/s");
  assert.equal(inUnit(12, { unit: "B" }), "12 B");
  assert.equal(inUnit(12_345.6, { unit: "µs/s" }), "12,346 µs/s");
});
