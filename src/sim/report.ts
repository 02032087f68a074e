// What a run leaves behind: the report, its form for programs and its form for people.

import {
  type HealingWatchers,
  notModelled,
  type TrainingWatchers,
  type Watchers,
} from "./checkers/watchers.ts";
import { describeViolation, type Violation } from "./checkers/violation.ts";
import { percentile, type RecoveryTimes } from "./injectors/recovery-monitor.ts";
import type { HealingFigures } from "./healing/healing-figures.ts";
import type { TrainingFigures } from "./learning/training-figures.ts";
import type { NetworkCounts } from "./network.ts";
import { describeFault, type FaultKind } from "./scenarios/faults.ts";
import type { RunPlan } from "./scenarios/plan.ts";
import type { Swarm } from "./swarm.ts";
import type { WorldCounts } from "./world-types.ts";

/** Version of the JSON form. */
export const SIM_SCHEMA_VERSION = 1;
const TAIL_EVENTS = 40;
const MINUTE_MS = 60_000;

/** The host's own clocks and memory: what the simulator, which has none, is handed. */
export interface HostMeters {
  readonly wallMs: () => number;
  readonly cpuMicros: () => number;
  /** Heap in use. */
  readonly memoryBytes: () => number;
}

/** What a run took of the host. */
export interface Spent {
  readonly wallMs: number;
  readonly cpuMicros: number;
  readonly memoryBytes: number;
}

/** One invariant in a report. */
export interface InvariantResult {
  readonly name: string;
  /** How much was judged; 0: nothing, as with what is not modelled yet. */
  readonly checked: number;
  readonly violations: number;
}

/** A run's report. */
export interface RunReport {
  readonly plan: RunPlan;
  readonly passed: boolean;
  readonly traceDigest: string;
  readonly traceEvents: number;
  readonly virtualMs: number;
  readonly spent: Spent;
  readonly invariants: readonly InvariantResult[];
  /** The first violations of each invariant. */
  readonly violations: readonly Violation[];
  /** What the scenario expects and did not get, one sentence each. */
  readonly failures: readonly string[];
  readonly recovery: RecoveryTimes;
  readonly falseDeaths: number;
  /** Share of the followed routes that lead to their target. */
  readonly availability: number;
  /** Of a scenario that trains. */
  readonly learning: TrainingFigures | undefined;
  /** Of a scenario whose nodes heal themselves. */
  readonly healing: HealingFigures | undefined;
  /** How often each kind of fault in the plan has had an effect. */
  readonly bites: Readonly<Partial<Record<FaultKind, number>>>;
  /** Messages that nodes refused, by code. */
  readonly refused: Readonly<Record<string, number>>;
  readonly world: WorldCounts;
  readonly network: NetworkCounts;
  /** The last events before the end, for a failed run; else empty. */
  readonly tail: readonly string[];
}

/** Puts a report together. */
export function makeReport(parts: {
  readonly plan: RunPlan;
  readonly swarm: Swarm;
  readonly watching: Watchers;
  readonly training: TrainingWatchers | undefined;
  readonly healing: HealingWatchers | undefined;
  readonly convergedMs: number | undefined;
  readonly spent: Spent;
}): RunReport {
  const { plan, swarm, watching, training, healing, convergedMs, spent } = parts;
  const { routesLive, recovery } = watching;
  const { world, violations } = swarm;
  const bites: Partial<Record<FaultKind, number>> = {};
  for (const { inject } of plan.faults) bites[inject] = swarm.ailments.bites(inject);
  const measured = {
    ...{ recovery: recovery.times(), falseDeaths: swarm.noFalseDeath.falseDeaths },
    availability: routesLive.followed === 0 ? 1 : routesLive.arrived / routesLive.followed,
    ...{ network: { ...world.network.counts }, virtualMs: world.nowMs },
    learning: training?.monitor.figures(training.contradictions.count),
    healing: healing?.monitor.figures(),
  };
  const failures = unmet(plan, { ...measured, convergedMs, bites });
  const passed = violations.length === 0 && failures.length === 0;
  return {
    ...{ plan, passed, violations, failures, bites, spent, ...measured },
    ...{ traceDigest: world.trace.digest(), traceEvents: world.trace.events },
    invariants: [
      ...swarm.checkers.map(({ name, checks, violationCount }) => ({
        ...{ name, checked: checks, violations: violationCount },
      })),
      ...notModelled.map((name) => ({ name, checked: 0, violations: 0 })),
    ],
    refused: Object.fromEntries([...swarm.refused].sort(([a], [b]) => (a < b ? -1 : 1))),
    world: { ...world.counts },
    tail: passed ? [] : world.trace.tail(TAIL_EVENTS),
  };
}

type Measured = Pick<
  RunReport,
  "recovery" | "falseDeaths" | "availability" | "network" | "virtualMs" | "bites" | "learning"
> & { readonly convergedMs: number | undefined };

/** Which of a scenario's expectations were not met. A fault without effect is one: nothing was tested. */
function unmet({ expect, nodes, faults, minutes }: RunPlan, measured: Measured): string[] {
  const failures: string[] = [];
  const { recovery, falseDeaths, availability, network, virtualMs, bites, learning } = measured;
  const atMost = (what: string, value: number | null, limit: number | undefined): void => {
    if (limit === undefined) return;
    if (value === null) failures.push(`There is no ${what} to compare with ${limit}.`);
    else if (value > limit) failures.push(`${what} is ${value}, at most ${limit} is expected.`);
  };
  atMost("detectMsP99", recovery.detectMsP99, expect.detect_p99);
  atMost("rerouteMsP99", recovery.rerouteMsP99, expect.reroute_p99);
  atMost("falseDeaths", falseDeaths, expect.false_deaths);
  const rate = (1_000 * network.bytes) / (virtualMs * nodes);
  atMost("bytesPerSecond", Math.round(rate), expect.bytes_per_second);
  if (availability < expect.availability) {
    failures.push(`availability is ${availability}, at least ${expect.availability} is expected.`);
  }
  if (learning !== undefined && learning.accuracy < expect.accuracy) {
    failures.push(`accuracy is ${learning.accuracy}, at least ${expect.accuracy} is expected.`);
  }
  const begun = faults.filter(({ at }) => at < minutes * MINUTE_MS).map(({ inject }) => inject);
  const idle = [...new Set(begun)].filter((kind) => expect.effects && (bites[kind] ?? 0) === 0);
  for (const kind of idle) failures.push(`The fault ${kind} had no effect: nothing was tested.`);
  return failures;
}

/** The report as a program reads it. */
export function reportJson(report: RunReport): object {
  const { plan, recovery, spent, virtualMs, network } = report;
  const nodeSeconds = (plan.nodes * virtualMs) / 1_000;
  return {
    schemaVersion: SIM_SCHEMA_VERSION,
    ...{ scenario: plan.name, nodes: plan.nodes, seed: plan.seed },
    traceDigest: report.traceDigest,
    virtualSeconds: virtualMs / 1_000,
    wallSeconds: rounded(spent.wallMs / 1_000, 1_000),
    invariants: report.invariants,
    recovery: {
      detectMsP99: recovery.detectMsP99,
      rerouteMsP99: recovery.rerouteMsP99,
      convergeMsP99: recovery.convergeMsP99,
    },
    falseDeaths: report.falseDeaths,
    availability: rounded(report.availability, 1e6),
    perNode: {
      bytesPerSecond: rounded(network.bytes / nodeSeconds, 10),
      messagesPerSecond: rounded(network.sent / nodeSeconds, 100),
      cpuMicrosPerSecond: rounded(spent.cpuMicros / nodeSeconds, 10),
      memoryBytes: Math.round(spent.memoryBytes / plan.nodes),
    },
    crypto: plan.crypto,
    ...(report.learning === undefined ? {} : { learning: rounding(report.learning) }),
    ...(report.healing === undefined ? {} : { healing: healingJson(report.healing) }),
  };
}

/** The report as people read it. */
export function describeReport(report: RunReport): string {
  const { plan, passed, recovery, virtualMs, spent, network } = report;
  const nodeSeconds = (plan.nodes * virtualMs) / 1_000;
  const time = (p50: number | null, p99: number | null): string =>
    p99 === null ? "nothing to measure" : `p50 ${p50 ?? 0} ms, p99 ${p99} ms`;
  const notYet: readonly string[] = notModelled;
  const lines = [
    `${plan.name} ${passed ? "passed" : "FAILED"}: ${plan.nodes} nodes, seed ${plan.seed}, ` +
      `${(virtualMs / 1_000).toFixed(0)} s of virtual time in ${(spent.wallMs / 1_000).toFixed(1)} s, ` +
      `${plan.crypto} crypto`,
    `  trace ${report.traceDigest} (${report.traceEvents} events)`,
    "  invariants:",
    ...report.invariants.map(({ name, checked, violations }) => {
      const said = notYet.includes(name) ? "not modelled yet" : `${checked} checked`;
      return `    ${violations > 0 ? "✗" : " "} ${name.padEnd(18)} ${said}${violations > 0 ? `, ${violations} VIOLATIONS` : ""}`;
    }),
    `  crash detected   ${time(recovery.detectMsP50, recovery.detectMsP99)}`,
    `  rerouted         ${time(recovery.rerouteMsP50, recovery.rerouteMsP99)}`,
    `  converged        ${time(recovery.convergeMsP50, recovery.convergeMsP99)}`,
    `  false deaths     ${report.falseDeaths}`,
    `  availability     ${(100 * report.availability).toFixed(2)} % of the routes that were followed arrive`,
    `  each node        ${(network.bytes / nodeSeconds).toFixed(0)} bytes/s, ${(network.sent / nodeSeconds).toFixed(1)} messages/s, ` +
      `${(spent.cpuMicros / nodeSeconds).toFixed(0)} µs of CPU/s, ${(spent.memoryBytes / plan.nodes / 1024).toFixed(0)} KiB`,
  ];
  if (report.learning !== undefined) lines.push(...describeTraining(report.learning));
  if (report.healing !== undefined) lines.push(...describeHealing(report.healing));
  if (plan.faults.length > 0) {
    const bites = Object.entries(report.bites).map(([kind, times]) => `${kind} ${times}`);
    lines.push(`  effects of faults: ${bites.join(", ")}`);
  }
  if (passed) return lines.join("\n");
  lines.push(...report.failures.map((failure) => `  ✗ ${failure}`));
  lines.push(...report.violations.slice(0, 20).map((one) => `  ✗ ${describeViolation(one)}`));
  lines.push("  faults:", ...plan.faults.map((fault) => `    ${describeFault(fault)}`));
  lines.push("  the last events:", ...report.tail.map((line) => `    ${line}`));
  return lines.join("\n");
}

function rounding(figures: TrainingFigures): TrainingFigures {
  return { ...figures, loss: rounded(figures.loss, 1e6), accuracy: rounded(figures.accuracy, 1e6) };
}

function describeTraining(figures: TrainingFigures): string[] {
  const { participants, byzantine, liars, aggregator, certified, held, roundMsP50 } = figures;
  const { updates, liarUpdates, downWeighted, convicted, accuracy, loss, modelDigest } = figures;
  const honest = updates - liarUpdates;
  return [
    `  training         ${aggregator} among ${participants}, ${liars} of them lying, ${byzantine} assumed`,
    `    ${certified} rounds made a new model, ${held} kept it by their rule, ${figures.void} were void; p50 ${roundMsP50 ?? "-"} ms`,
    `    weighed down: ${downWeighted.liars} of ${liarUpdates} liars' updates, ${downWeighted.honest} of ${honest} honest ones; ` +
      `${convicted} participants proven to have contradicted themselves`,
    `    accuracy ${(100 * accuracy).toFixed(1)} %, loss ${loss.toFixed(3)}, model ${modelDigest.slice(0, 16)}`,
  ];
}

function healingJson({ mendMs, ...figures }: HealingFigures): object {
  const { availability, joinedAvailability, settledAvailability } = figures;
  return {
    ...figures,
    availability: rounded(availability, 1e6),
    joinedAvailability: rounded(joinedAvailability, 1e6),
    settledAvailability: rounded(settledAvailability, 1e6),
    ...{ mendMsP50: percentile(mendMs, 0.5), mendMsP99: percentile(mendMs, 0.99) },
  };
}

function describeHealing({
  incidents,
  byKind,
  harmful,
  availability,
  recoveryMs,
}: HealingFigures): string[] {
  const done = Object.entries(byKind).map(([what, times]) => `${what} ${times}`);
  return [
    `  healing          ${incidents} incidents; ${done.join(", ") || "nothing was done"}; ${harmful} harmful`,
    `    ${(100 * availability).toFixed(3)} % of node-seconds with a right view and all routes; whole again after ${recoveryMs ?? 0} ms`,
  ];
}

function rounded(value: number, steps: number): number {
  return Math.round(value * steps) / steps;
}
