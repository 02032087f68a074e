import assert from "node:assert/strict";
import test from "node:test";
import {
  AdaptiveLearningRate,
  learningRateAt,
  type Schedule,
} from "../../../src/learning/index.ts";

const round = (...losses: number[]) => ({ losses });
const near = (actual: number, expected: number): void =>
  assert.ok(Math.abs(actual - expected) <= 1e-6 * expected, `${actual} is ${expected}`);

test("The step schedule changes at each multiple of its length, and one before it does not.", () => {
  const schedule: Schedule = { kind: "step", gamma: 0.5, every: 10 };
  const at = (rounds: number) => learningRateAt(schedule, { round: rounds });
  assert.deepEqual([0, 9, 10, 19, 20, 35].map(at), [1, 1, 0.5, 0.5, 0.25, 0.125]);
});

test("The exponential and staleness schedules agree with the functions they stand for.", () => {
  for (const decay of [1e-4, 0.01, 0.3, 1, 10]) {
    for (const rounds of [0, 1, 7, 50]) {
      near(
        learningRateAt({ kind: "exponential", decay }, { round: rounds }),
        Math.exp(-decay * rounds),
      );
    }
  }
  for (const a of [0.125, 0.3, 0.5, 1, 1.7, 4]) {
    for (const staleness of [0, 1, 3, 10, 1000]) {
      near(
        learningRateAt({ kind: "staleness", a }, { round: 5, staleness }),
        (1 + staleness) ** -a,
      );
    }
  }
});

test("Rates are these bits on every host.", () => {
  assert.deepEqual(
    [
      learningRateAt({ kind: "exponential", decay: 0.05 }, { round: 37 }),
      learningRateAt({ kind: "staleness", a: 0.7 }, { round: 0, staleness: 6 }),
      learningRateAt({ kind: "step", gamma: 0.9, every: 3 }, { round: 100 }),
    ],
    [0.15723716631362838, 0.25611285772977826, 0.030903154382632643],
  );
});

test("Only the staleness schedule looks at an update's age; a rate that underflows is zero and not an error.", () => {
  for (const schedule of [
    { kind: "constant" },
    { kind: "step", gamma: 0.5, every: 1 },
    { kind: "exponential", decay: 1 },
  ] as const) {
    assert.equal(
      learningRateAt(schedule, { round: 3, staleness: 9 }),
      learningRateAt(schedule, { round: 3 }),
    );
  }
  assert.equal(learningRateAt({ kind: "exponential", decay: 10 }, { round: 10_000 }), 0);
});

test("The plateau schedule falls after so many rounds without a new least loss, and counts anew from there.", () => {
  const rate = new AdaptiveLearningRate({ kind: "plateau", factor: 0.5, patience: 2 }, 0.1);
  const rates = [5, 4, 4, 4.5, 4.2, 4.1, 3].map((loss) => {
    rate.observe(round(loss));
    return rate.rate();
  });
  assert.deepEqual(rates, [0.1, 0.1, 0.1, 0.05, 0.05, 0.025, 0.025]);
});

test("One liar among three identities cannot change the learning rate, whatever it reports.", () => {
  for (const lie of [0, -1e300, 1e300, Number.NaN, Number.POSITIVE_INFINITY]) {
    const rate = new AdaptiveLearningRate({ kind: "plateau", factor: 0.5, patience: 1 }, 1);
    for (const loss of [3, 2, 1]) rate.observe(round(loss, lie, loss));
    assert.equal(rate.rate(), 1, `${lie}`);
  }
});
