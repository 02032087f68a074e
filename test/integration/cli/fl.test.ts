// meshctl fl as its user meets it: against a node of fixtures, and on a mesh of four daemons of which one lies.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { attackNames } from "../../../src/cli/fl/simulate.ts";
import type { FlExplained } from "../../../src/control/index.ts";
import { scheduleKinds } from "../../../src/learning/index.ts";
import { serveNode } from "../control/served-node.ts";
import { converged, enrol, startDaemon } from "../node/harness.ts";
import { meshctl } from "./run-meshctl.ts";

function directoryFor(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "fl-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function fileOf(t: TestContext, text: string): string {
  const file = join(directoryFor(t), "task.yaml");
  writeFileSync(file, text);
  return file;
}

test("run sends what the file says and shows what it will do; a dry run starts nothing", async (t) => {
  const { socketPath, node } = await serveNode(t);
  const file = fileOf(t, "rounds: 3\nmodel: { kind: mlp, hidden: 32 }\n");
  const dry = await meshctl(["fl", "run", file, "--dry-run", "--socket", socketPath]);
  assert.deepEqual([dry.exit, dry.err], [0, ""]);
  assert.match(dry.out, /^This task is fit to be started: digits/);
  assert.match(dry.out, /trains +mlp \(features 144, classes 10, hidden 32\) on glyphs/);
  assert.match(dry.out, /up to 1 of 3 may lie/);
  assert.match(dry.out, /left out +node-4: not alive now/);
  const run = await meshctl(["fl", "run", file, "--json"], { MESHD_SOCKET: socketPath });
  assert.equal((JSON.parse(run.out) as { started: boolean }).started, true);
  const task = { rounds: 3, model: { kind: "mlp", hidden: 32 } };
  assert.deepEqual(node.calls, [{ task, dryRun: true }, { task }]);
});

test("problems of a file are named with their lines, and are a usage error", async (t) => {
  const { socketPath } = await serveNode(t);
  const file = fileOf(t, "name: x\nrounds: 0\nmodel:\n  kind: mlp\n  hiden: 3\n");
  const run = await meshctl(["fl", "run", file, "--socket", socketPath, "--json"]);
  assert.equal(run.exit, 2);
  assert.match(run.err, /task\.yaml:2: rounds: .*\n.*task\.yaml:5: model\.hiden: /);
  const answer = JSON.parse(run.out) as {
    error: { code: string; details: { problems: string[] } };
  };
  assert.equal(answer.error.code, "learning/bad-task");
  assert.equal(answer.error.details.problems.length, 2);
});

test("stop and resume are for the whole mesh, or with --here for the node", async (t) => {
  const { socketPath, node } = await serveNode(t);
  const env = { MESHD_SOCKET: socketPath };
  const stop = await meshctl(["fl", "stop"], env);
  assert.match(stop.out, /^Stopped task task-1\. Go on with: meshctl fl resume\n$/);
  const resume = await meshctl(["fl", "resume", "--here", "--json"], env);
  assert.deepEqual(JSON.parse(resume.out), { schemaVersion: 1, taskId: "task-1" });
  assert.deepEqual(node.calls, [{ scope: "mesh" }, { scope: "node" }]);
});

test("explain says of everybody what it counted for, and why", async (t) => {
  const { socketPath } = await serveNode(t);
  const { out, exit } = await meshctl(["fl", "explain", "7", "--socket", socketPath]);
  assert.equal(exit, 0);
  const lines = out.split("\n").map((line) => line.trimEnd());
  assert.deepEqual(lines.slice(0, 3), [
    "Round 7 of task task-1: aggregated, loss 0.4100, accuracy 87.0 %",
    "  arc+nnm+geometric-median, at most 1 of 6 lying; 1.2 s",
    "",
  ]);
  const rows = lines.slice(3, 10).map((line) => line.trim().split(/ {2,}/));
  assert.deepEqual(rows, [
    [
      "PARTICIPANT",
      "VERDICT",
      "VOTES",
      "CLIPPED TO",
      "NEIGHBOUR OF",
      "DISTANCE",
      "COSINE",
      "SUSPICION",
    ],
    ["node-1 (this node)", "counted", "1.10", "–", "4 of 5", "0.500", "0.90", "0.10"],
    ["node-2", "counted", "1.10", "–", "4 of 5", "0.500", "0.90", "0.10"],
    ["node-3", "counted", "1.10", "–", "4 of 5", "0.500", "0.90", "0.10"],
    ["node-4", "outlier", "0.02", "12.5 %", "0 of 5", "4.000", "-0.80", "0.90"],
    ["node-5", "refused", "–", "–", "–", "–", "–", "0.10"],
    ["node-6", "silent", "–", "–", "–", "–", "–", "–"],
  ]);
  assert.deepEqual(lines.slice(11, 14), [
    "  node-4: far from the others, 8.0 times the usual distance, and none of them has it among its nearest; it looked odd in nearly all rounds of late.",
    "  node-5: its update holds infinite values or none at all (learning/not-finite).",
    "  node-6: out of the task since round 5: it signed two things where it may sign one, which is proven.",
  ]);
  assert.match(out, /no proof of a lie/);
});

test("simulate takes every attack there is: alone, together, on the protocol; and says which when it is another", async () => {
  const help = (await meshctl(["fl", "simulate", "--help"])).out.replaceAll(/\s+/g, " ");
  for (const name of [...attackNames, ...scheduleKinds]) {
    assert.ok(help.includes(`"${name}"`), `${name} in ${help}`);
  }
  const words = ["fl", "simulate", "--nodes", "7", "--rounds", "1", "--byzantine", "0.3"];
  const reported = async (...more: readonly string[]) => {
    const { exit, err, out } = await meshctl([...words, ...more, "--json"]);
    assert.deepEqual([exit, err], [0, ""]);
    const { attack, schedule, liars } = JSON.parse(out) as Record<string, unknown>;
    return [attack, schedule, liars];
  };
  assert.deepEqual(await reported("--attack", "alie"), ["alie", "prompt", 2]);
  assert.deepEqual(await reported("--attack", "withholding"), ["none", "slow-loris", 2]);
  assert.equal((await meshctl([...words, "--attack", "nosuch"])).exit, 2);
  const both = await meshctl([...words, "--attack", "flooding", "--schedule", "slow"]);
  assert.equal(both.exit, 2);
  assert.match(both.err, /'flooding' is a schedule of its own/);
  const epidemic = await meshctl([...words, "--orchestrator", "epidemic", "--attack", "alie"]);
  assert.notEqual(epidemic.exit, 0);
  assert.match(epidemic.err, /learning\/feature-unavailable/);
});

test("simulate runs a task file in virtual time: same seed, same report; plot draws it", async (t) => {
  const file = fileOf(
    t,
    "rounds: 2\nmodel: { kind: softmax }\ntrainer: { kind: embedded, steps: 5 }\n",
  );
  const words = ["--nodes", "8", "--byzantine", "0.3", "--attack", "scaled", "--seed", "3"];
  const args = ["fl", "simulate", file, "--orchestrator", "batch-async", ...words, "--json"];
  const [first, second] = await Promise.all([meshctl(args), meshctl(args)]);
  assert.deepEqual([first.exit, first.err], [0, ""]);
  assert.equal(first.out, second.out);
  const report = JSON.parse(first.out) as {
    participants: number;
    byzantine: number;
    liars: number;
    agreement: string;
    rounds: { accuracy: number }[];
  };
  const { participants, byzantine, liars, rounds } = report;
  assert.deepEqual([participants, byzantine, liars, rounds.length], [8, 2, 2, 2]);
  assert.ok(["modelled", "machines"].includes(report.agreement));

  const epidemic = await meshctl(["fl", "simulate", file, ...words]);
  assert.deepEqual([epidemic.exit, epidemic.err], [0, ""]);
  assert.match(
    epidemic.out,
    /^epidemic, nearest-neighbour-mixing: 8 nodes, 2 lying by scaled; seed 3\n/,
  );
  assert.match(
    epidemic.out,
    /round 2\/2 .*\n.*after .* of virtual time; every round made a new model/,
  );

  const wrong = await meshctl(["fl", "simulate", file, "--nodes", "6", "--byzantine", "3"]);
  assert.equal(wrong.exit, 2);
  assert.match(wrong.err, /byzantine: needs at least 7 participants/);

  const run = join(directoryFor(t), "run.json");
  writeFileSync(run, first.out);
  const picture = join(directoryFor(t), "c.svg");
  const plot = await meshctl(["fl", "plot", run, run, "--output", picture]);
  assert.deepEqual([plot.exit, plot.err], [0, ""]);
  assert.equal(readFileSync(picture, "utf8").match(/<polyline/g)?.length, 4);
});

test("A mesh of four with a liar: run --watch to the end, rounds, explain, pull, and push to start from", async (t) => {
  const daemons = {
    a: await startDaemon(t),
    b: await startDaemon(t),
    c: await startDaemon(t),
    liar: await startDaemon(t, { learning: { adversary: true } }),
  };
  await enrol(daemons);
  await converged(daemons);
  const env = { MESHD_SOCKET: join(daemons.a.directory, "c.sock") };
  const file = fileOf(
    t,
    "name: digits\nseed: 7\nrounds: 3\nmodel: { kind: mlp }\nattack: sign-flip\naggregator: nearest-neighbour-mixing\n" +
      "data: { kind: glyphs, trainSamples: 1000, testSamples: 200 }\ntrainer: { kind: embedded, steps: 20 }\n",
  );
  const run = await meshctl(["fl", "run", file, "--watch"], env);
  assert.deepEqual([run.exit, run.err], [0, ""], run.out);
  assert.match(run.out, /up to 1 of 4 may lie/);
  assert.match(run.out, /LABORATORY: adversaries do sign-flip/);
  assert.match(run.out, /round 1\/3 .*\n.*round 2\/3 .*\n.*round 3\/3 /);
  assert.match(run.out, /Task finished after round 3: loss \d/);
  const rounds = await meshctl(["fl", "rounds", "--last", "2"], env);
  assert.match(rounds.out, /ROUND +LOSS.*\n +2 .*\n +3 .*\n$/);

  const explained = await meshctl(["fl", "explain", "--json"], env);
  const { participants, round } = JSON.parse(explained.out) as FlExplained;
  assert.equal(round, 3);
  const liar = participants.find(({ name }) => name === "liar");
  assert.ok((liar?.votes ?? 1) < 0.5, JSON.stringify(participants));
  const people = await meshctl(["fl", "explain"], env);
  assert.match(people.out, /liar +(outlier|clipped|down-weighted|no-weight) /);
  const early = await meshctl(["fl", "explain", "4"], env);
  assert.match(early.err, /no report of round 4 .*\[control\/no-round\]/);

  const model = join(directoryFor(t), "model.safetensors");
  const pull = await meshctl(["fl", "pull", model, "--json"], env);
  assert.equal((JSON.parse(pull.out) as { bytes: number }).bytes, readFileSync(model).length);
  assert.equal(readFileSync(model).subarray(8, 9).toString(), "{");
  assert.equal((await meshctl(["fl", "pull", model], env)).exit, 1, "it overwrites nothing");

  const push = await meshctl(["fl", "push", model], env);
  assert.deepEqual([push.exit, push.err], [0, ""]);
  const [, digest = ""] = /\ninitialWeights: ([0-9a-f]{64})\n$/.exec(push.out) ?? [];
  assert.match(push.out, /^The daemon has .*model\.safetensors: 4 tensors, \d+ parameters\.\n/);
  const again = await meshctl(["fl", "push", model, "--json"], env);
  assert.equal((JSON.parse(again.out) as { digest: string }).digest, digest);
  const from = (name: string) =>
    meshctl(
      [
        ...["fl", "run", "--dry-run"],
        fileOf(
          t,
          `model: { kind: mlp }\norchestrator: { kind: batch-async }\ninitialWeights: ${name}\n`,
        ),
      ],
      env,
    );
  assert.deepEqual([(await from(digest)).exit, (await from(digest)).err], [0, ""]);
  assert.match((await from("ab".repeat(32))).err, /learning\/model-missing/);

  const bad = join(directoryFor(t), "bad.safetensors");
  writeFileSync(bad, readFileSync(model).subarray(0, -1));
  const refused = await meshctl(["fl", "push", bad], env);
  assert.equal(refused.exit, 1);
  assert.match(refused.err, /learning\/bad-tensors/);
  const missing = await meshctl(["fl", "push", join(directoryFor(t), "none")], env);
  assert.match(missing.err, /Cannot read '.*none'.*\[cli\/cannot-read\]/);
});
