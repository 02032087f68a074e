// Learning across daemons: rounds that finish, a restart in the middle, and every refusal of `fl start`.

import assert from "node:assert/strict";
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { FlStartRequest, LearningStatus } from "../../../src/control/index.ts";
import {
  assertRefused,
  type Cleanup,
  converged,
  enrol,
  type FileOptions,
  type InProcessDaemon,
  scratch,
  spawnDaemon,
  Stack,
  startDaemon,
  type TestDaemon,
  until,
} from "./harness.ts";

const SOFTMAX: FlStartRequest = {
  model: "softmax",
  rounds: 2,
  aggregator: "mean",
  byzantine: 0,
  seed: 7,
};
const TRAINING_MS = 40_000;

function learned(
  daemon: TestDaemon,
  taskId: string,
  fits: (status: LearningStatus) => boolean,
): Promise<LearningStatus> {
  return until(
    "the task to get there",
    async () => {
      const { learning } = await daemon.client.flStatus();
      return learning?.taskId === taskId && fits(learning) && learning;
    },
    TRAINING_MS,
  );
}

const isFinished = ({ state }: LearningStatus): boolean => state === "finished";

describe("a training task", () => {
  test("of two rounds finishes on every node with models that got better", async (t) => {
    const a = await startDaemon(t);
    const b = await startDaemon(t);
    await enrol({ a, b });
    await converged({ a, b });
    const { taskId } = await a.client.flStart(SOFTMAX);
    assert.equal(await a.metric("meshd_learning_tasks_running"), 1);
    for (const daemon of [a, b]) {
      const status = await learned(daemon, taskId, isFinished);
      assert.deepEqual(
        status.history.map(({ round }) => round),
        [1, 2],
      );
      assert.deepEqual(status.participants.map(({ name }) => name).sort(), ["a", "b"]);
      const [first, second] = status.history;
      assert.ok((second?.accuracy ?? 0) > 0.5, `accuracy ${second?.accuracy ?? 0}`);
      assert.ok((second?.loss ?? 9) < (first?.loss ?? 0), "the loss went down");
      assert.equal(await daemon.metric("meshd_learning_tasks_running"), 0);
      assert.equal(await daemon.metric("meshd_learning_round"), 2);
      assert.equal(await daemon.metric("meshd_learning_accuracy_ratio"), second?.accuracy);
    }
    // What is over can be followed by something new.
    const next = await b.client.flStart({ ...SOFTMAX, rounds: 1 });
    await learned(a, next.taskId, isFinished);
  });

  test("on the nodes' own telemetry ends with a model that tells each how usual it is", async (t) => {
    const members = { a: await startDaemon(t), b: await startDaemon(t), c: await startDaemon(t) };
    await enrol(members);
    await converged(members);
    for (const kind of ["epidemic", "batch-async"]) {
      const { taskId, task } = await members.a.client.flRun({
        task: { model: { kind: "autoencoder" }, rounds: 3, orchestrator: { kind } },
      });
      assert.deepEqual(task["data"], { kind: "telemetry" });
      for (const daemon of Object.values(members)) {
        const { accuracy } = await learned(daemon, taskId, isFinished);
        assert.equal(accuracy, null);
        const judged = await learned(daemon, taskId, ({ anomaly }) => anomaly !== null);
        assert.ok((judged.anomaly?.score ?? 9) < 1);
        await learned(daemon, taskId, ({ loss }) => loss !== null);
        await until("it as a metric", async () => {
          return (await daemon.metric("meshd_learning_anomaly_ratio")) > 0;
        });
      }
    }
  });

  test("goes on where it was on a node that was killed, and nothing of a finished round is lost", async (t) => {
    const a = await startDaemon(t);
    const b = await startDaemon(t);
    const victim = await spawnDaemon(t).answers();
    await enrol({ a, b, victim });
    await converged({ a, b, victim });
    const { taskId } = await a.client.flStart({ ...SOFTMAX, rounds: 8, roundTimeoutSeconds: 30 });
    const before = await learned(victim, taskId, ({ round }) => round >= 2);
    await victim.end("SIGKILL");
    const without = await until("the victim to be missed", async () => {
      const run = await a.client.flRun({ task: {}, dryRun: true });
      return run.absent.length > 0 && run;
    });
    assert.deepEqual([without.absent, without.participants.sort()], [["victim"], ["a", "b"]]);

    const again = await spawnDaemon(t, {}, victim.directory).answers();
    const resumed = await until(
      "the task to be there again",
      async () => (await again.client.flStatus()).learning ?? undefined,
    );
    assert.equal(resumed.taskId, taskId);
    assert.ok(resumed.round >= before.round, `round ${resumed.round} after ${before.round}`);
    assert.deepEqual(resumed.history.slice(0, before.history.length), before.history);
    for (const daemon of [again, a, b]) await learned(daemon, taskId, isFinished);
    const { history } = await learned(again, taskId, isFinished);
    assert.equal(history.at(-1)?.round, 8);
    assert.equal(new Set(history.map(({ round }) => round)).size, history.length, "no round twice");
    assert.ok((history.at(-1)?.accuracy ?? 0) > 0.7);
    assert.equal(again.err, "");
  });

  test("does not keep a daemon from stopping in the middle of a round", async (t) => {
    const a = await startDaemon(t);
    const b = await spawnDaemon(t).answers();
    await enrol({ a, b });
    await converged({ a, b });
    const { taskId } = await a.client.flStart({ ...SOFTMAX, rounds: 500 });
    await learned(b, taskId, ({ round }) => round >= 1);
    assert.equal(await b.end("SIGTERM"), 0);
    assert.equal(b.err, "");
    const here = { scope: "node" } as const;
    assert.equal((await a.client.flStop(here)).taskId, taskId);
    assert.equal((await a.client.flStatus()).learning?.state, "stopped");
    assert.equal((await a.client.flStop(here)).taskId, null);
    const again = await spawnDaemon(t, {}, b.directory).answers();
    assert.equal((await again.client.flStatus()).learning?.state, "running");
    assert.equal((await again.client.flStop(here)).taskId, taskId);
  });
});

describe("fl start is refused", () => {
  const stack = new Stack();
  let a: InProcessDaemon;
  let b: InProcessDaemon;
  before(async () => {
    a = await startDaemon(stack);
    b = await startDaemon(stack);
    await enrol({ a, b });
    await converged({ a, b });
  });
  after(() => stack.unwind());

  test("for a participant that nobody knows, naming those there are", async () => {
    const error = await assertRefused(
      a.client.flStart({ ...SOFTMAX, participants: ["a", "nobody"] }),
      "control/unknown-participant",
      /No member is named 'nobody': there are a, b\. See meshctl peers/,
    );
    assert.equal(error.details["name"], "nobody");
  });

  test("for more liars than the participants can bear, one past the bound", async () => {
    await assertRefused(
      a.client.flStart({ ...SOFTMAX, byzantine: 1 }),
      "learning/bad-task",
      /byzantine: needs at least 3 participants for 1 liars, there are 2/,
    );
  });

  test("for a participant alone or named twice", async () => {
    await assertRefused(
      a.client.flStart({ ...SOFTMAX, participants: ["a"] }),
      "learning/bad-task",
      /participants/,
    );
    await assertRefused(
      a.client.flStart({ ...SOFTMAX, participants: ["a", "a"] }),
      "learning/bad-task",
      /without doubles/,
    );
  });

  test("while a task is running, here and at the other node", async () => {
    const { taskId } = await a.client.flStart({ ...SOFTMAX, rounds: 500 });
    await assertRefused(
      a.client.flStart(SOFTMAX),
      "control/task-running",
      new RegExp(`Task '${taskId}' is running.*meshctl fl stop`),
    );
    await learned(b, taskId, ({ state }) => state === "running");
    await assertRefused(b.client.flStart(SOFTMAX), "control/task-running", /meshctl fl stop/);
    assert.equal((await a.client.flStop()).taskId, taskId);
    await learned(b, taskId, ({ state }) => state === "stopped");
  });

  test("for CSV data on a node that has none", async () => {
    await assertRefused(
      a.client.flStart({ ...SOFTMAX, data: "csv" }),
      "learning/bad-data",
      /Set learning\.csv\.file and learning\.csv\.label/,
    );
  });

  test("on a node that is in no mesh, and where learning is off", async (t) => {
    const outside = await startDaemon(t);
    await assertRefused(
      outside.client.flStart(SOFTMAX),
      "control/not-enrolled",
      /meshctl join first/,
    );
    const off = await startDaemon(t, { learning: { enabled: false } });
    await enrol({ off });
    await assertRefused(off.client.flStart(SOFTMAX), "control/disabled", /learning\.enabled/);
  });
});

describe("a CSV file", () => {
  const good = `x,y,class\n${Array.from({ length: 40 }, (_, i) => `${i % 2},${i},${i % 2 ? "odd" : "even"}`).join("\n")}\n`;

  async function withCsv(
    t: Cleanup,
    text: string | undefined,
  ): Promise<{ daemon: InProcessDaemon; file: string }> {
    const directory = scratch(t);
    const file = join(directory, "data.csv");
    if (text !== undefined) writeFileSync(file, text);
    const daemon = await startDaemon(t, { learning: { csv: { file, label: "class" } } }, directory);
    return { daemon, file };
  }

  test("that cannot be used is refused with its code, its line and its column", async (t) => {
    const { daemon, file } = await withCsv(t, undefined);
    await enrol({ a: daemon });
    const start = (): Promise<unknown> => daemon.client.flStart({ ...SOFTMAX, data: "csv" });
    await assertRefused(
      start(),
      "learning/bad-data",
      /data\.csv.*ENOENT.*Check learning\.csv\.file/,
    );
    for (const [text, details, message] of [
      ["x,y,class\n1,2,a\n1,,b\n", { line: 3, column: "y", value: "" }, /line 3, column 'y'/],
      [
        "x,y,class\n1,2,a\n1,two,b\n",
        { line: 3, column: "y", value: "two" },
        /line 3, column 'y'.*'two'/,
      ],
      [
        "x,y,class\n1,2,a\n1,b\n",
        { line: 3, cells: 2, expected: 3 },
        /line 3.*2 cells where the header has 3/,
      ],
      ["x,y,class\n1,2,\n1,2,b\n", { line: 2, column: "class", value: "" }, /label in line 2/],
      ["x,y,kind\n1,2,a\n1,2,b\n", { line: 1, column: "class" }, /label column 'class'/],
    ] as const) {
      writeFileSync(file, text);
      const error = await assertRefused(start(), "learning/bad-csv", message);
      assert.deepEqual(error.details, details);
    }
  });

  test("trains two nodes that hold the same bytes", async (t) => {
    const [a, b] = [await withCsv(t, good), await withCsv(t, good)];
    const members = { a: a.daemon, b: b.daemon };
    await enrol(members);
    await converged(members);
    const { taskId } = await a.daemon.client.flStart({ ...SOFTMAX, data: "csv" });
    for (const { daemon } of [a, b]) await learned(daemon, taskId, isFinished);

    // A node whose file is another takes no part, and the one that started waits for it in vain.
    appendFileSync(b.file, "9,9,odd\n");
    const second = await a.daemon.client.flStart({
      ...SOFTMAX,
      data: "csv",
      roundTimeoutSeconds: 1,
    });
    await learned(a.daemon, second.taskId, ({ state }) => state !== "running");
    assert.equal((await b.daemon.client.flStatus()).learning?.taskId, taskId);
  });
});

describe("a coordinator without the right", () => {
  const member = ["mesh.join", "beacon.publish", "fl.train"];
  const all = [...member, "fl.coordinate", "issuer.attest"];

  test("is refused by its own policy, and by the peers' when its own would let it", async (t) => {
    const policy: FileOptions["policy"] = [
      { spiffe: "spiffe://*/node/root", allow: all },
      { spiffe: "spiffe://*/node/*", allow: member },
    ];
    const root = await startDaemon(t, { policy });
    const honest = await startDaemon(t, { policy });
    const lax = await startDaemon(t);
    await enrol({ root, honest, lax });
    await converged({ root, honest, lax });
    await assertRefused(
      honest.client.flStart(SOFTMAX),
      "control/disabled",
      /fl\.coordinate.*Add it to the policy/,
    );

    const { taskId } = await lax.client.flStart({ ...SOFTMAX, rounds: 1, roundTimeoutSeconds: 1 });
    await learned(lax, taskId, ({ state }) => state !== "running");
    for (const daemon of [root, honest])
      assert.equal((await daemon.client.flStatus()).learning, null);

    const allowed = await root.client.flStart({ ...SOFTMAX, rounds: 1 });
    await learned(honest, allowed.taskId, isFinished);
  });
});
