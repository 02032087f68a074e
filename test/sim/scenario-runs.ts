// Runs of scenarios for tests: the shipped ones by name, or from text.

import { readdirSync, readFileSync } from "node:fs";
import {
  parseScenario,
  planRun,
  type RunChanges,
  type RunOptions,
  runPlan,
  type RunReport,
  type ScenarioFile,
} from "../../src/sim/index.ts";
import { nativeSha256 } from "./native-sha256.ts";

const library = new URL("../../src/sim/library/", import.meta.url);

/** The names of all shipped scenarios. */
export function shippedNames(): string[] {
  return readdirSync(library).map((file) => file.replace(/\.yml$/, ""));
}

/** A shipped scenario. */
export function shipped(name: string): ScenarioFile {
  return parseScenario(readFileSync(new URL(`${name}.yml`, library), "utf8"), `${name}.yml`);
}

/** Runs a scenario. */
export function run(
  scenario: ScenarioFile,
  changes: RunChanges = {},
  options: RunOptions = {},
): RunReport {
  return runPlan(planRun(scenario, changes), { sha256: nativeSha256, ...options });
}
