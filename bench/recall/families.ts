// Planted incidents: families that come again and again in the life of a fleet, made so that they are easily mistaken for one another.
// Several have the same cause and symptoms and differ in what was measured; others look alike in every number and differ in the
// peer, or in a symptom. On top: every host has its own normal values and lacks some sensors, symptoms stay away or do not belong,
// one cause in eight is misjudged, and a third of all incidents are of no family.

import {
  featuresOf,
  type Incident,
  type ObservationName,
  observationNames,
  type SeenSymptom,
  type SymptomCode,
  symptomCodes,
  symptoms,
} from "../../src/healing/index.ts";
import type { WallMs } from "../../src/ports/index.ts";
import type { SeededRandom } from "../../src/sim/index.ts";

/** What comes again: symptoms with the share of incidents that show each, and the numbers that are off, from and to. */
export interface Family {
  readonly name: string;
  readonly cause: SymptomCode;
  readonly symptoms: Readonly<Partial<Record<SymptomCode, number>>>;
  readonly off: Readonly<Partial<Record<ObservationName, readonly [number, number]>>>;
  /** The one peer that it is always about. */
  readonly peer?: string;
}

const MB = 1024 ** 2;
const unreachable = {
  cause: "mesh/peer-unreachable",
  symptoms: { "mesh/peer-unreachable": 1, "mesh/links-flapping": 0.4 },
  off: { lossRatio: [0.05, 0.2], flapsPerMin: [1, 6] },
} as const;
const isolated = { "mesh/isolated": 1, "mesh/peers-lost": 0.6, "mesh/view-stale": 0.7 } as const;
const cutOff = {
  connections: [0, 0],
  connectedRatio: [0, 0],
  beaconsHeardRatio: [0, 0.1],
} as const;
const growing = {
  cause: "node/memory-growing",
  symptoms: { "node/memory-growing": 1, "node/slow": 0.4 },
} as const;

export const families: readonly Family[] = [
  { name: "peer a flaky", ...unreachable, peer: "a1".repeat(32) },
  { name: "peer b flaky", ...unreachable, peer: "b2".repeat(32) },
  { name: "peer c flaky", ...unreachable, peer: "c3".repeat(32) },
  {
    ...{ name: "cable out", cause: "mesh/isolated", symptoms: isolated },
    off: { ...cutOff, lossRatio: [0.9, 1] },
  },
  {
    ...{ name: "firewall", cause: "mesh/isolated", symptoms: isolated },
    off: { ...cutOff, handshakeFailuresPerMin: [0, 2], cpuRatio: [0.2, 0.4], rttMs: [100, 400] },
  },
  {
    ...{ name: "clock wrong", cause: "node/clock-stepped" },
    symptoms: { "node/clock-stepped": 1, "mesh/isolated": 0.6, "handshake/failing": 0.7 },
    off: { ...cutOff, clockStepMs: [20_000, 60_000], handshakeFailuresPerMin: [20, 60] },
  },
  {
    ...{ name: "bundle old", cause: "handshake/failing" },
    symptoms: { "handshake/failing": 1, "mesh/isolated": 0.7, "mesh/peers-lost": 0.5 },
    off: { ...cutOff, handshakeFailuresPerMin: [20, 60] },
  },
  {
    ...{ name: "svid ran out", cause: "identity/expired" },
    symptoms: { "identity/expired": 1, "mesh/isolated": 0.7, "handshake/failing": 0.5 },
    off: { ...cutOff, svidLeftRatio: [0, 0], renewalOverdueMs: [1e6, 4e6] },
  },
  {
    ...{ name: "issuer away", cause: "identity/renewal-overdue" },
    symptoms: { "identity/renewal-overdue": 1, "workload/issuer-silent": 0.6 },
    off: { svidLeftRatio: [0.05, 0.25], renewalOverdueMs: [6e5, 3e6] },
  },
  {
    ...{ name: "half of the mesh cut off", cause: "mesh/unhealthy" },
    symptoms: { "mesh/unhealthy": 1, "mesh/peers-lost": 0.9, "learning/rounds-void": 0.5 },
    off: { unhealthyRatio: [0.3, 0.6], connectedRatio: [0.4, 0.7], beaconsHeardRatio: [0.4, 0.7] },
  },
  {
    ...{ name: "lossy uplink", cause: "mesh/peers-lost" },
    symptoms: { "mesh/peers-lost": 1, "mesh/links-flapping": 0.8, "mesh/view-stale": 0.4 },
    off: { lossRatio: [0.3, 0.6], flapsPerMin: [8, 25], localHealth: [3, 7] },
  },
  {
    ...{ name: "busy host", cause: "node/slow" },
    symptoms: { "node/slow": 1, "mesh/peers-lost": 0.6, "mesh/links-flapping": 0.6 },
    off: { loopLagMs: [100, 300], cpuRatio: [0.8, 1], localHealth: [3, 8], flapsPerMin: [5, 15] },
  },
  {
    name: "leak with load",
    ...growing,
    off: { rssBytes: [400 * MB, 600 * MB], cpuRatio: [0.6, 1] },
  },
  {
    name: "leak with peers",
    ...growing,
    off: { rssBytes: [400 * MB, 600 * MB], members: [180, 250] },
  },
  {
    name: "leak of the heap",
    ...growing,
    off: { rssBytes: [400 * MB, 600 * MB], heapRatio: [0.85, 1] },
  },
  {
    ...{ name: "store fills the disk", cause: "node/disk-filling" },
    symptoms: { "node/disk-filling": 1, "state/write-failed": 0.4, "audit/write-failed": 0.3 },
    off: { diskFreeRatio: [0, 0.05], loopLagMs: [80, 200] },
  },
  {
    ...{ name: "another program fills it", cause: "node/disk-filling" },
    symptoms: { "node/disk-filling": 1, "state/write-failed": 0.4, "audit/write-failed": 0.3 },
    off: { diskFreeRatio: [0, 0.05] },
  },
  {
    ...{ name: "flood of strangers", cause: "mesh/overloaded" },
    symptoms: { "mesh/overloaded": 1, "node/slow": 0.5, "mesh/view-stale": 0.4 },
    off: { beaconsRefusedPerS: [40, 100], cpuRatio: [0.4, 0.9], loopLagMs: [20, 120] },
  },
  {
    ...{ name: "engine fell back", cause: "crypto/engine-fallback" },
    symptoms: { "crypto/engine-fallback": 1, "node/slow": 0.7, "mesh/overloaded": 0.4 },
    off: { engineRank: [1, 2], cpuRatio: [0.5, 1], loopLagMs: [50, 150] },
  },
  {
    ...{ name: "participants late", cause: "learning/rounds-void" },
    symptoms: { "learning/rounds-void": 1, "learning/anomalous": 0.3 },
    off: { roundsVoid: [3, 9], anomaly: [0.8, 2] },
  },
];

/** A host's normal values: [from, to] for the fleet; around its own, a host varies by a tenth of that. */
const normal: Readonly<Partial<Record<ObservationName, readonly [number, number]>>> = {
  ...{
    loopLagMs: [2, 20],
    heapRatio: [0.2, 0.6],
    rssBytes: [80 * MB, 300 * MB],
    cpuRatio: [0.01, 0.2],
  },
  ...{
    diskFreeRatio: [0.2, 0.9],
    members: [10, 150],
    connections: [6, 14],
    connectedRatio: [0.9, 1],
  },
  ...{ beaconsHeardRatio: [0.95, 1], localHealth: [0, 1], rttMs: [2, 120], lossRatio: [0, 0.05] },
  ...{
    anomaly: [0.1, 0.9],
    unhealthyRatio: [0, 0.05],
    clockStepMs: [0, 20],
  },
};
/** Of no host its own: anywhere, each time. */
const anywhere = {
  svidLeftRatio: [0.5, 1],
  flapsPerMin: [0, 2],
  beaconsRefusedPerS: [0, 3],
} as const;
const VARIES = 0.1;
const MISSING = 0.05;
const MISJUDGED = 0.125;
const UNRELATED = 0.15;

/** An incident and the family that it is of; undefined: none. */
export interface Planted {
  readonly incident: Incident;
  readonly family: string | undefined;
}

/** A host that has incidents. */
export class PlantedHost {
  readonly #random: SeededRandom;
  readonly #normal: ReadonlyMap<ObservationName, number>;
  /** Sensors that this host does not have. */
  readonly #missing: ReadonlySet<ObservationName>;
  #count = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
    this.#missing = new Set(observationNames.filter(() => random.chance(MISSING)));
    this.#normal = new Map(
      entriesOf(normal).map(([name, range]) => [name, this.#between(range)] as const),
    );
  }

  /** An incident of a family, or of none. */
  next(family: Family | undefined): Planted {
    const shown = family ?? this.#oneOff();
    const at = (1_000_000 + 1_000 * this.#count) as WallMs;
    const codes = this.#codes(shown);
    const [first = shown.cause] = codes;
    const code = this.#random.chance(MISJUDGED) ? first : shown.cause;
    const subject = shown.peer === undefined ? {} : { subject: shown.peer };
    const incident: Incident = {
      id: `planted-${this.#count++}`,
      ...{ openedAtMs: at, closedAtMs: (at + 500) as WallMs, outcome: "mended" },
      symptoms: codes.map((one): SeenSymptom => {
        const { severity } = symptoms[one];
        const about = one === shown.cause ? subject : {};
        return { code: one, ...about, severity, firstSeenMs: at, evidence: [] };
      }),
      cause: { code, ...(code === shown.cause ? subject : {}), why: "" },
      features: this.#features(shown),
      ...{ actions: [], similar: [] },
    };
    return { incident, family: family?.name };
  }

  /** Any cause with some numbers that are off. */
  #oneOff(): Family {
    const [cause = "node/slow", ...more] = this.#random.sample(symptomCodes, 3);
    const names = this.#random.sample(observationNames, 3);
    return {
      ...{ name: "none", cause },
      symptoms: { [cause]: 1, ...Object.fromEntries(more.map((code) => [code, 0.5])) },
      off: Object.fromEntries(names.map((name) => [name, [0, this.#random.fraction() * 100]])),
    };
  }

  #codes({ symptoms: shown }: Family): SymptomCode[] {
    const codes = entriesOf(shown).flatMap(([code, share]) =>
      this.#random.chance(share) ? [code] : [],
    );
    if (this.#random.chance(UNRELATED)) codes.push(...this.#random.sample(symptomCodes, 1));
    return this.#random.sample([...new Set(codes)], codes.length);
  }

  #features({ off }: Family): Float32Array {
    const values: Partial<Record<ObservationName, number>> = {};
    for (const [name, usual] of this.#normal) {
      const [least, most] = normal[name] ?? [0, 0];
      const noise = (this.#random.fraction() - 0.5) * 2 * VARIES * (most - least);
      values[name] = Math.max(0, usual + noise);
    }
    for (const [name, range] of entriesOf(anywhere)) values[name] = this.#between(range);
    for (const [name, range] of entriesOf(off)) values[name] = this.#between(range);
    for (const name of this.#missing) Reflect.deleteProperty(values, name);
    return featuresOf({ values });
  }

  #between([least, most]: readonly [number, number]): number {
    return least + this.#random.fraction() * (most - least);
  }
}

function entriesOf<Key extends string, Value>(
  record: Readonly<Partial<Record<Key, Value>>>,
): (readonly [Key, Value])[] {
  return (Object.keys(record) as Key[]).map((key) => [key, record[key] as Value] as const);
}
