// A disk that is full while a task keeps its rounds: the training goes on, the node says so, and what is kept is whole again as
// soon as there is room. The disk is a small tmpfs, which root alone can mount.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { LearningStatus } from "../../../src/control/index.ts";
import { converged, enrol, scratch, spawnDaemon, Stack, startDaemon, until } from "./harness.ts";

const mayMount = process.getuid?.() === 0;
const DEADLINE_MS = 40_000;

/** Takes all that is left of a file system. */
function fill(file: string): void {
  for (const bytes of [65_536, 4_096]) {
    for (;;) {
      try {
        appendFileSync(file, new Uint8Array(bytes));
      } catch {
        break;
      }
    }
  }
}

test("A full disk ends no training: it is told, and the first round after there is room is kept again.", {
  skip: mayMount ? false : "only root can mount a small tmpfs",
}, async (t) => {
  // Undone the last first: the mount before its directory.
  const stack = new Stack();
  t.after(() => stack.unwind());
  const directory = scratch(stack);
  const state = join(directory, "state");
  mkdirSync(state);
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=6m,mode=700", "tmpfs", state]);
  if (mounted.status !== 0) return t.skip(`mount: ${mounted.stderr.toString().trim()}`);
  stack.after(() => void spawnSync("umount", ["-l", state]));
  const a = await spawnDaemon(stack, {}, directory).answers();
  const b = await startDaemon(stack);
  await enrol({ a, b });
  await converged({ a, b });
  const learned = (is: (status: LearningStatus) => boolean) =>
    until(
      "the task to get there",
      async () => {
        const { learning } = await a.client.flStatus();
        return learning !== null && is(learning) && learning;
      },
      DEADLINE_MS,
    );
  const health = async (): Promise<string[]> => (await a.status()).health.map(({ code }) => code);

  // A model of 100,000 parameters: a write that needs room.
  const model = { kind: "mlp", hidden: 600 };
  const trainer = { kind: "embedded", steps: 2, batch: 4 };
  const task = { model, trainer, rounds: 500, byzantine: 0, aggregator: "mean" };
  await b.client.flRun({ task });
  await learned(({ round }) => round >= 1);
  fill(join(state, "filler"));
  await until("the node to say so", async () => (await health()).includes("state/write-failed"));
  const full = await learned(({ state: now }) => now === "running");
  await learned(({ round }) => round >= full.round + 2);
  rmSync(join(state, "filler"));
  await until("the node to be well", async () => !(await health()).includes("state/write-failed"));
  const well = await learned(({ round }) => round > full.round + 2);

  // A daemon that is killed now finds every round, those of the full disk too: none stands twice, none is missing.
  await a.end("SIGKILL");
  const again = await spawnDaemon(stack, {}, directory).answers();
  const { learning } = await again.client.flStatus();
  const rounds = learning?.history.map(({ round }) => round) ?? [];
  assert.ok(rounds.length >= well.history.length, `${rounds.length} of ${well.history.length}`);
  assert.equal(new Set(rounds).size, rounds.length);
  assert.deepEqual(
    rounds.slice(0, well.history.length),
    well.history.map(({ round }) => round),
  );
  assert.equal((await again.client.flStop()).taskId, well.taskId);
  assert.equal((await b.client.flStop()).taskId, well.taskId);
  await again.end("SIGTERM");
});
