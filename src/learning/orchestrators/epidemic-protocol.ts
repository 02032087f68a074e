// What goes into and comes out of the epidemic machine.

import type { AggregatorName } from "../aggregators/aggregator.ts";
import type { UpdateRefusalCode } from "../codes.ts";
import type { ParticipantId } from "../task.ts";
import type { TrainerFailureCode, TrainingOrder } from "../trainer/round-trainer.ts";

/** A round's update, or the newest that the peer has (to catch up). */
export type PullRound = number | "newest";

/** Why a pull brought nothing. `gone`: the peer is past that round. `unreachable` is tried again, the rest is not. */
export type PullFailure = "gone" | "timeout" | "unreachable" | "refused";

/** What the adapter tells the machine. */
export type EpidemicEvent =
  | { readonly type: "start" }
  | {
      readonly type: "trained";
      readonly round: number;
      readonly weights: Float32Array;
      readonly loss: number;
    }
  /** The trainer gave nothing that could be used: the round goes on without an own update. */
  | { readonly type: "not-trained"; readonly round: number; readonly code: TrainerFailureCode }
  | {
      readonly type: "pulled";
      readonly round: PullRound;
      readonly nodeId: ParticipantId;
      readonly bytes: Uint8Array;
    }
  | {
      readonly type: "pull-failed";
      readonly round: PullRound;
      readonly nodeId: ParticipantId;
      readonly code: PullFailure;
    }
  | {
      readonly type: "evaluated";
      readonly round: number;
      /** `null`: there is nothing to measure it on. */
      readonly loss: number | null;
      readonly accuracy: number | null;
    }
  | { readonly type: "timer"; readonly id: string }
  | { readonly type: "peer-gone"; readonly nodeId: ParticipantId }
  | { readonly type: "stop" };

/** How a round ended; `void`: its participants agreed that too few updates came. */
export type RoundResult = "aggregated" | "held" | "caught-up" | "void";

/** One contributor of a round and what it counted for. */
export interface Contribution {
  readonly nodeId: ParticipantId;
  /** Share in the aggregate; all shares sum to 1. */
  readonly share: number;
  /** Effective votes: 1 is an equal say. */
  readonly votes: number;
  /** Factor by which the rule shortened the update; 1 where it did not. */
  readonly clip: number;
  /** Euclidean distance of the update to the result, and the cosine between them. */
  readonly distance: number;
  readonly cosine: number;
  /** How many other contributors count it as a neighbour. */
  readonly inDegree: number;
  /** Far off, and fewer than f others count it: no support beyond what liars alone could fake. */
  readonly outlier: boolean;
}

/** A finished round, as the operator sees it. */
export interface RoundReport {
  readonly round: number;
  readonly result: RoundResult;
  /** True when this node kept its own model for want of a quorum. */
  readonly held: boolean;
  /** On the test samples, of the model after the round; with a local trainer what that told; `null`: not measured. */
  readonly loss: number | null;
  readonly accuracy: number | null;
  /** Mean loss of this node's own training in the round; `null` when it caught up or its trainer failed. */
  readonly trainLoss: number | null;
  /** Why this node had no own update. */
  readonly trainerFailure?: TrainerFailureCode;
  readonly aggregator: AggregatorName;
  /** Peers whose update did not count: refused at the gate, or outliers. Ascending, never this node. */
  readonly rejected: readonly ParticipantId[];
  /** Those refused at the gate, and why. */
  readonly refusals: readonly {
    readonly nodeId: ParticipantId;
    readonly code: UpdateRefusalCode;
  }[];
  /** Peers that gave no update. */
  readonly silent: readonly ParticipantId[];
  /** Whose updates entered the aggregate (this node included), ascending; empty when held. */
  readonly contributors: readonly Contribution[];
  /** From the start of training until the model was aggregated. */
  readonly durationMs: number;
  /** Of a certified round: digests of its certificate and of the model after it, equal on every honest node. */
  readonly certificate?: string;
  readonly model?: string;
}

/** What the machine asks of the adapter. */
export type EpidemicAction =
  /** Train a round from these weights (do not change them), then send `trained` or `not-trained`, by the deadline. */
  | ({ readonly type: "train" } & TrainingOrder)
  /** Ask a peer; it may answer late (long poll). Send `pulled` or `pull-failed` once. */
  | {
      readonly type: "pull";
      readonly round: PullRound;
      readonly nodeId: ParticipantId;
      readonly timeoutMs: number;
    }
  | { readonly type: "set-timer"; readonly id: string; readonly delayMs: number }
  /** This node's update of the round is ready, or there is none: wake the peers that wait for it. */
  | { readonly type: "offer"; readonly round: number; readonly bytes: Uint8Array | undefined }
  | { readonly type: "evaluate"; readonly round: number; readonly weights: Float32Array }
  /** Keep the model after the round: a restart resumes from it. */
  | { readonly type: "persist"; readonly round: number; readonly bytes: Uint8Array }
  | ({ readonly type: "round-finished" } & RoundReport)
  | { readonly type: "finished"; readonly reason: "completed" | "stopped" };

/** Answer to a peer that asks for a round. `none`: this node has no update in it, and peers need not wait for one. */
export type Served = Uint8Array | "pending" | "gone" | "none";
