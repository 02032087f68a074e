// Runs of the simulator with healing and without, and what they came to.

import { createHash } from "node:crypto";
import {
  type HealingFigures,
  parseScenario,
  planRun,
  type RunOptions,
  runPlan,
} from "../../src/sim/index.ts";
import type { BenchFault } from "./faults.ts";

export interface BenchRun {
  readonly seed: number;
  readonly nodes: number;
  readonly minutes: number;
  readonly healing: "on" | "off";
  readonly faults: readonly BenchFault[];
  /** More lines of the scenario. */
  readonly more?: string;
}

export interface BenchOutcome extends HealingFigures {
  readonly violations: readonly string[];
}

export function benchRun(run: BenchRun, options: Pick<RunOptions, "healing"> = {}): BenchOutcome {
  const text = `name: bench
summary: A run of the healing bench.
nodes: ${run.nodes}
minutes: ${run.minutes}
healing: ${run.healing}
expect: { effects: false, false_deaths: 1000000 }
${run.more ?? ""}
faults: [${run.faults.map(({ line }) => line).join(", ")}]
`;
  const plan = planRun(parseScenario(text, "bench.yml"), { seed: run.seed });
  const sha256 = (data: Uint8Array): Uint8Array => createHash("sha256").update(data).digest();
  const { healing, violations, failures } = runPlan(plan, { sha256, ...options });
  if (healing === undefined) throw new Error("a run of this bench measures healing");
  const broken = violations.map(({ checker, what }) => `${checker}: ${what}`);
  return { ...healing, violations: [...broken, ...failures] };
}

/** Runs that belong together, in figures. */
export interface Summary {
  readonly runs: number;
  readonly recoveryMs: readonly number[];
  readonly mendMs: readonly number[];
  readonly availability: number;
  readonly actions: Readonly<Record<string, number>>;
  readonly harmful: number;
  readonly violations: readonly string[];
}

export function summaryOf(outcomes: readonly BenchOutcome[]): Summary {
  const actions: Record<string, number> = {};
  for (const { byKind } of outcomes)
    for (const [what, times] of Object.entries(byKind))
      actions[what] = (actions[what] ?? 0) + times;
  return {
    runs: outcomes.length,
    recoveryMs: outcomes.map(({ recoveryMs }) => recoveryMs ?? 0),
    mendMs: outcomes.flatMap(({ mendMs }) => mendMs),
    availability: outcomes.reduce((sum, one) => sum + one.availability, 0) / outcomes.length,
    actions,
    harmful: outcomes.reduce((sum, one) => sum + one.harmful, 0),
    violations: outcomes.flatMap(({ violations }) => violations),
  };
}

/** Nearest rank, in whole seconds with a decimal. */
export function secondsAt(samplesMs: readonly number[], share: number): string {
  const sorted = [...samplesMs].sort((a, b) => a - b);
  const ms = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  return ms === undefined ? "-" : (ms / 1_000).toFixed(1);
}
