// Orchestrators over simulated populations, from seeds: K of N (B5), zones against flat and what agreement costs (B6), a flooded stream and what it
// takes (B7), faults of the protocol between machines (B9). Accuracies are of short runs on generated glyphs: they compare, they are no records.
//   npm run bench -- orchestrators [--table quorums|zones|bytes|agreement|stream|updates|faults]

import type { SimulationReport } from "../src/learning/index.ts";
import { type BenchSuite, summarize } from "./measure.ts";
import { streamTable } from "./orchestrators/stream.ts";
import { benchTask, DEADLINE_MS, type Report, run } from "./orchestrators/tasks.ts";
import { updatesTable } from "./orchestrators/updates.ts";
import { bytesTable, zonesTable } from "./orchestrators/zones.ts";

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

/** B6: what machines tell each other in a round, beside the updates. */
function agreement(report: Report): void {
  for (const count of [16, 32, 64]) {
    const orchestrator = { kind: "batch-async", target: count, deadlineMs: DEADLINE_MS };
    const data = { kind: "glyphs", trainSamples: 400, testSamples: 50 };
    const task = benchTask(count, { rounds: 5, orchestrator, data, attack: "none" });
    const how = { agreement: "machines", learners: "one-batch" } as const;
    const { rounds, agreementBytesPerNode, bytesPerNode } = run(task, "prompt", how);
    const name = `orchestrators/agreement/n${count}`;
    const perRound = (bytes = 0): number => bytes / rounds.length / 1000;
    const messages = perRound(agreementBytesPerNode?.mean);
    report(summarize(`${name}/messages-per-node`, "kB", [messages]));
    report(summarize(`${name}/updates-per-node`, "kB", [perRound(bytesPerNode.mean)]));
  }
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

const tables: Readonly<Record<string, (report: Report) => Promise<void> | void>> = {
  quorums,
  zones: zonesTable,
  bytes: bytesTable,
  agreement,
  stream: streamTable,
  updates: updatesTable,
  faults,
};

export const suite: BenchSuite = async (report, { slice: { table } }) => {
  const chosen = table === undefined ? Object.keys(tables) : table.split(",");
  for (const name of chosen) {
    const fill = tables[name];
    if (fill === undefined)
      throw new RangeError(`No table '${name}': there are ${Object.keys(tables).join(", ")}.`);
    await fill(report);
  }
};
