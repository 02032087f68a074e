// Three nodes, a local trainer beside each: the Python example with the task that goes with it, as an operator starts both, and
// the TypeScript client with the same task.

import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import type { LearningStatus } from "../../src/control/index.ts";
import {
  type Cleanup,
  converged,
  enrol,
  startDaemon,
  type TestDaemon,
  until,
} from "../integration/node/harness.ts";
import { send } from "../integration/trainer/desk.ts";

const examples = fileURLToPath(new URL("../../docs/examples/", import.meta.url));
const taskOf = (file: string): Record<string, unknown> =>
  parse(readFileSync(join(examples, file), "utf8")) as Record<string, unknown>;
const ring = taskOf("ring.yaml");
const line = taskOf("line.yaml");
const python = spawnSync("python3", ["--version"]).status === 0;
const skip = python ? false : "python3 is not installed";
const DEADLINE_MS = 60_000;

interface Attached {
  readonly child: ChildProcess;
  output(): string;
}

/** A trainer beside a daemon, until the test ends. */
function attach(t: Cleanup, daemon: TestDaemon, program: string, ...args: string[]): Attached {
  const socket = join(daemon.directory, "c.sock");
  const command = program.endsWith(".py") ? "python3" : process.execPath;
  const child = spawn(command, [join(examples, program), socket, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  }
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, "close");
    child.kill("SIGKILL");
    await closed;
  });
  return { child, output: () => text };
}

const reached = (daemon: TestDaemon, is: (status: LearningStatus) => boolean) =>
  until(
    "the task to get there",
    async () => {
      const { learning } = await daemon.client.flStatus();
      return learning !== null && is(learning) && learning;
    },
    DEADLINE_MS,
  );

test("With trainer.py beside each of three nodes the model converges on points that no node shows.", {
  skip,
}, async (t) => {
  const members = { a: await startDaemon(t), b: await startDaemon(t), c: await startDaemon(t) };
  await enrol(members);
  await converged(members);
  const daemons = Object.values(members);
  const trainers = daemons.map((daemon, i) => attach(t, daemon, "trainer.py", String(i)));
  await members.a.client.flRun({ task: ring });
  for (const [i, daemon] of daemons.entries()) {
    const { history } = await reached(daemon, ({ state }) => state === "finished");
    const output = trainers[i]?.output() ?? "";
    assert.equal(history.length, 12);
    assert.ok((history.at(-1)?.accuracy ?? 0) > 0.8, output);
    assert.ok((history.at(-1)?.loss ?? 9) < (history[0]?.loss ?? 0), output);
    assert.equal(await daemon.metric("meshd_learning_trainer_failures_total"), 0);
    const result = { result: "accepted" };
    assert.equal(await daemon.metric("meshd_learning_trainer_updates_total", result), 12);
  }
});

test("A trainer that is killed is missed for the rounds it does not answer, and another one takes its place.", {
  skip,
}, async (t) => {
  const members = { a: await startDaemon(t), b: await startDaemon(t), c: await startDaemon(t) };
  await enrol(members);
  await converged(members);
  const { a, b, c } = members;
  attach(t, a, "trainer.py", "0");
  attach(t, b, "trainer.py", "1");
  const killed = attach(t, c, "trainer.py", "2");
  const orchestrator = { kind: "epidemic", roundTimeoutMs: 2_000 };
  await a.client.flRun({ task: { ...ring, rounds: 200, orchestrator } });
  await reached(c, ({ round }) => round >= 1);
  killed.child.kill("SIGKILL");
  const failures = "meshd_learning_trainer_failures_total";
  const late = { code: "learning/trainer-late" };
  await until("a round without it", async () => (await c.metric(failures, late)) >= 1);
  const { history } = await reached(c, ({ round }) => round >= 1);
  const before = history.at(-1)?.round ?? 0;
  // The node goes on with what its peers learn, and the peers go on without it.
  await reached(c, ({ round }) => round > before);
  await reached(a, ({ round }) => round > before);
  const accepted = { result: "accepted" };
  const updates = "meshd_learning_trainer_updates_total";
  const had = await c.metric(updates, accepted);
  attach(t, c, "trainer.py", "3");
  await until("its successor", async () => (await c.metric(updates, accepted)) > had);
});

test("In certified rounds a trainer that lies about shapes, gives no numbers or hangs is missed, and the others go on.", {
  skip,
}, async (t) => {
  const members = {
    a: await startDaemon(t),
    b: await startDaemon(t),
    c: await startDaemon(t),
    d: await startDaemon(t),
  };
  await enrol(members);
  await converged(members);
  const { d, ...honest } = members;
  for (const [i, daemon] of Object.values(honest).entries())
    attach(t, daemon, "trainer.py", String(i));
  const orchestrator = { kind: "batch-async", target: 3, deadlineMs: 10_000 };
  const aggregator = "arc+nnm+geometric-median";
  const participants = Object.keys(members);
  const task = { ...ring, participants, byzantine: 1, aggregator, orchestrator };
  await members.a.client.flRun({ task });
  const refused = await misbehave(join(d.directory, "c.sock"));
  assert.deepEqual(refused, [
    "learning/bad-tensors",
    "learning/wrong-shape",
    "learning/not-finite",
    "learning/wrong-base",
  ]);
  const models = new Set<string | undefined>();
  for (const daemon of Object.values(members)) {
    const { history } = await reached(daemon, ({ state }) => state === "finished");
    assert.equal(history.length, 12);
    assert.ok(history.every(({ held, contributors }) => !held && contributors === 3));
    models.add(history.at(-1)?.model);
  }
  assert.equal(models.size, 1, "one model");
  for (const daemon of Object.values(honest)) {
    const { learning } = await daemon.client.flStatus();
    const best = Math.max(...(learning?.history ?? []).map(({ accuracy }) => accuracy ?? 0));
    assert.ok(best > 0.7, `accuracy ${best}`);
    assert.equal(await daemon.metric("meshd_learning_trainer_failures_total"), 0);
  }
  for (const result of refused)
    assert.equal(await d.metric("meshd_learning_trainer_updates_total", { result }), 1);
  const late = { code: "learning/trainer-late" };
  assert.ok((await d.metric("meshd_learning_trainer_failures_total", late)) >= 11);
});

/** Takes the first order, answers it with nonsense of every kind, and then not at all; the codes of the refusals. */
async function misbehave(socketPath: string): Promise<(string | undefined)[]> {
  await until("an order", async () => {
    const { json } = await send(socketPath, "GET", "next").answer;
    return json.order ?? false;
  });
  const { body: model } = await send(socketPath, "GET", "model").answer;
  const header = model.subarray(8, 8 + Number(model.readBigUInt64LE(0))).toString();
  const same = model.subarray(8 + header.length);
  const notFinite = Buffer.from(same);
  notFinite.writeFloatLE(Number.NaN, 0);
  const codes: (string | undefined)[] = [];
  for (const [text, data] of [
    ["nothing", same],
    [header.replace("[8,2]", "[2,8]"), same],
    [header.replace('"task"', '"samples":"999999999999","task"'), notFinite],
    [header.replace(/"base":"[0-9a-f]{4}/, '"base":"0000'), same],
  ] as const) {
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(text.length));
    const update = Buffer.concat([length, Buffer.from(text), data]);
    const { json } = await send(socketPath, "POST", "update", update).answer;
    codes.push(json.error?.code);
  }
  return codes;
}

test("With trainer.ts, of the packaged client, a line is found, and the trainers end with the task.", async (t) => {
  // The example imports the package by its name, and that leads to dist/.
  const root = join(examples, "../..");
  if (!existsSync(join(root, "dist/trainer.mjs")))
    execFileSync(process.execPath, ["packaging/build.mjs", "--quiet"], { cwd: root });
  const members = { a: await startDaemon(t), b: await startDaemon(t) };
  await enrol(members);
  await converged(members);
  const daemons = Object.values(members);
  const trainers = daemons.map((daemon, i) => attach(t, daemon, "trainer.ts", String(i)));
  const ended = trainers.map(({ child }) => once(child, "close"));
  await members.a.client.flRun({ task: line });
  const [[status]] = (await Promise.all(ended)) as [[number]];
  assert.equal(status, 0, trainers[0]?.output() ?? "");
  for (const daemon of daemons) {
    const { history } = await reached(daemon, ({ state }) => state === "finished");
    assert.equal(history.length, 8);
    assert.ok((history.at(-1)?.loss ?? 9) < 0.02, trainers[0]?.output() ?? "");
  }
});
