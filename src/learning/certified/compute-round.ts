// From the updates that a round agreed on to its model, on every node to the same bit: the orchestrator's step is added to
// the base in float32, -0 becomes +0, and what is told of the round comes from the updates' own notes by lower medians.

import { concatBytes, fromHex, toHex } from "../../foundation/index.ts";
import type { AggregatorName } from "../aggregators/aggregator.ts";
import type { VectorKernels } from "../aggregators/kernels.ts";
import type {
  Influence,
  RoundEntry,
  RoundOrchestrator,
} from "../orchestrators/round-orchestrator.ts";
import { nextStep } from "../compression/step.ts";
import { allFinite } from "../tensors/model-spec.ts";
import type { Sha256 } from "../transfer/chunks.ts";
import { lowerMedian, type RoundSummary, type UpdateNote } from "./round-record.ts";

/** What a round is computed from. */
export interface RoundComputation {
  readonly round: number;
  /** Digest of the certificate before. */
  readonly beacon: string;
  /** The certified model before the round. */
  readonly base: Float32Array;
  /** Ascending node id. */
  readonly updates: readonly (RoundEntry & { readonly note: UpdateNote })[];
  /** The quantisation's step in force. */
  readonly stepSize: number;
}

/** What came of it. */
export interface ComputedRound {
  readonly weights: Float32Array;
  readonly influences: readonly Influence[];
  readonly summary: RoundSummary;
}

/** Computes a round; a rule that refuses, or a model that would leave float32, keeps the model. */
export function computeRound(
  orchestrator: Pick<RoundOrchestrator, "combine">,
  aggregator: AggregatorName,
  kernels: VectorKernels,
  { round, beacon, base, updates, stepSize }: RoundComputation,
): ComputedRound {
  const input = { round, beacon, stepSize, entries: updates };
  const combined = orchestrator.combine(input, aggregator, { kernels });
  const weights = combined.ok ? stepped(base, combined.value.vector) : undefined;
  const told = {
    loss: lowerMedian(updates.map(({ note }) => note.loss)),
    accuracy: lowerMedian(updates.map(({ note }) => note.accuracy)),
  };
  if (!combined.ok || weights === undefined) {
    return { weights: base, influences: [], summary: { held: true, ...told, norm: 0, stepSize } };
  }
  return {
    weights,
    influences: combined.value.influences,
    summary: {
      held: false,
      ...told,
      norm: length(combined.value.vector),
      stepSize: nextStep(
        updates.map(({ row }) => row),
        stepSize,
      ),
    },
  };
}

/** Digest of who counted for how much: node id and share (float64) of each, ascending. */
export function weightsDigest(sha256: Sha256, influences: readonly Influence[]): string {
  const parts = influences.flatMap(({ nodeId, share }) => {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, share + 0);
    return [fromHex(nodeId), new Uint8Array(view.buffer)];
  });
  return toHex(sha256(concatBytes(...parts)));
}

/** `undefined` when it would not be finite. */
function stepped(base: Float32Array, vector: Float32Array): Float32Array | undefined {
  const weights = new Float32Array(base.length);
  for (let i = 0; i < base.length; i++) {
    weights[i] = (base[i] as number) + (vector[i] as number) + 0;
  }
  return allFinite(weights) ? weights : undefined;
}

function length(vector: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < vector.length; i++) sum += (vector[i] as number) * (vector[i] as number);
  return Math.sqrt(sum);
}
