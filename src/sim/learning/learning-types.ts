// What a participant of a training is made of, what it tells, and what liars are asked.

import type { MlDsaSigner } from "../../crypto/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { Certificate, computeRound, Influence, RoundEntry } from "../../learning/index.ts";
import type { Meter } from "../../ports/index.ts";
import type { SimEngine } from "../census.ts";
import type { NodeIndex } from "../node-types.ts";
import type { Fault, FaultKind } from "../scenarios/faults.ts";
import type { LearnerDisk } from "./learner-disk.ts";
import type { LearningTask } from "./learning-task.ts";
import type { TrainingBase, Trainings } from "./trainings.ts";

/** What an honest participant computed from a decided set. */
export interface ComputedSet {
  readonly round: number;
  readonly updates: readonly RoundEntry[];
  /** The model before and after. */
  readonly before: Float32Array;
  readonly after: Float32Array;
  readonly influences: readonly Influence[];
}

/** What happens in a training, at honest participants. */
export interface LearningListener {
  /** `own`: whether the participant computed the same. */
  roundCertified?(node: NodeIndex, certificate: Certificate, own: "same" | "other" | "none"): void;
  roundComputed?(node: NodeIndex, computed: ComputedSet): void;
  /** A participant is proven to have contradicted itself. */
  convicted?(node: NodeIndex, subject: NodeIndex): void;
  /** No result of a round can have a quorum. */
  split?(node: NodeIndex, round: number): void;
  fetched?(node: NodeIndex, bytes: number): void;
}

/** What a participant is made of. */
export interface ParticipantSetting {
  readonly task: LearningTask;
  readonly nodeId: NodeId;
  /** Draws the rounding of its updates: another one in each life, as a training that begins anew has other batches. */
  readonly author: string;
  readonly engine: SimEngine;
  readonly signer: MlDsaSigner;
  readonly publicKeyOf: (nodeId: string) => Uint8Array | undefined;
  readonly silentMeter: Meter;
  readonly disk: LearnerDisk;
  readonly trainings: Trainings;
  readonly compute: typeof computeRound;
  /** Whether it is one of several machines of one identity. */
  readonly hasTwins: boolean;
  isDiskFull(): boolean;
  trainingMs(round: number): number;
  /** What it sends as its update; `lies`: it is not what it trained. */
  update(base: TrainingBase): { readonly row: Float32Array; readonly lies: boolean };
  readonly tell: {
    certified(certificate: Certificate, own: "same" | "other" | "none"): void;
    computed(computed: ComputedSet): void;
    convicted(nodeId: string): void;
    split(round: number): void;
    finished(round: number): void;
    fetched(bytes: number): void;
  };
}

/** Who lies at this moment, and how. */
export interface LearningLies {
  readonly liars: ReadonlySet<NodeIndex>;
  /** Who has said two things in a round so far. */
  readonly contradictors: ReadonlySet<NodeIndex>;
  /** The fault of this kind that a node is in. */
  active<Kind extends FaultKind>(node: NodeIndex, kind: Kind): Fault<Kind> | undefined;
  /** It was really done. */
  did(kind: FaultKind, node: NodeIndex): void;
}
