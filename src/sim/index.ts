// The door of the simulator: scenario files, runs of them, and the parts to write more.

export type { SimEngine } from "./census.ts";
export { Checker, type MemberChange, type SwarmListener } from "./checkers/checker.ts";
export { type DeathWatch, NoFalseDeath } from "./checkers/no-false-death.ts";
export { SequenceRises } from "./checkers/sequence-rises.ts";
export { describeViolation, type Violation } from "./checkers/violation.ts";
export type { SimErrorCode } from "./errors.ts";
export type { HealingFigures } from "./healing/healing-figures.ts";
export type { NetworkCounts, NetworkOptions } from "./network.ts";
export type { TrainingFigures } from "./learning/training-figures.ts";
export { SeededRandom } from "./random.ts";
export { describeReport, type HostMeters, reportJson, type RunReport } from "./report.ts";
export { runPlan, type RunOptions, type RunProgress } from "./run-scenario.ts";
export { allFaultKinds, describeFault, type Fault, type FaultKind } from "./scenarios/faults.ts";
export { parseScenario, scenarioLimits } from "./scenarios/parse.ts";
export { planRun, planText, type RunChanges, type RunPlan } from "./scenarios/plan.ts";
export type { ScenarioFile } from "./scenarios/schema.ts";
export { shrink, type ShrinkStep } from "./shrink.ts";
export { scalingChart } from "./scaling/chart.ts";
export { measureSize, type SizeResult } from "./scaling/measure.ts";
export { scalingReport } from "./scaling/report.ts";
export { createSimEngine, type MachineMaker, Swarm, type SwarmOptions } from "./swarm.ts";
export { type PerNode, perNode, type Usage } from "./usage.ts";
export { World } from "./world.ts";
export type { WorldCounts, WorldOptions } from "./world-types.ts";
