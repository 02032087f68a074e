// Orchestrators over simulated populations, from seeds: K of N (B5), zones against flat (B6), a flooded stream (B7), faults of the
// protocol between machines (B9). Accuracies are of short runs on generated glyphs: they compare, they are no records.

import { hash as digest } from "node:crypto";
import { compileLearningKernels } from "../src/adapters/wasm/learning/instance.ts";
import { createWasmVectorKernels } from "../src/adapters/wasm/learning/vector-kernels.ts";
import {
  completeDraft,
  generateGlyphs,
  parseDraft,
  type ScheduleKind,
  type SimulationReport,
  simulatedParticipants,
  simulatedTaskLimits,
  simulateTask,
  STREAM_RULE,
  StreamingOrchestrator,
  SeededRandom,
  type TaskManifest,
  type TaskSimulationOptions,
} from "../src/learning/index.ts";
import { naiveBuffer } from "./fedbuff.ts";
import { type BenchResult, type BenchSuite, summarize } from "./measure.ts";

const hash = (bytes: Uint8Array): Uint8Array => digest("sha256", bytes, "buffer");
const kernels = createWasmVectorKernels(compileLearningKernels());
const DEADLINE_MS = 10_000;

type Report = (row: BenchResult) => void;

/** A task of `count` participants, three tenths of them liars unless `over` says otherwise. */
function benchTask(count: number, over: Record<string, unknown> = {}): TaskManifest {
  const ids = simulatedParticipants(count, 1);
  const draft = parseDraft({
    ...{ seed: 1, rounds: 10, attack: "sign-flip" },
    ...{ byzantine: Math.floor(0.3 * count), model: { kind: "softmax" } },
    data: { kind: "glyphs", trainSamples: Math.max(4000, 10 * count), testSamples: 1000 },
    ...over,
  });
  return completeDraft(draft, {
    ...{ taskId: "bench", trustDomain: "bench", createdBy: ids[0] ?? "", createdAtMs: 0, seed: 1 },
    ...{ participants: ids, limits: simulatedTaskLimits },
  });
}

function run(
  task: TaskManifest,
  schedule: ScheduleKind,
  options: Partial<TaskSimulationOptions> = {},
): SimulationReport {
  return simulateTask(task, { hash, kernels, schedule, ...options });
}

/** B5: K of 1000 with 300 liars. */
function quorums(report: Report): void {
  for (const target of [700, 850, 1000]) {
    for (const schedule of ["silent", "byzantine-first"] as const) {
      const orchestrator = { kind: "batch-async", target, deadlineMs: DEADLINE_MS };
      const result = run(benchTask(1000, { orchestrator }), schedule);
      const name = `orchestrators/batch-async/n1000-f300-k${target}/${schedule}`;
      const of = (pick: (round: SimulationReport["rounds"][number]) => number): number[] =>
        result.rounds.map(pick);
      report(summarize(`${name}/void-rounds`, "rounds", [result.void]));
      report(summarize(`${name}/updates-least`, "rows", [Math.min(...of((r) => r.updates))]));
      report(
        summarize(
          `${name}/wait`,
          "ms",
          of((r) => r.durationMs),
        ),
      );
      report(summarize(`${name}/accuracy`, "%", [100 * result.accuracy]));
    }
  }
}

/** B6: zones against flat. */
function zones(report: Report): void {
  const flatOf = (count: number, over: Record<string, unknown>) => {
    const orchestrator = { kind: "batch-async", target: count, deadlineMs: DEADLINE_MS };
    return benchTask(count, { ...over, orchestrator });
  };
  const tieredOf = (count: number, of: number, over: Record<string, unknown>) => {
    const orchestrator = { kind: "hierarchical", zones: of, deadlineMs: DEADLINE_MS };
    return benchTask(count, { ...over, orchestrator });
  };
  const perRoundOf = ({ bytesPerNode, rounds }: SimulationReport): number =>
    bytesPerNode.max / rounds.length / 1000;
  const row = (name: string, result: SimulationReport): SimulationReport => {
    report(summarize(`orchestrators/${name}/accuracy`, "%", [100 * result.accuracy]));
    report(summarize(`orchestrators/${name}/void-rounds`, "rounds", [result.void]));
    report(summarize(`orchestrators/${name}/bytes-per-node`, "kB", [perRoundOf(result)]));
    return result;
  };
  const compare = (name: string, flat: SimulationReport, tiered: SimulationReport): void => {
    const points = 100 * (flat.accuracy - tiered.accuracy);
    report(summarize(`orchestrators/${name}/below-flat`, "points", [points]));
    const fewer = perRoundOf(flat) / perRoundOf(tiered);
    report(summarize(`orchestrators/${name}/fewer-bytes-than-flat`, "times", [fewer]));
  };
  for (const attack of ["none", "sign-flip", "scaled", "label-flip"]) {
    const flat = row(`flat/n1000/${attack}`, run(flatOf(1000, { attack }), "prompt"));
    const name = `hierarchical/n1000-z10/${attack}`;
    compare(name, flat, row(name, run(tieredOf(1000, 10, { attack }), "prompt")));
  }
  const few = { rounds: 5 };
  const clean = { ...few, aggregator: "mean", attack: "none" };
  const flat = row("flat/n10000/mean-without-liars", run(flatOf(10_000, clean), "prompt"));
  for (const zones of [10, 100]) {
    const name = `hierarchical/n10000-z${zones}/sign-flip`;
    compare(name, flat, row(name, run(tieredOf(10_000, zones, few), "prompt")));
  }
}

/** B7: three tenths of 100 send ten times as often, and by how many points that moves the result. */
function stream(report: Report): void {
  const orchestrator = { kind: "streaming", intervalMs: 1000, stalenessMax: 4 };
  for (const attack of ["label-flip", "sign-flip", "scaled"]) {
    const runs = [1, 2, 3].map((seed) => {
      const task = benchTask(100, { rounds: 30, orchestrator, attack, seed });
      const data = generateGlyphs({ seed, trainSamples: 4000, testSamples: 1000 });
      return {
        "table/once": 100 * run(task, "prompt", { data }).accuracy,
        "table/flooded": 100 * run(task, "flooding", { data }).accuracy,
        "naive-buffer/once": 100 * naiveBuffer(task, data, 1),
        "naive-buffer/flooded": 100 * naiveBuffer(task, data, 10),
      };
    });
    const row = (name: string, unit: string, of: (each: (typeof runs)[number]) => number): void =>
      report(summarize(`orchestrators/streaming/n100/${attack}/${name}`, unit, runs.map(of)));
    for (const kind of ["table", "naive-buffer"] as const) {
      row(`${kind}/once`, "%", (each) => each[`${kind}/once`]);
      row(`${kind}/flooded`, "%", (each) => each[`${kind}/flooded`]);
      row(`${kind}/moved-by`, "points", (each) =>
        Math.abs(each[`${kind}/once`] - each[`${kind}/flooded`]),
      );
    }
  }
  tick(report, 300);
  tick(report, 1000);
}

/** How long a certified tick over a full table of d = 10,000 takes. */
function tick(report: Report, count: number): void {
  const random = new SeededRandom("bench/streaming", 1);
  const byzantine = Math.floor(0.3 * count);
  const streaming = new StreamingOrchestrator({
    ...{ participants: count, byzantine, intervalMs: 1000, stalenessMax: 4 },
  });
  const entries = simulatedParticipants(count, 1).map((nodeId) => ({
    ...{ nodeId, baseRound: 0 },
    row: Float32Array.from({ length: 10_000 }, () => Math.round(40 * random.normal()) * 2 ** -10),
  }));
  const place = { round: 1, beacon: "00".repeat(32), stepSize: 2 ** -10 };
  const input = { ...place, entries };
  const samples = Array.from({ length: 3 }, () => {
    const start = performance.now();
    const combined = streaming.combine(input, STREAM_RULE, { kernels });
    if (!combined.ok) throw new Error(combined.code);
    return performance.now() - start;
  });
  report(summarize(`orchestrators/streaming/tick/n${count}-d10000`, "ms", samples));
}

/** B9: 13 participants with machines, 4 liars; 20 seeds a fault. Two certificates of one round would end the run. */
function faults(report: Report): void {
  const kinds = [
    ...(["prompt", "silent", "slow-loris", "equivocation", "flooding"] as const),
    ...(["crash", "partition", "late-joiner"] as const),
  ];
  const orchestrator = { kind: "batch-async", target: 13, deadlineMs: DEADLINE_MS };
  const trainer = { kind: "embedded", steps: 5 };
  const over = { byzantine: 4, rounds: 8, orchestrator, trainer };
  for (const kind of kinds) {
    const results = Array.from({ length: 20 }, (_, i) => {
      const data = { kind: "glyphs", trainSamples: 400, testSamples: 50 };
      return run(benchTask(13, { ...over, data, seed: i + 1 }), kind);
    });
    const name = `orchestrators/faults/n13-f4/${kind}`;
    const unfinished = results.filter(({ rounds }) => rounds.length < 8).length;
    report(summarize(`${name}/unfinished`, "runs", [unfinished]));
    report(
      summarize(
        `${name}/void-rounds`,
        "rounds",
        results.map((result) => result.void),
      ),
    );
    const slowest = results.map(({ rounds }) => Math.max(...rounds.map((r) => r.durationMs)));
    report(summarize(`${name}/slowest-round`, "ms", slowest));
    report(
      summarize(
        `${name}/convicted`,
        "ids",
        results.map(({ convicted }) => convicted),
      ),
    );
    const agreement = results.map((r) => (r.agreementBytesPerNode?.mean ?? 0) / r.rounds.length);
    report(
      summarize(
        `${name}/agreement-per-node`,
        "kB",
        agreement.map((bytes) => bytes / 1000),
      ),
    );
  }
}

export const suite: BenchSuite = (report) => {
  quorums(report);
  zones(report);
  stream(report);
  faults(report);
  return Promise.resolve();
};
