// A stream whose liars flood it (table B7), and how long its ticks take.

import {
  generateGlyphs,
  SeededRandom,
  simulatedParticipants,
  STREAM_RULE,
  StreamingOrchestrator,
} from "../../src/learning/index.ts";
import { naiveBuffer } from "../fedbuff.ts";
import { summarize } from "../measure.ts";
import { benchTask, kernels, type Report, run } from "./tasks.ts";

/** B7: three tenths of 100 send ten times as often, and by how many points that moves the result. */
export function streamTable(report: Report): void {
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
