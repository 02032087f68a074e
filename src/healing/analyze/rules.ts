// Which observation, found unusual in which way, is which symptom. Numbers say where they are from; both sides of each
// are tested.

import type { ObservationName } from "../observation.ts";
import type { SymptomCode } from "../symptoms.ts";
import { type Detector, Drop, Exhaustion, Limit, Outlier } from "./detectors.ts";

/** One way to see a symptom. Several rules may see the same one: any of them is enough. */
export interface Rule {
  readonly code: SymptomCode;
  readonly observation: ObservationName;
  readonly make: () => Detector;
  /** It counts only while this observation is at least so great. */
  readonly provided?: { readonly observation: ObservationName; readonly atLeast: number };
}

const above =
  (limit: number, clear: number, holdLooks = 0) =>
  () =>
    new Limit({ above: true, limit, clear, holdLooks });
const below = (limit: number, clear: number) => () => new Limit({ above: false, limit, clear });

const HOUR_LOOKS = 3_600;

export const rules: readonly Rule[] = [
  // The objective of the design for the event loop; half of it is well.
  { code: "node/slow", observation: "loopLagMs", make: above(50, 25) },
  // ext4 keeps 5 % for root: below that nothing of ours is written any more.
  { code: "node/disk-filling", observation: "diskFreeRatio", make: below(0.05, 0.08) },
  {
    code: "node/disk-filling",
    observation: "diskFreeRatio",
    make: () => new Exhaustion({ end: 0, withinLooks: 6 * HOUR_LOOKS, leastChange: 0.005 }),
  },
  // V8 spends most of its time collecting from about there on.
  { code: "node/memory-growing", observation: "heapRatio", make: above(0.9, 0.8) },
  {
    code: "node/memory-growing",
    observation: "heapRatio",
    make: () => new Exhaustion({ end: 1, withinLooks: HOUR_LOOKS, leastChange: 0.05 }),
  },
  { code: "node/memory-growing", observation: "trainerHeapRatio", make: above(0.9, 0.8) },
  // NTP slews below 0.128 s; two seconds are a step by hand. It is an event: told for a minute.
  { code: "node/clock-stepped", observation: "clockStepMs", make: above(2_000, 2_000, 60) },
  // Renewal is due at half of the lifetime.
  { code: "identity/renewal-overdue", observation: "svidLeftRatio", make: below(0.25, 0.4) },
  {
    code: "mesh/isolated",
    observation: "connections",
    make: below(1, 1),
    provided: { observation: "members", atLeast: 1 },
  },
  // Two seconds without half of the usual connections: one peer that restarts is less.
  {
    code: "mesh/peers-lost",
    observation: "connections",
    make: () => new Drop({ slack: 0.4, sum: 0.2 }),
    provided: { observation: "members", atLeast: 3 },
  },
  { code: "mesh/links-flapping", observation: "flapsPerMin", make: above(10, 4) },
  {
    code: "mesh/links-slow",
    observation: "rttMs",
    make: () => new Outlier({ deviations: 8, floor: 20 }),
  },
  { code: "mesh/links-slow", observation: "lossRatio", make: above(0.2, 0.1) },
  {
    code: "mesh/view-stale",
    observation: "beaconsHeardRatio",
    make: below(0.5, 0.8),
    provided: { observation: "members", atLeast: 3 },
  },
  // A limit sees who falls silent slowly, φ the others sooner.
  {
    code: "mesh/view-stale",
    observation: "silentRatio",
    make: above(0.5, 0.2),
    provided: { observation: "members", atLeast: 3 },
  },
  {
    code: "mesh/unhealthy",
    observation: "unhealthyRatio",
    make: above(0.3, 0.2),
    provided: { observation: "members", atLeast: 3 },
  },
  { code: "mesh/overloaded", observation: "beaconsRefusedPerS", make: above(50, 10) },
  { code: "handshake/failing", observation: "handshakeFailuresPerMin", make: above(10, 3) },
  {
    code: "crypto/engine-fallback",
    observation: "engineRank",
    make: above(0.5, 0.5),
  },
  // 1 is where the learned detector's own threshold lies.
  { code: "learning/anomalous", observation: "anomaly", make: above(1, 0.7) },
];
