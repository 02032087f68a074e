// Everything that watches a run: all checkers, and the measure of recovery.

import { meshDefaults } from "../../mesh/index.ts";
import type { SimEngine } from "../census.ts";
import type { ByzantineInjector } from "../injectors/byzantine-injector.ts";
import { RecoveryMonitor } from "../injectors/recovery-monitor.ts";
import type { RunPlan } from "../scenarios/plan.ts";
import type { Swarm } from "../swarm.ts";
import { BoundedState } from "./bounded-state.ts";
import { CrashDetected } from "./crash-detected.ts";
import { EvidenceHolds } from "./evidence-holds.ts";
import { NoExpiredSvid } from "./no-expired-svid.ts";
import { RestartRecovers } from "./restart-recovers.ts";
import { RoutesLive } from "./routes-live.ts";
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

/** Invariants of design and reference that this simulator cannot judge, because it has no such part yet. */
export const notModelled = ["bundle-sequence", "healing-budget", "learning-bound"] as const;

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
    new EvidenceHolds(() => byzantine.equivocators),
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
