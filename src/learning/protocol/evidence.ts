// A proof of equivocation for those outside of its task: with the task's age, bound to the task's name in the signed messages,
// so that a release from quarantine can say of all older tasks at once that they prove nothing any more.
// created at (8, ms) | digest of the manifest (32) | proof

import {
  ByteReader,
  concatBytes,
  isMeshError,
  ok,
  refuse,
  type Result,
  toHex,
  uint64be,
} from "../../foundation/index.ts";
import type { ProtocolRefusalCode } from "../codes.ts";
import type { ParticipantId, TaskManifest } from "../task.ts";
import { encodeTask } from "../task-codec.ts";
import {
  decodeRoundProof,
  ROUND_PROOF_BYTES_MAX,
  type RoundProof,
  type SlotKind,
} from "./equivocation.ts";
import type { Digest } from "./types.ts";
import { DIGEST_BYTES, malformed, signatureContexts } from "./wire.ts";

type Sha256 = (data: Uint8Array) => Uint8Array;

const MARK_BYTES = 8 + DIGEST_BYTES;
export const ROUND_EVIDENCE_BYTES_MAX = MARK_BYTES + ROUND_PROOF_BYTES_MAX;
const EPOCH_MAX = 0xffff_ffff;

/** What a task's name in messages is made of. */
function encodeMark(sha256: Sha256, task: TaskManifest): Uint8Array {
  return concatBytes(uint64be(task.createdAtMs), sha256(encodeTask(task)));
}

/** The name of a task in signed messages: SHA-256 of when it was made and of its manifest's digest. */
export function taskDigest(sha256: Sha256, task: TaskManifest): Digest {
  return toHex(sha256(encodeMark(sha256, task)));
}

/** What evidence says; its signatures are still to be verified. */
export interface RoundEvidence {
  readonly nodeId: ParticipantId;
  /** When the task was made, in seconds, 1..2^32-1: the task's name in the proof commits to it. */
  readonly epoch: number;
  readonly parts: RoundProof["parts"];
  /** ML-DSA context of both signatures. */
  readonly context: Uint8Array;
  readonly about: {
    readonly message: SlotKind;
    readonly task: Digest;
    readonly round: number;
    /** Of proposals and votes. */
    readonly view?: number;
  };
}

export function encodeRoundEvidence(
  sha256: Sha256,
  task: TaskManifest,
  proof: Uint8Array,
): Uint8Array {
  return concatBytes(encodeMark(sha256, task), proof);
}

/** Codes: `learning/too-large`, `learning/malformed`, and `learning/not-a-proof` also for a proof of another task. */
export function decodeRoundEvidence(
  sha256: Sha256,
  bytes: Uint8Array,
): Result<RoundEvidence, ProtocolRefusalCode> {
  if (bytes.length > ROUND_EVIDENCE_BYTES_MAX) return refuse("learning/too-large");
  try {
    const createdAtMs = new ByteReader(bytes).uint64be();
    if (bytes.length <= MARK_BYTES) throw malformed("no proof");
    const proof = decodeRoundProof(bytes.subarray(MARK_BYTES));
    if (!proof.ok) return proof;
    const task = toHex(sha256(bytes.subarray(0, MARK_BYTES)));
    if (task !== proof.value.task) return refuse("learning/not-a-proof", "another task");
    return ok(evidenceOf(createdAtMs, proof.value));
  } catch (error) {
    if (isMeshError(error)) return refuse("learning/malformed", error.message);
    throw error;
  }
}

function evidenceOf(createdAtMs: number, proof: RoundProof): RoundEvidence {
  const { nodeId, kind: message, task, round, view, parts } = proof;
  const epoch = Math.min(Math.max(1, Math.floor(createdAtMs / 1000)), EPOCH_MAX);
  const context = signatureContexts[message];
  const about = { message, task, round, ...(view === undefined ? {} : { view }) };
  return { nodeId, epoch, parts, context, about };
}
