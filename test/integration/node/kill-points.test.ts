// A daemon that is killed (SIGKILL) at named moments of certified rounds, one after the other: it comes back with every round that it
// knew as certified, contradicts nothing that it has signed, and catches up with the others.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  converged,
  enrol,
  fromSource,
  scratch,
  spawnDaemon,
  Stack,
  startDaemon,
  type TestDaemon,
  until,
} from "./harness.ts";

/** Kills the process at the moment that KILL_AT names, by what is written to the state and told to threads. */
const KILLER = `
  import { DatabaseSync, StatementSync } from "node:sqlite";
  import { Worker } from "node:worker_threads";
  const passed = new Map();
  const pass = (point) => {
    const times = (passed.get(point) ?? 0) + 1;
    passed.set(point, times);
    if (process.env.KILL_AT === point + " " + times) process.kill(process.pid, "SIGKILL");
  };
  let written;
  const { run } = StatementSync.prototype;
  StatementSync.prototype.run = function (...values) {
    const table = / INTO (fl_[a-z]+)/.exec(this.sourceSQL)?.[1];
    if (table !== undefined) written = table;
    return run.apply(this, values);
  };
  const { exec } = DatabaseSync.prototype;
  DatabaseSync.prototype.exec = function (sql) {
    exec.call(this, sql);
    if (sql !== "COMMIT" || written === undefined) return;
    pass("after " + written);
    written = undefined;
  };
  const { postMessage } = Worker.prototype;
  Worker.prototype.postMessage = function (message, ...rest) {
    postMessage.call(this, message, ...rest);
    if (message?.request?.kind !== undefined) pass("thread " + message.request.kind);
  };
`;

/** The moments, with how often they are passed before it happens. */
const POINTS: readonly (readonly [moment: string, point: string])[] = [
  ["a message is persisted and not published", "after fl_journal 2"],
  ["an update has come in and is not opened", "thread open 2"],
  ["the round is being computed", "thread aggregate 1"],
  ["the certificate is stored, the next round not begun", "after fl_rounds 1"],
];
const DEADLINE_MS = 120_000;

test("A daemon that is killed at any moment of a certified round loses no round and contradicts nothing.", async (t) => {
  const stack = new Stack();
  t.after(() => stack.unwind());
  const home = scratch(stack);
  const killer = fromSource(["--import", `data:text/javascript,${encodeURIComponent(KILLER)}`]);
  const startVictim = (point = "") =>
    spawnDaemon(stack, {}, home, killer, { KILL_AT: point }).answers(DEADLINE_MS);
  const [a, b, c] = await Promise.all([1, 2, 3].map(() => startDaemon(stack)));
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  let victim = await startVictim();
  await enrol({ a, b, c, victim });
  await converged({ a, b, c, victim });

  const chainOf = async (daemon: TestDaemon): Promise<(string | undefined)[]> => {
    const answer = await daemon.client.flStatus().catch(() => undefined);
    return answer?.learning?.history.map(({ certificate }) => certificate) ?? [];
  };
  const { taskId } = await a.client.flRun({
    task: {
      ...{ participants: ["a", "b", "c", "victim"], byzantine: 1, rounds: 1_000, seed: 7 },
      ...{
        model: { kind: "softmax" },
        data: { kind: "glyphs", trainSamples: 200, testSamples: 50 },
      },
      // Without the victim a round takes this long, and it is missed by nobody.
      orchestrator: { kind: "batch-async", target: 4, deadlineMs: 3_000 },
    },
  });
  await until("a first round", async () => (await chainOf(victim)).length >= 1, DEADLINE_MS);
  let known = await chainOf(victim);
  await victim.end("SIGKILL");
  for (const [moment, point] of POINTS) {
    victim = spawnDaemon(stack, {}, home, killer, { KILL_AT: point });
    await until(
      `it to be killed when ${moment}`,
      () => Promise.resolve(!victim.running),
      DEADLINE_MS,
    );
    assert.equal(await victim.ended(), "SIGKILL", `${moment}: ${victim.err}`);
  }
  victim = await startVictim();
  await until(
    "it to catch up, and to go on with the others",
    async () => {
      const [own, others] = await Promise.all([chainOf(victim), chainOf(a)]);
      if (own.length < known.length) return false;
      assert.deepEqual(own.slice(0, known.length), known, "no certified round is lost");
      known = own;
      const { participants } = await victim.client
        .flExplain({})
        .catch(() => ({ participants: [] }));
      const takesPart = participants.some(({ self, votes }) => self && votes !== null);
      return takesPart && own.length >= POINTS.length && own.length >= others.length - 1;
    },
    DEADLINE_MS,
  );
  assert.equal((await a.client.flStop()).taskId, taskId);
  const [own, others] = await Promise.all([chainOf(victim), chainOf(a)]);
  const common = Math.min(own.length, others.length);
  assert.deepEqual(own.slice(0, common), others.slice(0, common), "one chain");
  for (const daemon of [a, b, c, victim]) {
    assert.equal(await daemon.metric("meshd_learning_equivocations_total"), 0);
    assert.equal(await daemon.metric("meshd_learning_divergences_total"), 0);
    assert.deepEqual((await daemon.client.quarantine()).quarantine, []);
  }
});
