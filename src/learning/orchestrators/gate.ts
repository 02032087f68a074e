// The gate in front of aggregation: a peer's bytes become a row, or are refused with a code.

import { ok, refuse, type Result } from "../../foundation/index.ts";
import type { UpdateRefusalCode } from "../codes.ts";
import type { ParticipantId } from "../task.ts";
import { allFinite, type ModelSpec } from "../tensors/model-spec.ts";
import { decodeSafetensors, encodeSafetensors } from "../tensors/safetensors.ts";

/** What an update says of itself. */
export interface UpdateLabel {
  readonly taskId: string;
  readonly round: number;
  readonly nodeId: ParticipantId;
}

/** A peer's model that passed the gate. */
export interface GatedUpdate {
  readonly round: number;
  /** The peer's model minus the reference. */
  readonly row: Float32Array;
}

/** The bytes of a model under its label. */
export function encodeUpdate(
  spec: ModelSpec,
  weights: Float32Array,
  label: UpdateLabel,
): Uint8Array {
  const { taskId, round, nodeId } = label;
  return encodeSafetensors(spec, weights, { task: taskId, round: String(round), node: nodeId });
}

/**
 * Opens an update of `expected`; its `round` may be "any" (of 1 to `roundsMax`) when catching up. The row is taken
 * against `reference`. Codes: those of `decodeSafetensors`, `learning/wrong-task`, `-round`, `-node`.
 */
export function openUpdate(
  spec: ModelSpec,
  bytes: Uint8Array,
  expected: {
    readonly taskId: string;
    readonly nodeId: ParticipantId;
    readonly round: number | "any";
    readonly roundsMax: number;
  },
  reference: Float32Array,
): Result<GatedUpdate, UpdateRefusalCode> {
  const decoded = decodeSafetensors(spec, bytes);
  if (!decoded.ok) return decoded;
  const { weights, metadata } = decoded.value;
  if (metadata["task"] !== expected.taskId) return refuse("learning/wrong-task");
  if (metadata["node"] !== expected.nodeId) return refuse("learning/wrong-node");
  const text = metadata["round"] ?? "";
  const round = /^[1-9][0-9]{0,5}$/.test(text) ? Number(text) : 0;
  if (
    round < 1 ||
    round > expected.roundsMax ||
    (expected.round !== "any" && round !== expected.round)
  ) {
    return refuse("learning/wrong-round");
  }
  const row = weights;
  // `+ 0` turns -0 into +0.
  for (let i = 0; i < row.length; i++) row[i] = (row[i] as number) - (reference[i] as number) + 0;
  // Two finite numbers may lie further apart than float32 reaches.
  if (!allFinite(row)) return refuse("learning/not-finite");
  return ok({ round, row });
}
