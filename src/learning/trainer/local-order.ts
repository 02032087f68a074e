// What passes between this node and a trainer that is another program: the model that a round starts from, and the weights
// that come back. The program is of this host and may still be wrong or late: its answer goes through a gate, as a peer's does.

import { ok, refuse, type Result } from "../../foundation/index.ts";
import { updateRefusalCodes } from "../codes.ts";
import type { ModelSpec } from "../tensors/model-spec.ts";
import {
  decodeSafetensors,
  encodeSafetensors,
  type TensorMetadata,
} from "../tensors/safetensors.ts";
import type { TrainedRound } from "./trainer.ts";

/** Why a local trainer's update is refused: labels of its counter. */
export const localRefusalCodes = [
  ...updateRefusalCodes,
  /** It was trained from other weights than those of the round. */
  "learning/wrong-base",
  /** Its loss or accuracy is no number in range. */
  "learning/bad-report",
  /** No round waits for an update: it is over, or has its update. */
  "learning/no-order",
] as const;

/** One of {@link localRefusalCodes}. */
export type LocalRefusalCode = (typeof localRefusalCodes)[number];

/** A round as a local trainer gets it. */
export interface LocalOrder {
  readonly taskId: string;
  readonly round: number;
  readonly spec: ModelSpec;
  readonly weights: Float32Array;
  /** `modelDigest` of the weights. */
  readonly base: string;
}

/** What a local trainer gave. It says itself how good it is: nobody else has seen its data. */
export interface LocalUpdate extends TrainedRound {
  /** In [0, 1]; `null`: it did not say. */
  readonly accuracy: number | null;
}

/** The file that a round starts from. */
export function encodeOrder({ taskId, round, spec, weights, base }: LocalOrder): Uint8Array {
  return encodeSafetensors(spec, weights, { task: taskId, round: String(round), base });
}

/**
 * Opens a local trainer's answer: the trained weights, with `task`, `round` and `base` in the metadata as they stood in the
 * order, and `loss` and `accuracy` if the trainer likes to tell. Anything else in the metadata means nothing, a number of
 * samples above all: one identity has one vote.
 */
export function openLocalUpdate(
  order: LocalOrder,
  bytes: Uint8Array,
): Result<LocalUpdate, LocalRefusalCode> {
  const decoded = decodeSafetensors(order.spec, bytes);
  if (!decoded.ok) return decoded;
  const { weights, metadata } = decoded.value;
  if (metadata["task"] !== order.taskId) return refuse("learning/wrong-task");
  if (metadata["round"] !== String(order.round)) return refuse("learning/wrong-round");
  if (metadata["base"] !== order.base) return refuse("learning/wrong-base");
  const loss = told(metadata, "loss");
  const accuracy = told(metadata, "accuracy");
  if (loss === undefined) return refuse("learning/bad-report", "loss");
  if (accuracy === undefined || (accuracy !== null && (accuracy < 0 || accuracy > 1))) {
    return refuse("learning/bad-report", "accuracy");
  }
  return ok({ weights, loss, accuracy });
}

/** A finite number of the metadata; `null` without it, `undefined` when it is anything else. */
function told(metadata: TensorMetadata, key: string): number | null | undefined {
  const text = metadata[key];
  if (text === undefined) return null;
  const isNumber = /^-?\d{1,32}(\.\d{1,32})?([eE][+-]?\d{1,3})?$/.test(text);
  return isNumber && Number.isFinite(Number(text)) ? Number(text) : undefined;
}
