// Stop and resume of a task for all participants: by one order, also for a node that was down when it was given.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { LearningStatus } from "../../../src/control/index.ts";
import {
  assertRefused,
  converged,
  enrol,
  spawnDaemon,
  startDaemon,
  type TestDaemon,
  until,
} from "./harness.ts";

const TASK = {
  model: { kind: "softmax" },
  rounds: 400,
  aggregator: "mean",
  byzantine: 0,
  seed: 7,
  data: { kind: "glyphs", trainSamples: 200, testSamples: 50 },
  trainer: { kind: "embedded", steps: 2 },
  orchestrator: { kind: "epidemic", roundTimeoutMs: 2_000 },
};

function reaches(
  daemon: TestDaemon,
  fits: (status: LearningStatus) => boolean,
): Promise<LearningStatus> {
  return until("the task to get there", async () => {
    const { learning } = await daemon.client.flStatus();
    return learning !== null && fits(learning) && learning;
  });
}

const isStopped = ({ state }: LearningStatus): boolean => state === "stopped";
const isRunning = ({ state }: LearningStatus): boolean => state === "running";

test("a task is stopped and resumed on all nodes by one of them, also on one that was down meanwhile", async (t) => {
  const a = await startDaemon(t);
  const b = await startDaemon(t);
  const c = await spawnDaemon(t).answers();
  await enrol({ a, b, c });
  await converged({ a, b, c });
  const { taskId } = await a.client.flRun({ task: TASK });
  for (const daemon of [a, b, c]) await reaches(daemon, ({ round }) => round >= 1);

  assert.equal((await a.client.flStop()).taskId, taskId);
  const stopped = await Promise.all([a, b, c].map((daemon) => reaches(daemon, isStopped)));
  assert.equal((await a.client.flStop()).taskId, null, "nothing is left to stop");

  // A holder of fl.coordinate that has not made the task may give the order, too.
  assert.equal((await b.client.flResume()).taskId, taskId);
  for (const [i, daemon] of [a, b, c].entries())
    await reaches(daemon, (now) => isRunning(now) && now.round > (stopped[i]?.round ?? 0));
  await assertRefused(a.client.flResume(), "control/task-running", /meshctl fl stop/);

  await c.end("SIGKILL");
  await a.client.flStop();
  await reaches(b, isStopped);
  const again = await spawnDaemon(t, {}, c.directory).answers();
  await reaches(again, isStopped);
  assert.equal(again.err, "");
});

test("who has no right over a task ends its own part only", async (t) => {
  const member = ["mesh.join", "beacon.publish", "fl.train"];
  const policy = [
    { spiffe: "spiffe://*/node/a", allow: [...member, "fl.coordinate", "issuer.attest"] },
    { spiffe: "spiffe://*/node/*", allow: member },
  ];
  const a = await startDaemon(t, { policy });
  const b = await startDaemon(t, { policy });
  await enrol({ a, b });
  await converged({ a, b });
  await a.client.flRun({ task: TASK });
  await reaches(b, ({ round }) => round >= 1);
  await assertRefused(b.client.flStop(), "control/disabled", /--here/);
  assert.equal((await b.client.flStatus()).learning?.state, "running");
  await b.client.flStop({ scope: "node" });
  assert.equal((await b.client.flStatus()).learning?.state, "stopped");
  assert.equal((await a.client.flStatus()).learning?.state, "running");
  await b.client.flResume({ scope: "node" });
  await reaches(b, isRunning);
  await a.client.flStop();
  await reaches(b, isStopped);
});
