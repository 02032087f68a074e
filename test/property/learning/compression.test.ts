// Compressed updates: bounds, no bias, one encoding, and refusal of all else.

import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import {
  compress,
  compressedBytes,
  type CompressionSpec,
  decompress,
  ErrorFeedback,
  FIRST_STEP,
  isStep,
  nextStep,
} from "../../../src/learning/index.ts";

const seed = 20_261_123;
const parameters = { seed, numRuns: 200 };
const stepSize = 2 ** -6;
const specs: readonly CompressionSpec[] = [
  { kind: "none" },
  { kind: "int8" },
  { kind: "int4" },
  { kind: "top-k", share: 0.3 },
];
const contextOf = (length: number, round = "r1") => ({ length, stepSize, seed: round });
const vectors = fc
  .array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 40 })
  .map((values) => Float32Array.from(values));
/** Values that 112 steps of int4 hold. */
const inRange = fc
  .array(fc.float({ min: -1.5, max: 1.5, noNaN: true }), { minLength: 1, maxLength: 40 })
  .map((values) => Float32Array.from(values));

const roundTrip = (vector: Float32Array, spec: CompressionSpec, author = "a", round = "r1") => {
  const context = contextOf(vector.length, round);
  const bytes = compress(vector, spec, { ...context, author });
  assert.equal(bytes.length, compressedBytes(spec, vector.length));
  const row = decompress(bytes, spec, context);
  assert.ok(row.ok);
  return row.value;
};

test(`A value within range comes back less than one step off, one out of range at the limit (seed ${seed}).`, () => {
  const wide = [
    { spec: specs[1] as CompressionSpec, step: stepSize, most: 127 * stepSize },
    { spec: specs[2] as CompressionSpec, step: 16 * stepSize, most: 112 * stepSize },
  ];
  fc.assert(
    fc.property(vectors, fc.string(), (vector, author) => {
      for (const { spec, step, most } of wide) {
        roundTrip(vector, spec, author).forEach((value, i) => {
          const wanted = Math.min(most, Math.max(-most, vector[i] ?? 0));
          assert.ok(Math.abs(value - wanted) < step, `${value} for ${vector[i]}`);
          assert.ok(Math.abs(value) <= most);
          assert.ok(!Object.is(value, -0));
        });
      }
      const plain = roundTrip(vector, { kind: "none" });
      plain.forEach((value, i) => assert.ok(Object.is(value, (vector[i] ?? 0) + 0)));
    }),
    parameters,
  );
});

test(`Rounding has no bias: the mean over authors comes to the value (seed ${seed}).`, () => {
  const authors = 400;
  fc.assert(
    fc.property(inRange, fc.string(), (vector, round) => {
      for (const [spec, step] of [
        [{ kind: "int8" }, stepSize],
        [{ kind: "int4" }, 16 * stepSize],
      ] as const) {
        const sums = new Float64Array(vector.length);
        for (let author = 0; author < authors; author++) {
          roundTrip(vector, spec, `a${author}`, round).forEach((value, i) => {
            sums[i] = (sums[i] ?? 0) + value;
          });
        }
        // One rounding deviates by at most half a step: six standard errors.
        const allowed = (6 * 0.5 * step) / Math.sqrt(authors);
        sums.forEach((sum, i) =>
          assert.ok(Math.abs(sum / authors - (vector[i] ?? 0)) < allowed, `${sum / authors}`),
        );
      }
    }),
    { seed, numRuns: 15 },
  );
});

test(`Any bytes are read as the one update that gives them, or refused (seed ${seed}).`, () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 64 }),
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom(...specs),
      (bytes, length, spec) => {
        const row = decompress(bytes, spec, contextOf(length));
        if (!row.ok) return;
        assert.equal(bytes.length, compressedBytes(spec, length));
        assert.equal(row.value.length, length);
        assert.ok(row.value.every(Number.isFinite));
        // Values on the grid are not rounded again: u is below 1.
        const again = compress(row.value, spec, { ...contextOf(length), author: "b" });
        if (spec.kind === "none") return; // -0 came in and +0 went out
        assert.deepEqual([...again], [...bytes]);
      },
    ),
    { seed, numRuns: 2000 },
  );
});

test("Every way of lying about the length or using a value too many is refused.", () => {
  const code = (spec: CompressionSpec, length: number, ...bytes: number[]) => {
    const row = decompress(Uint8Array.from(bytes), spec, contextOf(length));
    return row.ok ? "ok" : row.code;
  };
  assert.equal(code({ kind: "int8" }, 2, 129, 127), "ok", "-127 and 127");
  assert.equal(code({ kind: "int8" }, 2, 128, 127), "learning/bad-update");
  assert.equal(code({ kind: "int8" }, 2, 1), "learning/wrong-shape");
  assert.equal(code({ kind: "int8" }, 2, 1, 2, 3), "learning/wrong-shape");
  assert.equal(code({ kind: "int4" }, 3, 0x97, 0x09), "ok");
  assert.equal(code({ kind: "int4" }, 3, 0x87, 0x09), "learning/bad-update");
  assert.equal(code({ kind: "int4" }, 3, 0x97, 0x19), "learning/bad-update");
  assert.equal(code({ kind: "int4" }, 3, 0x97), "learning/wrong-shape");
  assert.equal(code({ kind: "none" }, 1, 0, 0, 0xc0, 0x7f), "learning/not-finite");
  assert.equal(code({ kind: "none" }, 1, 0, 0, 0x80, 0xff), "learning/not-finite");
  assert.equal(code({ kind: "none" }, 2, 0, 0, 0, 0), "learning/wrong-shape");
  assert.equal(code({ kind: "top-k", share: 0.5 }, 4, 1, 2), "ok");
  assert.equal(code({ kind: "top-k", share: 0.5 }, 4, 1), "learning/wrong-shape");
});

test("An own update that is not finite, or of another shape, is an error and not bytes.", () => {
  for (const vector of [[Number.NaN, 0], [Number.POSITIVE_INFINITY, 0], [1]]) {
    for (const spec of specs) {
      assert.throws(() =>
        compress(Float32Array.from(vector), spec, { ...contextOf(2), author: "a" }),
      );
    }
  }
});

test("The mask is the round's: equal for every author, another in every round, of the share's size.", () => {
  const ones = new Float32Array(200).fill(1);
  const spec = { kind: "top-k", share: 0.1 } as const;
  const kept = (author: string, round: string): string =>
    [...roundTrip(ones, spec, author, round).keys()]
      .filter((i) => roundTrip(ones, spec, author, round)[i] !== 0)
      .join();
  assert.equal(kept("a", "r1"), kept("b", "r1"));
  assert.notEqual(kept("a", "r1"), kept("a", "r2"));
  assert.equal(kept("a", "r1").split(",").length, 20);
});

test(`With error feedback nothing is lost: what was sent and what is owed is what was given (seed ${seed}).`, () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.integer({ min: -64, max: 64 }), { minLength: 9, maxLength: 9 }), {
        minLength: 1,
        maxLength: 12,
      }),
      (rounds) => {
        const memory = new ErrorFeedback(9);
        const spec = { kind: "top-k", share: 0.4 } as const;
        const given = new Float64Array(9);
        const sent = new Float64Array(9);
        rounds.forEach((values, round) => {
          const context = contextOf(9, `r${round}`);
          const update = Float32Array.from(values, (value) => value * stepSize);
          const bytes = memory.compress(update, spec, { ...context, author: "a" });
          const row = decompress(bytes, spec, context);
          assert.ok(row.ok);
          row.value.forEach((value, i) => {
            sent[i] = (sent[i] ?? 0) + value;
            given[i] = (given[i] ?? 0) + (update[i] ?? 0);
          });
        });
        memory.residual.forEach((owed, i) => assert.equal((sent[i] ?? 0) + owed, given[i]));
      },
    ),
    parameters,
  );
});

test("The step follows the lower median of the rows, doubles where rows stand at the limit, and a minority cannot move it.", () => {
  const row = (value: number): Float32Array => Float32Array.of(0, -value);
  const honest = [row(0.1), row(0.1), row(0.1)];
  const step = nextStep(honest, FIRST_STEP);
  assert.ok(127 * step >= 0.15 && 127 * (step / 2) < 0.15, `${step}`);
  assert.equal(nextStep([...honest, row(1e30), row(1e30)], FIRST_STEP), step);
  assert.equal(nextStep([...honest, row(0), row(0)], FIRST_STEP), step);
  assert.equal(nextStep([row(127 * step)], step), 2 * step);
  assert.equal(nextStep([], step), step);
  assert.equal(nextStep([row(0)], step), step);
  assert.ok(isStep(nextStep([row(3e38)], step)) && isStep(nextStep([row(1e-45)], step)));
  for (const bad of [0, -1, 0.3, 3, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 61, 2 ** -61]) {
    assert.ok(!isStep(bad), `${bad}`);
  }
});
