// The pipelines of the Gram space against the same definitions written out over vectors, and what must hold of each
// whatever the rows are.

import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import {
  type AggregatorName,
  aggregatorNamed,
  aggregatorNames,
  plainKernels,
} from "../../../src/learning/index.ts";

type Vector = readonly number[];

const seed = 20_261_121;
const parameters = { seed, numRuns: 120 };

const coordinateRules: readonly string[] = [
  "mean",
  "median",
  "trimmed-mean",
  "nearest-neighbour-mixing",
];
const pipelines = aggregatorNames.filter((name) => !coordinateRules.includes(name));

const aggregate = (name: AggregatorName, rows: readonly Vector[], f: number) => {
  const result = aggregatorNamed(name).aggregate(
    rows.map((row) => Float32Array.from(row)),
    f,
    { kernels: plainKernels },
  );
  assert.ok(result.ok, name);
  return result.value;
};

/** Distinct powers in every row, so that no two distances tie. */
const cases = fc
  .record({
    n: fc.integer({ min: 3, max: 11 }),
    length: fc.integer({ min: 2, max: 6 }),
    noise: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  })
  .chain(({ n, length, noise }) =>
    fc.record({
      f: fc.integer({ min: 0, max: Math.floor((n - 1) / 2) }),
      rows: fc.constant(noisyRows(n, length, noise)),
    }),
  );

/** A multiplicative congruence is chance enough for rows without ties. */
function noisyRows(n: number, length: number, noise: number): number[][] {
  let state = noise;
  return Array.from({ length: n }, () =>
    Array.from({ length }, () => {
      state = (state * 48_271) % 2_147_483_647;
      return Math.fround(state / 2 ** 30 - 1);
    }),
  );
}

const add = (a: Vector, b: Vector, factor = 1): number[] =>
  a.map((value, c) => value + factor * (b[c] ?? 0));
const norm = (a: Vector): number => Math.sqrt(a.reduce((sum, value) => sum + value * value, 0));
const apart = (a: Vector, b: Vector): number => norm(add(a, b, -1));
const meanOf = (rows: readonly Vector[]): number[] =>
  rows.reduce<number[]>(
    (sum, row) => add(sum, row, 1 / rows.length),
    new Array<number>(rows[0]?.length ?? 0).fill(0),
  );

function clip(rows: readonly Vector[], f: number): Vector[] {
  const n = rows.length;
  const lengths = rows.map(norm).sort((a, b) => b - a);
  const limit = lengths[Math.floor((2 * f * (n - f)) / n)] ?? 0;
  return rows.map((row) => (norm(row) > limit ? row.map((v) => (v * limit) / norm(row)) : row));
}

function mix(rows: readonly Vector[], f: number): Vector[] {
  return rows.map((row) =>
    meanOf(rows.toSorted((a, b) => apart(a, row) - apart(b, row)).slice(0, rows.length - f)),
  );
}

/** The sum of distances that the geometric median makes least. */
const total = (rows: readonly Vector[], at: Vector): number =>
  rows.reduce((sum, row) => sum + apart(row, at), 0);

/** The least of it, by many more steps than the rule takes. */
function leastTotal(rows: readonly Vector[]): number {
  let at = meanOf(rows);
  let least = total(rows, at);
  for (let step = 0; step < 300; step++) {
    const inverse = rows.map((row) => 1 / Math.max(apart(row, at), 1e-12));
    const whole = inverse.reduce((a, b) => a + b, 0);
    at = rows.reduce<number[]>(
      (sum, row, i) => add(sum, row, (inverse[i] ?? 0) / whole),
      at.map(() => 0),
    );
    least = Math.min(least, total(rows, at));
  }
  return Math.min(least, ...rows.map((row) => total(rows, row)));
}

function multiKrum(rows: readonly Vector[], f: number, kept: number): number[] {
  const n = rows.length;
  const score = (row: Vector): number =>
    rows
      .filter((other) => other !== row)
      .map((other) => apart(row, other) ** 2)
      .sort((a, b) => a - b)
      .slice(0, n - f - 2)
      .reduce((a, b) => a + b, 0);
  return meanOf(rows.toSorted((a, b) => score(a) - score(b)).slice(0, kept));
}

function centeredClipping(rows: readonly Vector[]): number[] {
  let at = (rows[0] ?? []).map(() => 0);
  for (let step = 0; step < 3; step++) {
    const away = rows.map((row) => apart(row, at));
    const radius = away.toSorted((a, b) => a - b)[Math.floor((rows.length - 1) / 2)] ?? 0;
    const from = at;
    at = rows.reduce<number[]>(
      (sum, row, i) =>
        add(sum, add(row, from, -1), Math.min(1, radius / (away[i] ?? 1)) / rows.length),
      [...from],
    );
  }
  return at;
}

const oracles: Partial<Record<AggregatorName, (rows: readonly Vector[], f: number) => Vector>> = {
  krum: (rows, f) => multiKrum(rows, f, 1),
  "multi-krum": (rows, f) => multiKrum(rows, f, rows.length - f),
  "centered-clipping": centeredClipping,
};

test(`Pipelines in Gram space equal the same written out over vectors (seed ${seed}).`, () => {
  let judged = 0;
  fc.assert(
    fc.property(cases, ({ rows, f }) => {
      for (const [name, oracle] of Object.entries(oracles)) {
        const rule = name as AggregatorName;
        if (rows.length < aggregatorNamed(rule).minimum(f)) continue;
        judged++;
        const { vector } = aggregate(rule, rows, f);
        oracle(rows, f).forEach((value, c) => {
          assert.ok(Math.abs((vector[c] ?? 0) - value) < 2e-5, `${name}: ${vector[c]}, ${value}`);
        });
      }
    }),
    parameters,
  );
  assert.ok(judged > parameters.numRuns);
});

test(`Sixteen steps come within two per cent of the geometric median, also of clipped and mixed rows (seed ${seed}).`, () => {
  const before: Partial<Record<AggregatorName, (rows: readonly Vector[], f: number) => Vector[]>> =
    {
      "geometric-median": (rows) => [...rows],
      "nnm+geometric-median": mix,
      "arc+nnm+geometric-median": (rows, f) => mix(clip(rows, f), f),
    };
  fc.assert(
    fc.property(cases, ({ rows, f }) => {
      for (const [name, prepare] of Object.entries(before)) {
        const prepared = prepare(rows, f);
        const reached = total(prepared, [...aggregate(name as AggregatorName, rows, f).vector]);
        const least = leastTotal(prepared);
        assert.ok(reached <= 1.02 * least + 1e-5, `${name}: ${reached} of ${least}`);
      }
    }),
    parameters,
  );
});

test(`Without liars to fear every rule but Krum's choice and clipping is the mean of equal rows (seed ${seed}).`, () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -99, max: 99 }), {
        minLength: 1,
        maxLength: 5,
      }),
      (row) => {
        for (const name of pipelines) {
          const { vector } = aggregate(name, new Array<Vector>(7).fill(row), 2);
          row.forEach((value, c) => assert.ok(Math.abs((vector[c] ?? 0) - value) < 1e-4, name));
        }
      },
    ),
    parameters,
  );
});

test(`f liars at any distance move no robust rule farther than the honest rows spread (seed ${seed}).`, () => {
  fc.assert(
    fc.property(
      cases.filter(({ rows }) => rows.length >= 7),
      fc.integer({ min: 0, max: 30 }),
      ({ rows }, exponent) => {
        const f = Math.floor((rows.length - 3) / 3);
        const lying = rows.map((row, i) => (i < f ? row.map(() => 10 ** exponent) : row));
        const honest = lying.slice(f);
        const spread = Math.max(...honest.map((row) => apart(row, meanOf(honest))));
        const longest = Math.max(...honest.map(norm));
        for (const name of pipelines) {
          const { vector } = aggregate(name, lying, f);
          const moved = apart([...vector], meanOf(honest));
          // Four times the spread: the bound of the geometric median at a third is 2 (1 + r), r = 1.
          const bound = name === "centered-clipping" ? spread + longest : 4 * spread;
          assert.ok(moved <= bound, `${name}: moved ${moved}, spread ${spread}, 1e${exponent}`);
        }
      },
    ),
    parameters,
  );
});

test(`Shares are not negative and sum to 1, or less where rows were clipped (seed ${seed}).`, () => {
  fc.assert(
    fc.property(cases, ({ rows, f }) => {
      for (const name of pipelines) {
        if (rows.length < aggregatorNamed(name).minimum(f)) continue;
        const { shares } = aggregate(name, rows, f);
        assert.ok(
          shares.every((share) => share >= 0),
          name,
        );
        const whole = shares.reduce((a, b) => a + b, 0);
        const rounding = rows.length / 2 ** 25;
        assert.ok(whole <= 1 + rounding, name);
        if (!name.startsWith("arc+") && name !== "centered-clipping")
          assert.ok(whole >= 1 - rounding, `${name}: ${whole}`);
      }
    }),
    parameters,
  );
});

test(`The same rows give the same bits, and rows scaled by a power of two the same scaled (seed ${seed}).`, () => {
  fc.assert(
    fc.property(cases, ({ rows, f }) => {
      for (const name of pipelines) {
        if (rows.length < aggregatorNamed(name).minimum(f)) continue;
        const { vector } = aggregate(name, rows, f);
        assert.deepEqual(aggregate(name, rows, f).vector, vector);
        const scaled = aggregate(
          name,
          rows.map((row) => row.map((v) => v * 4)),
          f,
        ).vector;
        assert.deepEqual(
          [...scaled],
          [...vector].map((v) => v * 4),
          name,
        );
      }
    }),
    parameters,
  );
});
