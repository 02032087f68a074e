// What is held against each node: penalties that halve in ten minutes. Gossip scores its peers by it (P5), and learning
// may read it. Each penalty falls on who is certainly at fault: who handed a message over that an honest node would have
// refused, or who was dead and is back; never on the node in whose name somebody spoke.

import type { NodeId } from "../identity/index.ts";
import type { Meter, MonoMs } from "../ports/index.ts";
import type { BeaconRejectCode } from "./beacons/reject-codes.ts";

/** The worst there is; a node in quarantine has it. */
export const REPUTATION_MIN = -100;
export const REPUTATION_HALF_TIME_MS = 600_000;
/** Nodes with penalties in memory; the one that was penalised longest ago is forgotten first. */
export const REPUTATIONS_MAX = 4_096;
/** Less than this is nothing. */
const NEGLIGIBLE = 0.5;

/** What is held against a node, with its weight. */
export const offences = {
  /** A malformed message, or one whose signature or link is wrong. */
  forgery: 10,
  /** Evidence that proves nothing. */
  "false-evidence": 50,
  /** More than a forwarder may bring of what cannot be used. */
  rate: 1,
  /** It was held for dead and came back. */
  flap: 5,
} as const;
export type Offence = keyof typeof offences;

/** The offence of a peer that handed over a message which was refused so; `undefined`: none of its. */
export function offenceOf(code: BeaconRejectCode, isEvidence: boolean): Offence | undefined {
  switch (code) {
    case "mesh/too-large":
    case "mesh/malformed":
    case "mesh/bad-signature":
    case "mesh/wrong-link":
    case "mesh/not-a-proof":
      return isEvidence ? "false-evidence" : "forgery";
    case "mesh/forwarder-rate":
      return "rate";
    default:
      return undefined;
  }
}

interface Mark {
  score: number;
  atMs: MonoMs;
}

/** Penalties by node. */
export class Reputation {
  readonly #meter: Meter;
  readonly #marks = new Map<NodeId, Mark>();

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  /** How many nodes have a mark. */
  get size(): number {
    return this.#marks.size;
  }

  /** Holds an offence against a node. */
  penalise(nodeId: NodeId, offence: Offence, nowMs: MonoMs): void {
    const score = Math.max(REPUTATION_MIN, this.of(nodeId, nowMs) - offences[offence]);
    this.#marks.delete(nodeId);
    this.#marks.set(nodeId, { score, atMs: nowMs }); // the last penalised is last
    if (this.#marks.size > REPUTATIONS_MAX) {
      const [oldest] = this.#marks.keys();
      if (oldest !== undefined) this.#marks.delete(oldest);
    }
    this.#meter.count("meshd_mesh_offences_total", { offence });
  }

  /** In [-100, 0]; 0: nothing is known against it. */
  of(nodeId: NodeId, nowMs: MonoMs): number {
    const mark = this.#marks.get(nodeId);
    if (mark === undefined) return 0;
    const score = mark.score * 2 ** (-(nowMs - mark.atMs) / REPUTATION_HALF_TIME_MS);
    if (score <= -NEGLIGIBLE) return score;
    this.#marks.delete(nodeId);
    return 0;
  }
}
