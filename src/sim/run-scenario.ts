// Runs a plan: the safety phase, in which traffic and faults do what they do and every checker watches; then
// everything heals, and the liveness phase shows whether the mesh comes together. The report is a function of the
// plan, but for what the host measured.

import { createNobleEngine } from "../crypto/index.ts";
import type { NodeId } from "../identity/index.ts";
import { autoZone, depthOfSize, meshDefaults } from "../mesh/index.ts";
import type { SimEngine } from "./census.ts";
import {
  type HealingWatchers,
  healingWatchers,
  type TrainingWatchers,
  trainingWatchers,
  watchers,
  type Watchers,
} from "./checkers/watchers.ts";
import type { HealingWorldOptions } from "./healing/healing-world.ts";
import { ByzantineInjector } from "./injectors/byzantine-injector.ts";
import { Churn } from "./injectors/churn.ts";
import { FaultSchedule } from "./injectors/fault-schedule.ts";
import { TrafficSource } from "./injectors/traffic-source.ts";
import { LearningWorld, type LearningWorldParts } from "./learning/learning-world.ts";
import { NETWORK_DEFAULTS, type NetworkOptions } from "./network.ts";
import type { NodeIndex } from "./node-types.ts";
import { SeededRandom } from "./random.ts";
import { type HostMeters, makeReport, type RunReport, type Spent } from "./report.ts";
import type { RunPlan } from "./scenarios/plan.ts";
import { createSimEngine, Swarm, type SwarmOptions } from "./swarm.ts";

const MINUTE_MS = 60_000;
/** A replay hands on what seen-caches have forgotten; it must not have to wait for gossipsub's two minutes. */
const REPLAY_SEEN_MS = 10_000;
/** The run is run again up to here, to see that it is the same. */
const RETRACE_MS = 10_000;
/** ... and where a task is trained so long into that. */
const RETRACE_TRAINING_MS = 10_000;
/** A view is judged when nothing was wrong for so long. */
const REFUTE_MS = 30_000;

/** How to run a plan. None of it changes what happens, but for `swarm`. */
export interface RunOptions {
  /** SHA-256 of the host, faster than the pure one. */
  readonly sha256?: (data: Uint8Array) => Uint8Array;
  /** Called once a virtual second. */
  readonly onProgress?: (progress: RunProgress) => void;
  readonly host?: HostMeters;
  /** Changes to the swarm; for sabotage and experiments. */
  readonly swarm?: Partial<SwarmOptions>;
  /** How healing differs from what ships; for experiments and sabotage. */
  readonly healing?: HealingWorldOptions;
  /** Whether the beginning is run a second time, for `same-trace`. @default true */
  readonly retraces?: boolean;
  /** In the place of what participants compute; for sabotage. */
  readonly compute?: LearningWorldParts["compute"];
}

/** Where a run is. */
export interface RunProgress {
  readonly phase: "safety" | "liveness";
  readonly virtualMs: number;
  /** Of the safety phase. */
  readonly totalMs: number;
  readonly violations: number;
}

/** One run under way: the swarm and all that acts on it. */
interface Stage {
  readonly swarm: Swarm;
  readonly watching: Watchers;
  readonly training: TrainingWatchers | undefined;
  readonly healing: HealingWatchers | undefined;
  readonly schedule: FaultSchedule;
  readonly churn: Churn;
}

/**
 * Runs a plan to its end.
 * @throws MeshError `sim/bad-option`, and what a node's code throws under it
 */
export function runPlan(plan: RunPlan, options: RunOptions = {}): RunReport {
  const before = measured(options);
  const { swarm, watching, training, healing, schedule, churn } = setStage(plan, options);
  const totalMs = plan.minutes * MINUTE_MS;
  const tell = (phase: RunProgress["phase"]): void => {
    schedule.tick();
    if (phase === "safety") healing?.monitor.look(swarm, swarm.ailments);
    const violations = swarm.checkers.reduce((sum, one) => sum + one.violationCount, 0);
    options.onProgress?.({ phase, virtualMs: swarm.nowMs, totalMs, violations });
  };
  const safety = (): void => tell("safety");
  swarm.startAll();
  const { learning } = plan;
  const trainedMs = learning === undefined ? 0 : learning.start + RETRACE_TRAINING_MS;
  const retraceMs = Math.min(Math.max(RETRACE_MS, trainedMs), totalMs);
  swarm.run(retraceMs - swarm.nowMs, safety);
  const early = swarm.world.trace.digest();
  swarm.run(totalMs - swarm.nowMs, safety);
  churn.stop();
  schedule.healAll();
  swarm.heal();
  const { converge_within: limitMs, calm, rounds_within: roundsMs } = plan.expect;
  const convergedMs = swarm.runUntilConverged(limitMs);
  watching.viewsEqual.converged(swarm, convergedMs, limitMs);
  if (convergedMs !== undefined) watching.recovery.converged(convergedMs);
  if (training !== undefined) {
    swarm.runUntil(() => training.world.isFinished, roundsMs);
    training.roundsGoOn.ended(swarm, training.world, roundsMs);
  }
  swarm.run(calm, () => tell("liveness"));
  for (const checker of swarm.checkers) checker.finish?.(swarm);
  const after = measured(options);
  const spent = {
    wallMs: after.wallMs - before.wallMs,
    cpuMicros: after.cpuMicros - before.cpuMicros,
    memoryBytes: Math.max(0, after.memoryBytes - before.memoryBytes),
  };
  if (options.retraces !== false)
    watching.sameTrace.compare(retraceMs, early, digestAt(plan, options, retraceMs));
  return makeReport({ plan, swarm, watching, training, healing, convergedMs, spent });
}

/** The host's meters now; zeros without any. */
function measured({ host }: RunOptions): Spent {
  return {
    wallMs: host?.wallMs() ?? 0,
    cpuMicros: host?.cpuMicros() ?? 0,
    memoryBytes: host?.memoryBytes() ?? 0,
  };
}

/** The trace of the same plan, run again from the start. */
function digestAt(plan: RunPlan, options: RunOptions, untilMs: number): string {
  const { swarm, schedule } = setStage(plan, options);
  swarm.startAll();
  swarm.run(untilMs - swarm.nowMs, () => schedule.tick());
  return swarm.world.trace.digest();
}

function setStage(plan: RunPlan, options: RunOptions): Stage {
  const engine = engineOf(plan, options);
  const byzantine = new ByzantineInjector(plan.faults);
  const totalMs = plan.minutes * MINUTE_MS;
  const random = SeededRandom.fromSeed(plan.seed).fork("traffic");
  const network = networkOf(plan);
  const { traffic } = plan;
  const replays = plan.faults.some(({ inject }) => inject.startsWith("replay"));
  const swarm: Swarm = new Swarm({
    ...{ nodes: plan.nodes, seed: plan.seed, network, engine },
    ...{ refuteMs: REFUTE_MS, buggify: plan.buggify },
    ...(replays ? { seenMs: REPLAY_SEEN_MS } : {}),
    zoneOf: zoneChoice(plan),
    wrap: (node, inner) => {
      const source = new TrafficSource({
        ...{ node: inner, traffic, totalMs, nowMs: () => swarm.nowMs },
        random: random.fork(`node ${node}`),
      });
      const trained = training?.world.wrap(node, source) ?? source;
      return healing?.world?.wrap(node, inner, trained) ?? trained;
    },
    makeIntruder: byzantine.makeIntruder,
    ...options.swarm,
  });
  byzantine.enter(swarm);
  const watching = watchers({ plan, swarm, byzantine, engine });
  const training = trainingOf({ plan, swarm, engine, lies: byzantine }, options);
  const healing = healingOf({ plan, swarm, engine }, options);
  const churn = new Churn(swarm, traffic, byzantine.liars, random.fork("churn"));
  churn.start();
  const schedule = new FaultSchedule({ swarm, calm: network, byzantine, faults: plan.faults });
  schedule.start(totalMs);
  return { swarm, watching, training, healing, schedule, churn };
}

/** The task that is trained on the stage, if one is. */
function trainingOf(
  parts: Omit<LearningWorldParts, "plan" | "compute"> & { readonly plan: RunPlan },
  { compute }: RunOptions,
): TrainingWatchers | undefined {
  const { learning, ...plan } = parts.plan;
  if (learning === undefined) return undefined;
  const world = new LearningWorld({
    ...{ ...parts, plan: { ...plan, learning } },
    ...(compute === undefined ? {} : { compute }),
  });
  return trainingWatchers({ ...parts, world });
}

/** What heals on the stage, or at least what it would be worth. */
function healingOf(
  { plan, swarm, engine }: { plan: RunPlan; swarm: Swarm; engine: SimEngine },
  options: RunOptions,
): HealingWatchers | undefined {
  if (plan.healing === undefined) return undefined;
  return healingWatchers({
    plan,
    swarm,
    engine,
    options: plan.healing === "on" && (options.healing ?? {}),
  });
}

/** In which zone each node starts: automatic ones are those of a mesh that was up before and comes back. */
function zoneChoice({ zones, nodes }: RunPlan): (node: NodeIndex, nodeId: NodeId) => string {
  if (zones === 1) return () => "";
  if (zones !== "auto") return (node) => `z${node % zones}`;
  const depth = depthOfSize(nodes, meshDefaults.zoneMembersMin);
  return (_, nodeId) => autoZone(nodeId, depth);
}

function networkOf({ network }: RunPlan): NetworkOptions {
  return {
    ...NETWORK_DEFAULTS,
    ...{ latencyMinMs: network.latency[0], latencyMaxMs: network.latency[1] },
    ...{ jitterMs: network.jitter, tailMs: network.tail, tailRatio: network.tail_share },
    ...{ lossRatio: network.loss, duplicateRatio: network.duplication },
    bytesPerMs: network.bytes_per_second / 1_000,
  };
}

/** Modelled signatures, or the pure engine's real ones: both are functions of the seed. */
function engineOf({ crypto, seed }: RunPlan, { sha256 }: RunOptions): SimEngine {
  if (crypto === "modelled") return createSimEngine(sha256);
  const engine = createNobleEngine(SeededRandom.fromSeed(seed).fork("engine"));
  return {
    sha256: sha256 ?? ((data: Uint8Array) => engine.sha256(data)),
    mlDsa65: engine.mlDsa65,
  };
}
