// The TypeScript client against a real desk.

import assert from "node:assert/strict";
import { test } from "node:test";
import { runTrainer, type Tensors, TrainerError } from "../../../src/client/trainer.ts";
import { order, serveDesk } from "./desk.ts";

const plusOne = (tensors: Tensors): Tensors =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { shape, data }]) => [
      name,
      { shape, data: data.map((value) => value + 1) },
    ]),
  );

test("A training function is given every round and its updates arrive; with once it ends with the task.", async (t) => {
  const served = await serveDesk(t);
  const trainer = served.open();
  const seen: number[] = [];
  const running = runTrainer({
    socketPath: served.socketPath,
    once: true,
    train({ round, tensors, taskId, learningRateFactor, signal }) {
      assert.equal(taskId, "t1");
      assert.equal(learningRateFactor, 1);
      assert.equal(signal.aborted, false);
      seen.push(round);
      return { tensors: plusOne(tensors), loss: 0.5 / round, accuracy: 1 };
    },
  });
  const first = await order(trainer);
  assert.ok(first.ok);
  assert.equal(first.value.loss, 0.5);
  const second = await order(trainer, { round: 2, weights: first.value.weights });
  assert.ok(second.ok);
  assert.deepEqual([...second.value.weights], [2, 3, 4, 5, 6, 7, 8, 9]);
  while (served.meter.of("trainer_attached") !== 1) await new Promise(setImmediate);
  await trainer.stop();
  await running;
  assert.deepEqual(seen, [1, 2]);
});

test("Heartbeats keep the lease of training that lasts; when the round is over, its signal aborts.", async (t) => {
  const served = await serveDesk(t);
  const trainer = served.open("t1", 60);
  const stop = new AbortController();
  const aborted = Promise.withResolvers<undefined>();
  const running = runTrainer({
    socketPath: served.socketPath,
    signal: stop.signal,
    train: ({ tensors, signal }) =>
      new Promise((resolve) => {
        signal.addEventListener("abort", () => {
          aborted.resolve(undefined);
          resolve({ tensors });
        });
      }),
  });
  const training = order(trainer, { deadlineMs: 400 });
  assert.deepEqual(await training, { ok: false, code: "learning/trainer-late" });
  await aborted.promise;
  stop.abort();
  await running;
  assert.equal([...served.meter.all.keys()].filter((key) => key.includes("updates")).length, 0);
});

test("A refused update is told and does not end the trainer; what the function throws does, and so does a missing daemon.", async (t) => {
  const served = await serveDesk(t);
  const trainer = served.open();
  const refused: string[] = [];
  const running = runTrainer({
    socketPath: served.socketPath,
    onRefused: ({ code }) => refused.push(code),
    train({ tensors, round }) {
      if (round === 2) throw new RangeError("of the trainer's own");
      return { tensors, loss: Number.NaN };
    },
  });
  const ends = assert.rejects(running, RangeError);
  const first = order(trainer);
  while (refused.length === 0) await new Promise(setImmediate);
  assert.deepEqual(refused, ["learning/bad-report"]);
  void first;
  void order(trainer, { round: 2 });
  await ends;
  await assert.rejects(
    runTrainer({ socketPath: `${served.socketPath}.gone`, train: ({ tensors }) => ({ tensors }) }),
    (error) => error instanceof TrainerError && error.code === "control/unreachable",
  );
});
