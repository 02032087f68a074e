// What healing sees of its node each second: named numbers, the conditions that parts raise by themselves, and the peers.
// A name that is missing from a reading was not measured; it is never guessed.

import type { MonoMs } from "../ports/index.ts";
import type { SymptomCode } from "./symptoms.ts";

/** How a number becomes one between 0 and 1 of a feature vector: `value / full`, cut off at both ends. */
interface Scale {
  readonly full: number;
  /** What it is, with its unit: for `meshctl incidents explain`. */
  readonly what: string;
}

const scales = {
  loopLagMs: { full: 200, what: "lateness of the event loop, ms" },
  heapRatio: { full: 1, what: "heap in use, share of its limit" },
  rssBytes: { full: 512 * 1024 ** 2, what: "memory of the process, bytes" },
  cpuRatio: { full: 1, what: "CPU of the process, share of a core" },
  diskFreeRatio: { full: 1, what: "disk of state_dir free, share" },
  clockStepMs: { full: 60_000, what: "step of the wall clock against the monotonic one, ms" },
  svidLeftRatio: { full: 1, what: "lifetime left of the SVID, share" },
  renewalOverdueMs: { full: 3_600_000, what: "time since the SVID's renewal was due, ms" },
  members: { full: 256, what: "members known, the left and dead not counted" },
  connections: { full: 64, what: "connected members" },
  connectedRatio: { full: 1, what: "connections, share of those wanted" },
  unhealthyRatio: { full: 1, what: "members suspect or newly dead, share of all" },
  quarantined: { full: 8, what: "members in quarantine" },
  flapsPerMin: { full: 30, what: "links that broke within a minute" },
  beaconsHeardRatio: { full: 1, what: "live members heard of lately, share" },
  beaconsRefusedPerS: { full: 100, what: "beacons refused, per second" },
  handshakeFailuresPerMin: { full: 60, what: "failed handshakes within a minute" },
  localHealth: { full: 8, what: "Lifeguard's local health score" },
  rttMs: { full: 1_000, what: "round trip to peers (median), ms" },
  lossRatio: { full: 1, what: "probes lost (median of the peers), share" },
  roundsVoid: { full: 10, what: "training rounds in a row without a new model" },
  anomaly: { full: 4, what: "anomaly by the learned detector, 1: the usual limit" },
  engineRank: { full: 2, what: "crypto engine, 0: the configured one" },
  trainerHeapRatio: { full: 1, what: "heap of the training thread in use, share of its limit" },
  silentRatio: { full: 1, what: "live members silent for unusually long, share" },
  linkPhi: { full: 16, what: "silence of the link that is silent most, φ" },
  relayedLinks: { full: 16, what: "members reached through relays alone" },
} as const satisfies Record<string, Scale>;

export type ObservationName = keyof typeof scales;
export const observationNames = Object.keys(scales) as readonly ObservationName[];
export const observationScales: Readonly<Record<ObservationName, Scale>> = scales;

/** A member as healing needs it. */
export interface PeerReading {
  readonly nodeId: string;
  readonly state: "joining" | "alive" | "suspect" | "dead" | "left" | "quarantined";
  readonly connected: boolean;
  /** This node wants a connection to it: it had one, or the topology asks for it. */
  readonly wanted: boolean;
  /** A statement is at hand that convinces every node of its misbehaviour. */
  readonly proven: boolean;
  /** The last sign of life of any kind. */
  readonly heardAtMs?: MonoMs;
  /** When it answered a probe of this node last, or connected; absent without a link so far. */
  readonly answeredAtMs?: MonoMs;
}

/** A condition that a part of the node raises by itself; it needs no threshold. */
export interface RaisedCondition {
  readonly code: SymptomCode;
  /** What it is about, when there can be several: a NodeId, a part, a trust domain. */
  readonly subject?: string;
  /** For a person, with the next step. */
  readonly message: string;
}

/** What the sensors say at one moment. */
export interface Reading {
  readonly values: Readonly<Partial<Record<ObservationName, number>>>;
  readonly conditions: readonly RaisedCondition[];
  /** At most {@link PEERS_READ_MAX}; those that are not well first. */
  readonly peers: readonly PeerReading[];
}

export const PEERS_READ_MAX = 256;

/** Length of every feature vector; what lies behind the last observation is 0, so that new ones do not change it. */
export const FEATURES = 64;

/** The reading as numbers between 0 and 1, in the order of {@link observationNames}; what was not measured is 0. */
export function featuresOf({ values }: Pick<Reading, "values">): Float32Array {
  const features = new Float32Array(FEATURES);
  observationNames.forEach((name, at) => {
    features[at] = Math.min(1, Math.max(0, (values[name] ?? 0) / scales[name].full));
  });
  return features;
}
