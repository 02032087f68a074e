import assert from "node:assert/strict";
import test from "node:test";
import {
  type CertifiedRound,
  type Convergence,
  ConvergenceDetector,
  hasConverged,
} from "../../../src/learning/index.ts";

const losses = (...values: number[]): CertifiedRound[] =>
  values.map((loss) => ({ losses: [loss], accuracies: [1], updateNorm: 1 }));
const loss: Convergence = { kind: "loss", delta: 0.1, window: 2, patience: 2 };

test("A loss that falls less than delta over each of the last windows has converged, one that falls by delta has not.", () => {
  assert.ok(hasConverged(loss, losses(10, 10, 9.1, 9.1, 9.01, 9.01)));
  assert.ok(!hasConverged(loss, losses(10, 10, 9, 9, 9, 9)), "ten per cent in the first window");
  assert.ok(!hasConverged(loss, losses(10, 10, 10, 10, 5, 5)));
  assert.ok(!hasConverged(loss, losses(10, 10, 10, 10, 10)), "a round too few");
  assert.ok(hasConverged(loss, losses(1, 10, 10, 10, 10, 10, 10)), "older rounds do not count");
});

test("A loss that rises, or is infinite or zero, makes no progress.", () => {
  assert.ok(hasConverged(loss, losses(1, 1, 2, 2, 3, 3)));
  assert.ok(hasConverged(loss, losses(...new Array<number>(6).fill(Number.POSITIVE_INFINITY))));
  assert.ok(hasConverged(loss, losses(0, 0, 0, 0, 0, 0)));
});

test("Accuracy must rise by delta, the update must stay above it.", () => {
  const rounds = (values: number[], norms: number[]): CertifiedRound[] =>
    values.map((accuracy, i) => ({
      losses: [1],
      accuracies: [accuracy],
      updateNorm: norms[i] ?? 0,
    }));
  const accuracy: Convergence = { kind: "accuracy", delta: 0.25, window: 1, patience: 1 };
  assert.ok(hasConverged(accuracy, rounds([0.5, 0.625], [1, 1])));
  assert.ok(!hasConverged(accuracy, rounds([0.5, 0.75], [1, 1])));
  const norm: Convergence = { kind: "update-norm", delta: 1, window: 2, patience: 1 };
  assert.ok(hasConverged(norm, rounds([0, 0], [1, 0.9])));
  assert.ok(!hasConverged(norm, rounds([0, 0], [1.1, 0.9])));
});

test("Two liars among five identities neither stop a task nor keep it going.", () => {
  const reports = (honest: number, lie: number): CertifiedRound => ({
    losses: [honest, lie, honest, lie, honest],
    accuracies: [honest, lie, honest, lie, honest],
    updateNorm: 1,
  });
  for (const lie of [0, 1e-300, 1e300, -1e300, Number.NaN, Number.NEGATIVE_INFINITY]) {
    const falling = [16, 8, 4, 2, 1, 0.5].map((value) => reports(value, lie));
    const still = new Array<CertifiedRound>(6).fill(reports(3, lie));
    for (const kind of ["loss", "accuracy"] as const) {
      const rule: Convergence = { ...loss, kind };
      assert.equal(hasConverged(rule, still), true, `${kind} ${lie}`);
      const moving = kind === "loss" ? falling : falling.toReversed();
      assert.equal(hasConverged(rule, moving), false, `${kind} ${lie}`);
    }
  }
});

test("The detector answers as the rule over the whole history does, in the same round; without a rule it never stops.", () => {
  const values = [9, 8, 7, 6, 5, 4.9, 4.8, 4.8, 4.8, 4.8, 4.8, 4.7];
  const detector = new ConvergenceDetector(loss);
  values.forEach((_, i) => {
    const history = losses(...values.slice(0, i + 1));
    assert.equal(detector.observe(history.at(-1) as CertifiedRound), hasConverged(loss, history));
  });
  const endless = new ConvergenceDetector(null);
  for (const round of losses(1, 1, 1, 1, 1, 1, 1)) assert.equal(endless.observe(round), false);
});
