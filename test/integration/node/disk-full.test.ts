// A disk that is full while a task keeps its rounds: the training goes on, the node says so, and what is kept is whole again as
// soon as there is room. The disk is a small tmpfs, which root alone can mount.

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { LearningStatus } from "../../../src/control/index.ts";
import {
  converged,
  enrol,
  spawnDaemon,
  Stack,
  startDaemon,
  type TestDaemon,
  until,
} from "./harness.ts";
import { fill, mountSkip as skip, smallDisk } from "./small-disk.ts";

const DEADLINE_MS = 40_000;

test("A full disk ends no training: it is told, and the first round after there is room is kept again.", {
  skip,
}, async (t) => {
  // Undone the last first: the mount before its directory.
  const stack = new Stack();
  t.after(() => stack.unwind());
  const { directory, problem } = smallDisk(stack);
  if (problem !== undefined) return t.skip(`mount: ${problem}`);
  const state = join(directory, "state");
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

test("Certified rounds pause on a full disk, with code and count, and go on when there is room; none is lost.", {
  skip,
}, async (t) => {
  const stack = new Stack();
  t.after(() => stack.unwind());
  const { directory, problem } = smallDisk(stack);
  if (problem !== undefined) return t.skip(`mount: ${problem}`);
  const filler = join(directory, "state", "filler");
  let a = await spawnDaemon(stack, {}, directory).answers();
  const b = await startDaemon(stack);
  await enrol({ a, b });
  await converged({ a, b });
  const chainOf = async (daemon: TestDaemon): Promise<(string | undefined)[]> =>
    ((await daemon.client.flStatus()).learning?.history ?? []).map(
      ({ certificate }) => certificate,
    );
  const reaches = (rounds: number) =>
    until(`round ${rounds}`, async () => (await chainOf(a)).length >= rounds, DEADLINE_MS);

  await b.client.flRun({
    task: {
      ...{ byzantine: 0, aggregator: "mean", rounds: 1_000, model: { kind: "softmax" } },
      data: { kind: "glyphs", trainSamples: 200, testSamples: 50 },
      // Nothing is decided without the node whose disk is full.
      orchestrator: { kind: "batch-async", target: 2, deadlineMs: 60_000 },
    },
  });
  await reaches(2);
  fill(filler);
  await until("training to pause", async () => (await a.metric("meshd_learning_pauses_total")) > 0);
  assert.ok((await a.status()).health.some(({ code }) => code === "state/write-failed"));
  await a.logged({
    code: "state/write-failed",
    message: "training paused: it goes on from what is on disk",
  });
  const full = await chainOf(a);
  rmSync(filler);
  await reaches(full.length + 2);
  assert.ok(!(await a.status()).health.some(({ code }) => code === "state/write-failed"));
  const well = await chainOf(a);
  assert.deepEqual(well.slice(0, full.length), full);

  await a.end("SIGKILL");
  a = await spawnDaemon(stack, {}, directory).answers();
  const again = await chainOf(a);
  assert.deepEqual(again.slice(0, well.length), well, "no certified round is lost");
  const others = await chainOf(b);
  assert.deepEqual(others.slice(0, well.length), well, "and it is everybody's");
  assert.equal(await b.metric("meshd_learning_equivocations_total"), 0);
  await b.client.flStop();
});
