// What tasks with certified rounds can ask of daemons, on four of them in this process.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { LearningStatus } from "../../../src/control/index.ts";
import { encodeSafetensors, modelFileBytesMax, modelSpec } from "../../../src/learning/index.ts";
import {
  assertRefused,
  converged,
  enrol,
  type InProcessDaemon,
  Stack,
  startDaemon,
  until,
} from "./harness.ts";

const TRAINING_MS = 60_000;

describe("four daemons with certified rounds", { concurrency: false }, () => {
  const stack = new Stack();
  let daemons: readonly InProcessDaemon[] = [];

  before(async () => {
    const names = ["a", "b", "c", "d"];
    daemons = await Promise.all(names.map(() => startDaemon(stack)));
    const mesh = Object.fromEntries(names.map((name, i) => [name, daemons[i] ?? assert.fail()]));
    await enrol(mesh);
    await converged(mesh);
  });
  after(() => stack.unwind());

  async function run(task: Record<string, unknown>): Promise<string> {
    const [first] = daemons;
    const { taskId } = (await first?.client.flRun({
      task: {
        ...{ byzantine: 1, seed: 7, model: { kind: "softmax" } },
        data: { kind: "glyphs", trainSamples: 800, testSamples: 200 },
        orchestrator: { kind: "batch-async", target: 4, deadlineMs: 10_000 },
        ...task,
      },
    })) ?? { taskId: "" };
    return taskId;
  }

  function ended(daemon: InProcessDaemon, taskId: string): Promise<LearningStatus> {
    return until(
      "the task to end",
      async () => {
        // Four daemons and their threads share the host with this test: an answer may take its time.
        const answer = await daemon.client.flStatus().catch(() => undefined);
        const learning = answer?.learning;
        return learning?.taskId === taskId && learning.state !== "running" && learning;
      },
      TRAINING_MS,
    );
  }

  test("stop at the same round when a task has converged, by a schedule that all follow", async () => {
    const taskId = await run({
      rounds: 9,
      schedule: { kind: "step", gamma: 0.5, every: 1 },
      // No loss falls by 99 %: the second round is the last.
      convergence: { kind: "loss", delta: 0.99, window: 1, patience: 1 },
    });
    const all = await Promise.all(daemons.map((daemon) => ended(daemon, taskId)));
    for (const { state, round, rounds } of all)
      assert.deepEqual({ state, round, rounds }, { state: "finished", round: 2, rounds: 9 });
    const chains = all.map(({ history }) => history.map(({ certificate }) => certificate).join());
    assert.equal(new Set(chains).size, 1);
  });

  test("are followed to the end by a participant that comes when all is over", async () => {
    const [a, b, c, d] = daemons;
    assert.ok(a !== undefined && b !== undefined && c !== undefined && d !== undefined);
    await d.stop();
    const taskId = await run({
      rounds: 3,
      participants: ["a", "b", "c", "d"],
      orchestrator: { kind: "batch-async", target: 3, deadlineMs: 10_000 },
    });
    const all = await Promise.all([a, b, c].map((daemon) => ended(daemon, taskId)));
    const late = await startDaemon(stack, {}, d.directory);
    daemons = [a, b, c, late];
    const { state, history } = await ended(late, taskId);
    assert.equal(state, "finished");
    assert.deepEqual(
      history.map(({ certificate }) => certificate),
      all[0]?.history.map(({ certificate }) => certificate),
    );
    const model = await until("its model", () => late.client.flModel().catch(() => undefined));
    assert.deepEqual(Buffer.from(model), Buffer.from(await a.client.flModel()));
  });

  test("start from a model that one of them was given", async () => {
    const [first] = daemons;
    assert.ok(first !== undefined);
    const before = await first.client.flModel();
    const { learning } = await first.client.flStatus();
    const pushed = await first.client.flPush(before);
    assert.equal(pushed.digest, learning?.history.at(-1)?.model, "as certificates name it");
    // Nothing is learnt: what comes out is what was given, on nodes that had to fetch it.
    const taskId = await run({
      rounds: 1,
      initialWeights: pushed.digest,
      trainer: { kind: "embedded", steps: 1, learningRate: 1e-30 },
    });
    const all = await Promise.all(daemons.map((daemon) => ended(daemon, taskId)));
    for (const { state, history } of all)
      assert.deepEqual([state, ...history.map(({ held }) => held)], ["finished", false]);
    for (const daemon of daemons)
      assert.deepEqual(Buffer.from(await daemon.client.flModel()), Buffer.from(before));
  });

  test("refuse to start from a model that is not there, or of another shape", async () => {
    const [first] = daemons;
    assert.ok(first !== undefined);
    await assertRefused(
      run({ initialWeights: "ab".repeat(32) }),
      "learning/model-missing",
      /meshctl fl push/,
    );
    const spec = modelSpec([{ name: "w", shape: [2] }]);
    const other = await first.client.flPush(encodeSafetensors(spec, Float32Array.of(1, 2), {}));
    await assertRefused(run({ initialWeights: other.digest }), "learning/wrong-shape", /Give a/);
    await assertRefused(
      first.client.flPush(encodeSafetensors(spec, Float32Array.of(1, Number.NaN), {})),
      "learning/not-finite",
      /finite F32/,
    );
    await assertRefused(
      first.client.flPush(new Uint8Array(modelFileBytesMax + 1)),
      "learning/too-large",
      /finite F32/,
    );
    assert.equal((await first.client.flStatus()).learning?.state, "finished", "nothing was lost");
  });

  test("keep the model over void rounds, and say so", async () => {
    const [first] = daemons;
    assert.ok(first !== undefined);
    // To train so long takes nearly all of the round, and then the others have to fetch it: no update is in time.
    const taskId = await run({
      rounds: 1_000,
      data: { kind: "glyphs", trainSamples: 100, testSamples: 2_000 },
      trainer: { kind: "embedded", steps: 10_000, batch: 64 },
      orchestrator: { kind: "batch-async", target: 4, deadlineMs: 100 },
    });
    await until(
      "the health and the gauge to say so",
      async () => {
        const answer = await first.client.status().catch(() => undefined);
        const isTold = answer?.health.some(({ code }) => code === "learning/rounds-void");
        return isTold === true && (await first.metric("meshd_learning_void_rounds")) >= 3;
      },
      TRAINING_MS,
    );
    const { learning } = await first.client.flStatus();
    const history = learning?.history ?? [];
    const inARow = history.findIndex((_, i) =>
      [0, 1, 2].every((next) => history[i + next]?.held === true),
    );
    assert.ok(inARow >= 0, "three in a row");
    const models = history.slice(inARow, inARow + 3).map(({ model }) => model);
    assert.equal(new Set(models).size, 1, "none of them made another model");
    assert.equal((await first.client.flStop()).taskId, taskId);
    const all = await Promise.all(daemons.map((daemon) => ended(daemon, taskId)));
    assert.deepEqual(new Set(all.map(({ state }) => state)), new Set(["stopped"]));
  });
});
