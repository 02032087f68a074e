// One run of the simulator with healing or without, and what it came to.

import { hash } from "node:crypto";
import { loadKernels } from "../../src/adapters/wasm/kernels.ts";
import { createWasmSha256 } from "../../src/adapters/wasm/sha256.ts";
import { type HealingFigures, parseScenario, planRun, runPlan } from "../../src/sim/index.ts";
import type { BenchFault } from "./faults.ts";

/** `forgetful`: with healing, but nothing is remembered and no lesson heard. */
export type Mode = "off" | "on" | "forgetful";

export interface BenchRun {
  readonly seed: number;
  readonly mode: Mode;
  readonly nodes: number;
  readonly minutes: number;
  readonly faults: readonly BenchFault[];
  /** How long the mesh is watched after it has come together again. */
  readonly calm: string;
  /** More lines of the scenario. */
  readonly more?: string;
}

/** Kept as a line of JSON. */
export interface BenchOutcome extends Omit<HealingFigures, "incidents" | "actions"> {
  readonly violations: readonly string[];
}

/** Until who has missed anything has asked for all that it lacks. */
const PATIENCE = "2m";

const sha256 = createWasmSha256(loadKernels(), (data) => hash("sha256", data, "buffer"));

/** The run as a scenario file, for `meshctl sim run` too. */
export function scenarioText(run: BenchRun): string {
  return `name: bench
summary: A run of the healing bench.
nodes: ${run.nodes}
minutes: ${run.minutes}
healing: ${run.mode === "off" ? "off" : "on"}
expect: { effects: false, false_deaths: 1000000, calm: ${run.calm} }
${run.more ?? ""}
faults: [${run.faults.map(({ line }) => line).join(", ")}]
`;
}

/**
 * What a short run has not seen come right at its end gets the time for it. Until then the run is the same, so what broke
 * before stays broken.
 */
export function benchRun(run: BenchRun): BenchOutcome {
  const outcome = outcomeOf(run);
  return outcome.violations.length === 0 ? outcome : outcomeOf({ ...run, calm: PATIENCE });
}

function outcomeOf(run: BenchRun): BenchOutcome {
  const plan = planRun(parseScenario(scenarioText(run), "bench.yml"), { seed: run.seed });
  const options = { sha256, retraces: false, healing: { remembers: run.mode !== "forgetful" } };
  const { healing, violations, failures } = runPlan(plan, options);
  if (healing === undefined) throw new Error("a run of this bench measures healing");
  const { incidents: _, actions: __, ...figures } = healing;
  const broken = violations.map(({ checker, what }) => `${checker}: ${what}`);
  return {
    ...figures,
    violations: [...broken, ...failures],
  };
}
