// The embedded trainer in its thread, held to the contract of RoundTrainer: it settles by the deadline, whatever happens.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TrainingThread } from "../../../src/adapters/workers/training-thread.ts";
import {
  parseTask,
  simulatedParticipants,
  type TaskManifest,
} from "../../../src/learning/index.ts";

const participants = simulatedParticipants(2, 1);
const self = participants[0] as string;

const taskOf = (steps: number): TaskManifest =>
  parseTask({
    schemaVersion: 2,
    taskId: "t",
    name: "a task",
    trustDomain: "example.org",
    createdBy: self,
    createdAtMs: 0,
    model: { kind: "softmax", features: 144, classes: 10 },
    seed: 1,
    data: { kind: "glyphs", seed: 1, trainSamples: 100, testSamples: 20, dirichletAlpha: 1 },
    trainer: { kind: "embedded", steps, batch: 32, learningRate: 0.1, momentum: 0.9 },
    aggregator: "mean",
    byzantine: 0,
    orchestrator: { kind: "epidemic", roundTimeoutMs: 1000 },
    compression: { kind: "none" },
    schedule: { kind: "constant" },
    convergence: null,
    initialWeights: null,
    rounds: 10,
    participants,
    attack: "none",
  });

const started = async (
  t: { after(end: () => Promise<void>): void },
  steps: number,
): Promise<{ thread: TrainingThread; weights: Float32Array }> => {
  const thread = new TrainingThread({ task: taskOf(steps), self, adversary: false });
  t.after(() => thread.stop());
  return { thread, weights: await thread.initialWeights() };
};

test("A round is trained and measured; with a learning rate factor of zero nothing moves.", async (t) => {
  const { thread, weights } = await started(t, 20);
  const order = { round: 1, weights, learningRateFactor: 1, deadlineMs: 60_000 };
  const trained = await thread.train(order);
  assert.ok(trained.ok);
  assert.ok(trained.value.weights.some((value) => value !== 0));
  const before = await thread.evaluate(weights);
  const after = await thread.evaluate(trained.value.weights);
  assert.ok(after && before && after.loss < before.loss);
  const still = await thread.train({ ...order, round: 2, learningRateFactor: 0 });
  assert.ok(still.ok && still.value.weights.every((value) => value === 0));
});

test("At its deadline a round ends with the batches that are done.", async (t) => {
  const { thread, weights } = await started(t, 10_000);
  // Some 3 s of training at the least; the budget is a tenth of that.
  const order = { round: 1, weights, learningRateFactor: 1, deadlineMs: 300 };
  const trained = await thread.train(order);
  assert.ok(trained.ok || trained.code === "learning/trainer-late");
  if (trained.ok) assert.ok(trained.value.weights.some((value) => value !== 0));
});

test("A round without time is refused as late, and the next one is trained.", async (t) => {
  const { thread, weights } = await started(t, 50);
  const late = await thread.train({ round: 1, weights, learningRateFactor: 1, deadlineMs: 0 });
  assert.deepEqual(late, { ok: false, code: "learning/trainer-late" });
  const next = await thread.train({ round: 2, weights, learningRateFactor: 1, deadlineMs: 60_000 });
  assert.ok(next.ok);
});

test("A trainer that was stopped, or cannot make its data, fails at once and for ever.", async (t) => {
  const { thread, weights } = await started(t, 50);
  const order = { round: 1, weights, learningRateFactor: 1, deadlineMs: 60_000 };
  const pending = thread.train(order);
  await thread.stop();
  assert.deepEqual(await pending, { ok: false, code: "learning/trainer-failed" });
  assert.deepEqual(await thread.train(order), { ok: false, code: "learning/trainer-failed" });
  assert.equal(await thread.evaluate(weights), undefined);

  const outsider = new TrainingThread({ task: taskOf(1), self: "00", adversary: false });
  t.after(() => outsider.stop());
  await assert.rejects(outsider.initialWeights(), { code: "learning/bad-data" });
  assert.deepEqual(await outsider.train(order), { ok: false, code: "learning/trainer-failed" });
});

test("Training that leaves the finite numbers is refused as failed.", async (t) => {
  const { thread, weights } = await started(t, 50);
  const order = { round: 1, weights, learningRateFactor: 1e38, deadlineMs: 60_000 };
  assert.deepEqual(await thread.train(order), { ok: false, code: "learning/trainer-failed" });
});
