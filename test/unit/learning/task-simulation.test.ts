import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";
import {
  completeDraft,
  generateGlyphs,
  parseDraft,
  type ScheduleKind,
  type SimulationReport,
  simulatedParticipants,
  simulatedTaskLimits,
  simulateTask,
  type TaskManifest,
  type TaskSimulationOptions,
} from "../../../src/learning/index.ts";

const hash = (bytes: Uint8Array): Uint8Array => createHash("sha256").update(bytes).digest();
const seed = 1;
const glyphs = { seed, trainSamples: 2000, testSamples: 300 };
const data = generateGlyphs(glyphs);

function taskOf(count: number, over: Record<string, unknown> = {}): TaskManifest {
  const ids = simulatedParticipants(count, seed);
  const draft = parseDraft({
    ...{ seed, rounds: 6, aggregator: "arc+nnm+geometric-median", attack: "sign-flip" },
    model: { kind: "mlp", hidden: 16 },
    data: { kind: "glyphs", ...glyphs, dirichletAlpha: 10 },
    trainer: { kind: "embedded", steps: 30 },
    orchestrator: { kind: "batch-async", target: Math.ceil(0.85 * count), deadlineMs: 1000 },
    ...over,
  });
  return completeDraft(draft, {
    ...{ taskId: "simulated", trustDomain: "example.org", createdAtMs: 0, seed },
    ...{ createdBy: ids[0] ?? "", participants: ids, limits: simulatedTaskLimits },
  });
}

const simulate = (
  task: TaskManifest,
  schedule: ScheduleKind = "prompt",
  over: Partial<TaskSimulationOptions> = {},
): SimulationReport => simulateTask(task, { hash, schedule, data, ...over });

const clean = simulate(taskOf(10, { attack: "none" }));

test(`A third of liars that answer first break the mean and not the default rule (seed ${seed}).`, () => {
  const defended = simulate(taskOf(10), "byzantine-first");
  const mean = simulate(taskOf(10, { aggregator: "mean" }), "byzantine-first");
  assert.ok(clean.accuracy > 0.8, `clean ${clean.accuracy}`);
  assert.ok(defended.accuracy > clean.accuracy - 0.1, `${defended.accuracy} of ${clean.accuracy}`);
  assert.ok(mean.accuracy < 0.4, `mean ${mean.accuracy}`);
  const last = defended.rounds.at(-1);
  assert.equal(last?.downWeighted.liars, last?.liars);
});

test("Equal tasks and options give equal reports; another seed gives another model.", () => {
  for (const agreement of ["machines", "modelled"] as const) {
    const first = simulate(taskOf(7, { rounds: 2 }), "prompt", { agreement });
    const again = simulate(taskOf(7, { rounds: 2 }), "prompt", { agreement });
    const other = simulate(taskOf(7, { rounds: 2, seed: 2 }), "prompt", { agreement });
    assert.deepEqual(again, first);
    assert.notEqual(other.modelDigest, first.modelDigest);
    assert.equal(first.agreement, agreement);
    assert.deepEqual(JSON.parse(JSON.stringify(first)), first);
  }
});

for (const schedule of ["silent", "slow-loris", "equivocation", "flooding"] as const) {
  test(`Between machines ${schedule} liars keep no round from its certificate, and out of sets what they withhold.`, () => {
    const report = simulate(taskOf(7, { rounds: 4 }), schedule);
    assert.equal(report.certified, 4);
    for (const { updates, liars } of report.rounds) {
      assert.equal(liars, 0);
      assert.equal(updates, 5);
    }
    const contradicts = schedule === "equivocation" || schedule === "flooding";
    assert.equal(report.convicted, contradicts ? 2 : 0);
  });
}

test("Between machines a crash of f and a late joiner cost no round, a partition no more than its own.", () => {
  const crash = simulate(taskOf(7, { rounds: 4 }), "crash");
  assert.equal(crash.certified, 4);
  assert.equal(crash.rounds[1]?.updates, 5);
  assert.equal(crash.rounds[3]?.updates, 6);
  const late = simulate(taskOf(7, { rounds: 4 }), "late-joiner");
  assert.equal(late.certified, 4);
  const cut = simulate(taskOf(7, { rounds: 4 }), "partition");
  assert.ok(cut.certified >= 3, `${cut.certified} of 4`);
  assert.equal(cut.rounds.length, 4);
  const slowest = Math.max(...cut.rounds.map(({ durationMs }) => durationMs));
  assert.equal(cut.rounds[1]?.durationMs, slowest);
  assert.ok(slowest >= 5000, `${slowest} ms`);
});

test("With 60 participants no schedule of the liars blocks a round, and a quorum holds more than 2f.", () => {
  const task = taskOf(60, { rounds: 3, aggregator: "geometric-median" });
  for (const schedule of ["silent", "byzantine-first", "slow-loris"] as const) {
    const report = simulate(task, schedule, { learners: "one-batch" });
    assert.equal(report.agreement, "modelled");
    assert.equal(report.void, 0, schedule);
    for (const { updates } of report.rounds) {
      assert.ok(updates > 2 * task.byzantine && updates >= 42, `${updates} under ${schedule}`);
    }
  }
  const blocked = simulate(task, "silent", { learners: "one-batch", liars: 19 });
  assert.equal(blocked.certified, 0, "19 silent of 60 are more than f = 18");
});

const streaming = { kind: "streaming", intervalMs: 1000, stalenessMax: 3 };

test("Streaming: three tenths that send ten times as often move the accuracy by less than a point.", () => {
  const task = taskOf(20, { rounds: 12, orchestrator: streaming });
  const options = { agreement: "modelled" } as const;
  const once = simulate(task, "prompt", options);
  const flooded = simulate(task, "flooding", options);
  assert.ok(Math.abs(flooded.accuracy - once.accuracy) <= 0.01, `${flooded.accuracy}`);
  assert.ok(flooded.accuracy > 0.75, `${flooded.accuracy}`);
  assert.ok(flooded.rounds.every(({ updates }) => updates <= 20));
});

test("Streaming between machines takes late updates of the slow.", () => {
  const report = simulate(taskOf(7, { rounds: 6, orchestrator: streaming }), "slow");
  assert.equal(report.certified, 6);
  assert.ok(report.accuracy > 0.7, `${report.accuracy}`);
});

test("Hierarchical costs a node fewer bytes than flat and stays within five points under attack.", () => {
  const zones = { kind: "hierarchical", zones: 4, deadlineMs: 1000 };
  const over = { rounds: 20, model: { kind: "softmax" }, aggregator: "geometric-median" };
  const tiered = simulate(taskOf(100, { ...over, byzantine: 20, orchestrator: zones }));
  const all = { kind: "batch-async", target: 100, deadlineMs: 1000 };
  const flat = simulate(taskOf(100, { ...over, byzantine: 20, orchestrator: all }));
  assert.ok(tiered.bytesPerNode.max * 2.5 < flat.bytesPerNode.mean, "bytes");
  assert.ok(tiered.accuracy > flat.accuracy - 0.05, `${tiered.accuracy} of ${flat.accuracy}`);
});

test("What cannot be simulated is refused.", () => {
  assert.throws(() => simulate(taskOf(7, { orchestrator: { kind: "epidemic" } })), {
    code: "learning/feature-unavailable",
  });
  const local = { trainer: { kind: "local" }, data: { kind: "glyphs" }, attack: "none" };
  assert.throws(() => simulate(taskOf(7, local)), { code: "learning/feature-unavailable" });
});
