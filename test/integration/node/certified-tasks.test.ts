// What tasks with certified rounds can ask of daemons, on four of them in this process.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { LearningStatus } from "../../../src/control/index.ts";
import { converged, enrol, Stack, startDaemon, type InProcessDaemon, until } from "./harness.ts";

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
        const { learning } = await daemon.client.flStatus();
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
});
