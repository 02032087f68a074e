// meshctl sim as a user has it: a process, its output and its exit status.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { shippedNames } from "../../sim/scenario-runs.ts";
import { meshctl } from "./run-meshctl.ts";

const folder = mkdtempSync(join(tmpdir(), "meshd-sim-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const failing = join(folder, "failing.yml");
writeFileSync(
  failing,
  `{ name: failing, summary: expects too much, nodes: 6, minutes: 0.75, seed: 4, expect: { detect_p99: 1ms, calm: 1s }, faults: [
    { inject: crash, at: 15s, for: 20s, nodes: [2] }, { inject: duplication, at: 10s, for: 9s, ratio: 0.5 } ] }`,
);

const run = [
  "sim",
  "run",
  "--scenario",
  "network-loss",
  "--minutes",
  "0.7",
  "--seed",
  "5",
  "--json",
];
const keys = [
  ...["schemaVersion", "scenario", "nodes", "seed", "traceDigest", "virtualSeconds", "wallSeconds"],
  ...["invariants", "recovery", "falseDeaths", "availability", "perNode", "crypto"],
];

test("a run ends with one line of JSON, the same twice but for what the host took", async () => {
  const [first, second] = await Promise.all([meshctl(run), meshctl(run)]);
  assert.equal(first.exit, 0, first.err);
  const json = JSON.parse(first.out.trim().split("\n").at(-1)!) as Record<string, unknown>;
  const again = JSON.parse(second.out) as Record<string, unknown>;
  assert.deepEqual(Object.keys(json), keys);
  assert.deepEqual(Object.keys(json["recovery"] as object), [
    ...["detectMsP99", "rerouteMsP99", "convergeMsP99"],
  ]);
  assert.deepEqual(Object.keys(json["perNode"] as object), [
    ...["bytesPerSecond", "messagesPerSecond", "cpuMicrosPerSecond", "memoryBytes"],
  ]);
  assert.match(json["traceDigest"] as string, /^[0-9a-f]{64}$/);
  assert.equal(json["traceDigest"], again["traceDigest"]);
  assert.deepEqual(
    [json["scenario"], json["seed"], json["crypto"]],
    ["network-loss", 5, "modelled"],
  );
  const notYet = (json["invariants"] as { name: string; checked: number }[]).filter(
    ({ name }) => name === "bundle-sequence",
  );
  assert.equal(notYet[0]?.checked, 0);
});

test("a failing run says seed, commit, scenario and the command that replays it, which makes it smaller", async () => {
  const { exit, out } = await meshctl(["sim", "run", "--scenario", failing]);
  assert.equal(exit, 1);
  assert.match(out, /seed 4, commit \S+, scenario failing/);
  const command = /meshctl (sim replay 4 --scenario .*)\n/.exec(out)?.[1];
  assert.ok(command !== undefined, out);
  const smallest = join(folder, "smallest.yml");
  const replayed = await meshctl([...command.split(" "), "--runs", "6", "--out", smallest]);
  assert.equal(replayed.exit, 1, replayed.err);
  assert.match(replayed.out, /detectMsP99 is \d+, at most 1 is expected/);
  assert.doesNotMatch(readFileSync(smallest, "utf8"), /inject: duplication/);
  assert.match(readFileSync(smallest, "utf8"), /inject: crash/);
});

test("a swarm stops at the first failure with its replay command, and ends well when its time is over", async () => {
  const swarm = ["sim", "swarm", "--workers", "2", "--seed", "4", "--json"];
  const bad = await meshctl([...swarm, "--minutes", "10", "--scenarios", failing]);
  assert.equal(bad.exit, 1, bad.err);
  const report = JSON.parse(bad.out) as { passed: boolean; replay: string };
  assert.equal(report.passed, false);
  assert.match(report.replay, /meshctl sim replay \d+ --scenario/);
  const good = await meshctl([...swarm, "--minutes", "0.02"]);
  assert.equal(good.exit, 0, good.err);
});

test("all scenarios are listed", async () => {
  const { exit, out } = await meshctl(["sim", "list", "--json"]);
  assert.equal(exit, 0);
  const { scenarios } = JSON.parse(out) as { scenarios: { name: string }[] };
  assert.deepEqual(
    scenarios.map(({ name }) => name),
    shippedNames().sort(),
  );
});

test("an unknown scenario and a broken file are refused with what to do", async () => {
  const unknown = await meshctl(["sim", "run", "--scenario", "nothing"]);
  assert.equal(unknown.exit, 1);
  assert.match(unknown.err, /no scenario 'nothing'.*node-crash.*\[sim\/unknown-scenario\]/);
  const broken = join(folder, "broken.yml");
  writeFileSync(broken, "name: x\n");
  const refused = await meshctl(["sim", "run", "--scenario", broken]);
  assert.match(refused.err, /nodes must be a whole number.*missing[^]*\[sim\/bad-scenario\]/);
  const usage = await meshctl(["sim", "replay", "what"]);
  assert.equal(usage.exit, 2);
});
