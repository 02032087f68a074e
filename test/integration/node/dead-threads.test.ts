// Threads that die in the middle of their work: others take their place, and the training ends as if nothing had been.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { converged, enrol, startDaemon, until } from "./harness.ts";

const DEADLINE_MS = 120_000;

/** Kills the thread that is asked for this next, with the question in it. */
function killTheNext(t: { after(work: () => void): void }, ...kinds: string[]): Set<string> {
  const armed = new Set(kinds);
  // eslint-disable-next-line @typescript-eslint/unbound-method -- it is applied to the thread below
  const { postMessage } = Worker.prototype;
  t.after(() => {
    Worker.prototype.postMessage = postMessage;
  });
  Worker.prototype.postMessage = function (this: Worker, ...question: [unknown]): void {
    postMessage.apply(this, question);
    const [message] = question as [{ readonly kind?: string; readonly request?: { kind: string } }];
    const kind = message.request?.kind ?? message.kind;
    if (kind !== undefined && armed.delete(kind)) void this.terminate();
  };
  return armed;
}

test("A training thread and the thread of rounds may die: they are started again, and every round makes a model.", async (t) => {
  const [a, b] = await Promise.all([startDaemon(t), startDaemon(t)]);
  await enrol({ a, b });
  await converged({ a, b });
  const armed = killTheNext(t, "train", "aggregate");
  await a.client.flRun({
    task: {
      ...{ byzantine: 0, aggregator: "mean", rounds: 4, seed: 7, model: { kind: "softmax" } },
      data: { kind: "glyphs", trainSamples: 200, testSamples: 50 },
      orchestrator: { kind: "batch-async", target: 2, deadlineMs: 60_000 },
    },
  });
  for (const daemon of [a, b]) {
    const history = await until(
      "the training to end",
      async () => {
        const { learning } = await daemon.client.flStatus();
        return learning?.state === "finished" && learning.history;
      },
      DEADLINE_MS,
    );
    assert.deepEqual(
      history.map(({ round, held }) => [round, held]),
      [1, 2, 3, 4].map((round) => [round, false]),
    );
  }
  assert.deepEqual([...armed], [], "each of them died once");
  const pauses = await Promise.all([a, b].map((one) => one.metric("meshd_learning_pauses_total")));
  const paused = pauses.reduce((sum, count) => sum + count, 0);
  assert.equal(paused, 1, "the thread of rounds died once");
});
