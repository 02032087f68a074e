// What `meshctl dev up` makes of the nodes' reports on a task.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { LocalMesh } from "../../../src/cli/commands/dev/local-mesh.ts";
import { type DevTask, train } from "../../../src/cli/commands/dev/training.ts";
import type { FlRunRequest } from "../../../src/control/index.ts";

const request: DevTask = {
  ...{ name: "defended", orchestrator: "batch-async", model: "mlp", attack: "sign-flip" },
  ...{ aggregator: "median", byzantine: 1, rounds: 2, seed: 1, alpha: 1, data: "glyphs" },
};
/** What the nodes were told to train. */
const asked: FlRunRequest["task"][] = [];
const signal = new AbortController().signal;

/** A mesh whose honest nodes report the given rounds of a task that has ended. */
function meshReporting(...held: readonly (readonly boolean[])[]): LocalMesh {
  const nodes = held.map((rounds) => ({
    role: "honest",
    client: {
      flRun: ({ task }: FlRunRequest) => {
        asked.push(task);
        return Promise.resolve({ taskId: "t" });
      },
    },
    refresh: () => Promise.resolve(),
    status: {
      learning: {
        taskId: "t",
        state: "done",
        history: rounds.map((isHeld, index) => ({
          round: index + 1,
          loss: 0.5,
          accuracy: 0.9,
          held: isHeld,
          rejected: [],
          contributors: 1,
        })),
      },
    },
  }));
  return { nodes, living: () => nodes } as unknown as LocalMesh;
}

describe("training over the local mesh", () => {
  test("a task in which no node ever took a new model is an error, not an accuracy", async () => {
    const mesh = meshReporting([true, true], [true, true]);
    await assert.rejects(
      train(mesh, request, signal, () => undefined),
      { code: "dev/no-progress" },
    );
  });

  test("one new model on one node is progress, and every round is reported", async () => {
    const mesh = meshReporting([true, true], [true, false]);
    const seen: number[] = [];
    const { accuracy } = await train(mesh, request, signal, ({ round }) => seen.push(round));
    assert.deepEqual(seen, [1, 2]);
    assert.equal(accuracy, 0.9);
  });

  test("rounds are certified, and wait for nobody whom f may cost; or each node is by itself", async () => {
    const nodes = [1, 2, 3, 4, 5].map(() => [false, false]);
    await train(meshReporting(...nodes), request, signal, () => undefined);
    assert.deepEqual(asked.at(-1)?.["orchestrator"], { kind: "batch-async", target: 4 });
    const epidemic = { ...request, orchestrator: "epidemic" } as const;
    await train(meshReporting(...nodes), epidemic, signal, () => undefined);
    assert.deepEqual(asked.at(-1)?.["orchestrator"], { kind: "epidemic" });
  });

  test("a model that nobody has measured yet is no report", async () => {
    const mesh = meshReporting([false, false]);
    const history = mesh.nodes[0]?.status?.learning?.history ?? [];
    const last = history.at(-1) as { accuracy: number | null };
    last.accuracy = null;
    const aborted = AbortSignal.timeout(50);
    const seen: number[] = [];
    await assert.rejects(train(mesh, request, aborted, ({ round }) => seen.push(round)));
    assert.deepEqual(seen, [1]);
  });
});
