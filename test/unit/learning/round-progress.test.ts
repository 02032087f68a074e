// What follows from certified rounds for the next one: the factor on the learning rate, and whether the task is over.

import assert from "node:assert/strict";
import { test } from "node:test";
import { RoundProgress, type RoundSummary } from "../../../src/learning/index.ts";

function summary(change: Partial<RoundSummary> = {}): RoundSummary {
  return { held: false, loss: 1, accuracy: 0.5, norm: 1, stepSize: 2 ** -10, ...change };
}

test("A step schedule counts the rounds that made a model: void and held ones do not.", () => {
  const progress = new RoundProgress({
    schedule: { kind: "step", gamma: 0.5, every: 2 },
    convergence: null,
  });
  const rounds = [summary(), undefined, summary({ held: true }), summary(), summary(), summary()];
  const factors = rounds.map((told, i) => {
    progress.observe(i + 1, told);
    return progress.learningRateFactor;
  });
  assert.deepEqual(factors, [1, 1, 1, 0.5, 0.5, 0.25]);
});

test("A plateau schedule looks at the certified losses.", () => {
  const progress = new RoundProgress({
    schedule: { kind: "plateau", factor: 0.1, patience: 2 },
    convergence: null,
  });
  const factors = [3, 2, 2, 2, 1].map((loss, i) => {
    progress.observe(i + 1, summary({ loss }));
    return progress.learningRateFactor;
  });
  assert.deepEqual(factors, [1, 1, 1, 0.1, 0.1]);
});

test("A task has converged with the round that its rule names, and a certificate counts once.", () => {
  const options = {
    schedule: { kind: "constant" },
    convergence: { kind: "loss", delta: 0.1, window: 1, patience: 2 },
  } as const;
  const progress = new RoundProgress(options);
  const ended = [3, 2, 1.95, 1.94].map((loss, i) => {
    progress.observe(i + 1, summary({ loss }));
    // The machine asks again when it is resumed.
    progress.observe(i + 1, summary({ loss }));
    return progress.hasConverged;
  });
  assert.deepEqual(ended, [false, false, false, true]);
  const better = new RoundProgress(options);
  for (const [i, loss] of [3, 2, 1.95, 1.7].entries()) better.observe(i + 1, summary({ loss }));
  assert.equal(better.hasConverged, false);
});

test("The length of a step counts against the learning rate that made it.", () => {
  const progress = new RoundProgress({
    schedule: { kind: "step", gamma: 0.1, every: 1 },
    convergence: { kind: "update-norm", delta: 0.5, window: 1, patience: 1 },
  });
  const ended = [1, 0.1, 0.004].map((norm, i) => {
    progress.observe(i + 1, summary({ norm }));
    return progress.hasConverged;
  });
  assert.deepEqual(ended, [false, false, true]);
});
