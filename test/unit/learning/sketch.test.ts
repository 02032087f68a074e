// Sketches keep distances on average, and as near as their size says.

import assert from "node:assert/strict";
import test from "node:test";
import { noiseLanes, plainKernels, SeededRandom, SKETCH } from "../../../src/learning/index.ts";

const seeds = 200;
const random = new SeededRandom("test/sketch", 1);
const noiseOf = (seed: number): Int32Array => noiseLanes(new SeededRandom("test/sketch", seed));
const squaredApart = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, value, i) => sum + (value - (b[i] ?? 0)) ** 2, 0);

/** Mean and root of the mean square of the relative error of a squared distance, over draws. */
function errorsOf(a: Float32Array, b: Float32Array): { mean: number; deviation: number } {
  const errors = Array.from({ length: seeds }, (_, seed) => {
    const [x, y] = plainKernels.sketched([a, b], noiseOf(seed));
    return squaredApart(x as Float32Array, y as Float32Array) / squaredApart(a, b) - 1;
  });
  const meanOf = (values: number[]): number => values.reduce((s, v) => s + v, 0) / values.length;
  return { mean: meanOf(errors), deviation: Math.sqrt(meanOf(errors.map((e) => e * e))) };
}

const cases: Record<string, () => number> = {
  "dense rows": () => random.normal(),
  "rows whose length lies in few coordinates": () => (random.below(100) === 0 ? 30 : 0.01),
};

for (const [name, coordinate] of Object.entries(cases)) {
  test(`Squared distances of ${name} have no bias, and the error that ${SKETCH} buckets allow.`, () => {
    const [a, b] = [0, 1].map(() => Float32Array.from({ length: 10_000 }, coordinate));
    const { mean, deviation } = errorsOf(a as Float32Array, b as Float32Array);
    const standard = Math.sqrt(2 / SKETCH);
    assert.ok(Math.abs(mean) < (5 * standard) / Math.sqrt(seeds), `mean ${mean}`);
    assert.ok(deviation < 1.25 * standard, `deviation ${deviation}`);
    assert.ok(deviation > 0.5 * standard, `deviation ${deviation}: the draws are used`);
  });
}

test("Coordinates of one tile never meet, so rows of one tile keep their distances.", () => {
  const [a, b] = [0, 1].map(() => Float32Array.from({ length: 512 }, () => random.below(9)));
  for (let seed = 0; seed < 20; seed++) {
    const [x, y] = plainKernels.sketched([a as Float32Array, b as Float32Array], noiseOf(seed));
    const apart = squaredApart(a as Float32Array, b as Float32Array);
    assert.equal(squaredApart(x as Float32Array, y as Float32Array), apart);
  }
});

test("Other draws hide a row elsewhere: what cancels in one sketch does not in the next.", () => {
  // Two tiles that cancel where the same buckets meet with opposite signs.
  const row = new Float32Array(1024).fill(1);
  const lengths = Array.from({ length: 50 }, (_, seed) => {
    const [sketch] = plainKernels.sketched([row], noiseOf(seed));
    return squaredApart(sketch as Float32Array, new Float32Array(SKETCH));
  });
  assert.ok(new Set(lengths).size > 20);
});
