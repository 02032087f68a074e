// Everything that watches a run: all checkers, and the measure of recovery.

import { healingDefaults } from "../../healing/index.ts";
import { meshDefaults } from "../../mesh/index.ts";
import type { SimEngine } from "../census.ts";
import type { ByzantineInjector } from "../injectors/byzantine-injector.ts";
import { HealingMonitor } from "../healing/healing-figures.ts";
import { HealingWorld, type HealingWorldOptions } from "../healing/healing-world.ts";
import { RecoveryMonitor } from "../injectors/recovery-monitor.ts";
import type { LearningWorld } from "../learning/learning-world.ts";
import { TrainingMonitor } from "../learning/training-figures.ts";
import type { NodeIndex } from "../node-types.ts";
import type { RunPlan } from "../scenarios/plan.ts";
import type { Swarm } from "../swarm.ts";
import { BoundedState } from "./bounded-state.ts";
import { ContradictionsProven } from "./contradictions-proven.ts";
import { CrashDetected } from "./crash-detected.ts";
import { EvidenceHolds } from "./evidence-holds.ts";
import { HealingBudget } from "./healing-budget.ts";
import { LearningBound } from "./learning-bound.ts";
import { LearningQuorum } from "./learning-quorum.ts";
import { NoExpiredSvid } from "./no-expired-svid.ts";
import { OneCertificate } from "./one-certificate.ts";
import { RestartRecovers } from "./restart-recovers.ts";
import { RoundsGoOn } from "./rounds-go-on.ts";
import { RoutesLive } from "./routes-live.ts";
import { SameModel } from "./same-model.ts";
import { SameTrace } from "./same-trace.ts";
import { ValidSignatures } from "./valid-signatures.ts";
import { ViewsEqual } from "./views-equal.ts";

/** State beacons come in periods that vary by so much. */
const PERIOD_JITTER = 0.05;

/** Those that the run itself speaks to. */
export interface Watchers {
  readonly viewsEqual: ViewsEqual;
  readonly sameTrace: SameTrace;
  readonly routesLive: RoutesLive;
  readonly recovery: RecoveryMonitor;
}

/** Those of a training. */
export interface TrainingWatchers {
  readonly world: LearningWorld;
  readonly monitor: TrainingMonitor;
  readonly roundsGoOn: RoundsGoOn;
  readonly contradictions: ContradictionsProven;
}

/** Invariants of design and reference that this simulator cannot judge, because it has no such part yet. */
export const notModelled = ["bundle-sequence"] as const;

/** Those of nodes that heal themselves. */
export interface HealingWatchers {
  /** Undefined: nothing heals, and it is only measured what that costs. */
  readonly world: HealingWorld | undefined;
  readonly monitor: HealingMonitor;
}

/** Attaches all checkers to a swarm; `engine` is one that no fault touches. */
export function watchers(parts: {
  readonly plan: RunPlan;
  readonly swarm: Swarm;
  readonly byzantine: ByzantineInjector;
  readonly engine: SimEngine;
}): Watchers {
  const { plan, swarm, byzantine, engine } = parts;
  const detectMs = plan.expect.detect_within;
  const watching = {
    viewsEqual: new ViewsEqual(),
    sameTrace: new SameTrace(),
    routesLive: new RoutesLive(
      swarm.world.random.fork("followed routes"),
      detectMs,
      meshDefaults.beaconPeriodMs * (1 + PERIOD_JITTER),
    ),
    recovery: new RecoveryMonitor(),
  };
  swarm.watch(
    new ValidSignatures(swarm.census, engine, byzantine.liars),
    new EvidenceHolds(() => byzantine.equivocators.union(byzantine.contradictors)),
    new CrashDetected(detectMs),
    watching.viewsEqual,
    watching.routesLive,
    new NoExpiredSvid(() => swarm),
    new BoundedState(),
    watching.sameTrace,
    new RestartRecovers(),
    watching.recovery,
  );
  return watching;
}

/** Attaches the checkers of a training to it and to its swarm. */
export function trainingWatchers(parts: {
  readonly swarm: Swarm;
  readonly world: LearningWorld;
  readonly engine: SimEngine;
}): TrainingWatchers {
  const { swarm, world, engine } = parts;
  const monitor = new TrainingMonitor(world, () => swarm.nowMs);
  const roundsGoOn = new RoundsGoOn();
  const contradictions = new ContradictionsProven(swarm, world);
  const checkers = [
    new OneCertificate(swarm, world, engine),
    new LearningQuorum(swarm, world),
    new LearningBound(swarm, world),
    new SameModel(swarm, world),
    contradictions,
  ];
  world.watch(...checkers, monitor);
  swarm.watch(...checkers, roundsGoOn);
  return { world, monitor, roundsGoOn, contradictions };
}

/** Makes the healing of a swarm's nodes, with its checker; with `false` it is only measured what there would be to heal. */
export function healingWatchers(parts: {
  readonly plan: Pick<RunPlan, "faults">;
  readonly swarm: Swarm;
  readonly engine: SimEngine;
  readonly options: HealingWorldOptions | false;
}): HealingWatchers {
  const { plan, swarm, engine, options } = parts;
  const firstMs = plan.faults.length === 0 ? 0 : Math.min(...plan.faults.map(({ at }) => at));
  const stateOf = (node: NodeIndex): string => {
    const { wallMs } = swarm.world.clock(node).at(swarm.nowMs);
    const isOver = swarm.census.at(node).identity.notAfterMs <= wallMs;
    return `${swarm.ailments.stateOf(node)} ${isOver}`;
  };
  const monitor = new HealingMonitor(stateOf, firstMs);
  swarm.watch(monitor);
  if (options === false) return { world: undefined, monitor };
  const world = new HealingWorld(swarm, engine, options);
  const budget = new HealingBudget(swarm, { ...healingDefaults, ...options.options });
  world.watch(monitor, budget);
  swarm.watch(budget);
  return { world, monitor };
}
