// The door of the simulator: scenarios by name, and the parts to write more of them.

export type { SimEngine } from "./census.ts";
export { type DeathWatch, NoFalseDeath } from "./checkers/no-false-death.ts";
export { SequenceRises } from "./checkers/sequence-rises.ts";
export { describeViolation, type Violation } from "./checkers/violation.ts";
export type { SimErrorCode } from "./errors.ts";
export type { NetworkCounts, NetworkOptions } from "./network.ts";
export { SeededRandom } from "./random.ts";
export { describeReport, runScenario, scenarios } from "./run-scenario.ts";
export type {
  Finding,
  Scenario,
  ScenarioOptions,
  ScenarioOutcome,
  ScenarioReport,
} from "./scenarios/scenario.ts";
export { scalingChart } from "./scaling/chart.ts";
export { measureSize, type SizeResult } from "./scaling/measure.ts";
export { scalingReport } from "./scaling/report.ts";
export { createSimEngine, type MachineMaker, Swarm, type SwarmOptions } from "./swarm.ts";
export { type PerNode, perNode, type Usage } from "./usage.ts";
export { World } from "./world.ts";
export type { WorldCounts, WorldOptions } from "./world-types.ts";
