// What a simulated task tells: plain data, ready for JSON.

import type { AggregatorName } from "../aggregators/aggregator.ts";
import type { AttackKind } from "../attacks/attacks.ts";
import type { ParticipantId, TaskManifest } from "../task.ts";
import type { ScheduleKind } from "./schedules.ts";

/** Ids named in a round; the counts tell of all. */
export const NAMED_MAX = 16;

/** Whose updates counted for less than half of an equal say, or were outliers. */
export interface DownWeighted {
  readonly liars: number;
  readonly honest: number;
  /** The first {@link NAMED_MAX}, ascending. */
  readonly nodeIds: readonly ParticipantId[];
}

/** Bytes of updates that a participant fetched in a round. */
export interface Traffic {
  readonly mean: number;
  readonly max: number;
}

export interface SimulatedRound {
  readonly round: number;
  readonly result: "certified" | "void";
  /** Updates in the agreed set, K; in streaming, identities in the table. */
  readonly updates: number;
  /** How many of them are liars'. */
  readonly liars: number;
  /** Virtual time from the round's start to its end. */
  readonly durationMs: number;
  /** Of the model after the round, on the test samples. */
  readonly loss: number;
  readonly accuracy: number;
  readonly downWeighted: DownWeighted;
  readonly bytesPerNode: Traffic;
}

/** A task's simulated run. Equal manifests and options give equal reports. */
export interface SimulationReport {
  readonly schemaVersion: 1;
  readonly taskId: string;
  readonly seed: number;
  readonly orchestrator: TaskManifest["orchestrator"];
  readonly aggregator: AggregatorName;
  readonly attack: AttackKind;
  readonly schedule: ScheduleKind;
  readonly participants: number;
  /** f as the task assumes it. */
  readonly byzantine: number;
  /** How many there were. */
  readonly liars: number;
  /**
   * How rounds were agreed. `machines`: the protocol's machine ran for every participant, with a hash in the place of each
   * signature. `modelled`: the set was computed once, as all honest participants would agree on it.
   */
  readonly agreement: "machines" | "modelled";
  /** What the participants computed. `trained`: the task's training. `one-batch`: one batch of it a round. */
  readonly learners: "trained" | "one-batch";
  readonly rounds: readonly SimulatedRound[];
  readonly certified: number;
  readonly void: number;
  /** Of the final model. */
  readonly loss: number;
  readonly accuracy: number;
  /** Virtual. */
  readonly durationMs: number;
  /** Of updates, over all rounds. */
  readonly bytesPerNode: Traffic;
  /** Of the protocol's messages, over all rounds, as if each came once; `null` where agreement is modelled. */
  readonly agreementBytesPerNode: Traffic | null;
  /** How many participants were proven to have contradicted themselves. */
  readonly convicted: number;
  /** SHA-256 of the final weights, float32 little-endian. */
  readonly modelDigest: string;
}
