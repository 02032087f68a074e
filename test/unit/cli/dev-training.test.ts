// What `meshctl dev up` makes of the nodes' reports on a task.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { LocalMesh } from "../../../src/cli/commands/dev/local-mesh.ts";
import { train } from "../../../src/cli/commands/dev/training.ts";
import type { FlStartRequest } from "../../../src/control/index.ts";

const request = { rounds: 2 } as FlStartRequest;
const signal = new AbortController().signal;

/** A mesh whose honest nodes report the given rounds of a task that has ended. */
function meshReporting(...held: readonly (readonly boolean[])[]): LocalMesh {
  const nodes = held.map((rounds) => ({
    role: "honest",
    client: { flStart: () => Promise.resolve({ taskId: "t" }) },
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
});
