// A training task: everything that a node must know to take part, in one manifest that its creator signs.
//
// Canonical form: JSON with keys in ascending order and no white space, in UTF-8. A manifest has exactly one encoding,
// so a digest or signature of the bytes is one of the meaning. On the wire: uint32 length, manifest, ML-DSA-65 signature
// under the context `x0tta6bl4/task/1`.

import * as z from "zod";
import type { MlDsa, MlDsaSigner } from "../crypto/index.ts";
import { ML_DSA_65 } from "../crypto/index.ts";
import {
  ByteReader,
  concatBytes,
  MeshError,
  ok,
  refuse,
  type Result,
  uint32be,
  utf8Bytes,
  utf8Text,
} from "../foundation/index.ts";
import { aggregatorNames } from "./aggregators/aggregator.ts";
import { aggregatorNamed } from "./aggregators/rules.ts";
import { attackKinds } from "./attacks/attacks.ts";
import type { LearningErrorCode } from "./codes.ts";
import { GLYPH_CLASSES, GLYPH_FEATURES } from "./data/glyphs.ts";
import { PARAMETERS_MAX } from "./tensors/model-spec.ts";

/** Signature context of tasks. */
export const TASK_CONTEXT = "x0tta6bl4/task/1";
/** Longest signed task. */
export const TASK_BYTES_MAX = 32 * 1024;
export const PARTICIPANTS_MAX = 64;
/** Parameters times participants: what a node holds of one round, 64 MiB of float32. */
export const ROUND_VALUES_MAX = 16 * 1024 * 1024;

/** A node id: 64 lower-case hex digits. */
export type ParticipantId = string;

const nodeId = z.string().regex(/^[0-9a-f]{64}$/);
const seed = z.int().min(0).max(0xffff_ffff);
const alpha = z.number().min(0.01).max(1000);
const classes = z.int().min(2).max(1000);
const features = z.int().min(1).max(65_536);

const model = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("softmax"), features, classes }),
  z.strictObject({ kind: z.literal("mlp"), features, classes, hidden: z.int().min(1).max(4096) }),
]);

const data = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("glyphs"),
    seed,
    trainSamples: z.int().min(10).max(100_000),
    testSamples: z.int().min(10).max(20_000),
    dirichletAlpha: alpha,
  }),
  z.strictObject({
    kind: z.literal("csv"),
    /** SHA-256 of the file's bytes: every participant must hold the same file. */
    digest: z.string().regex(/^[0-9a-f]{64}$/),
    labelColumn: z.string().min(1).max(128),
    seed,
    testSamples: z.int().min(1).max(1_000_000),
    dirichletAlpha: alpha,
  }),
]);

const trainer = z.strictObject({
  steps: z.int().min(1).max(10_000),
  batch: z.int().min(1).max(1024),
  learningRate: z.number().positive().max(10),
  momentum: z.number().min(0).max(0.999),
});

const manifestSchema = z
  .strictObject({
    schemaVersion: z.literal(1),
    taskId: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/),
    name: z.string().min(1).max(128),
    trustDomain: z.string().regex(/^[a-z0-9._-]{1,255}$/),
    createdBy: nodeId,
    createdAtMs: z.int().min(0),
    model,
    seed,
    data,
    trainer,
    aggregator: z.enum(aggregatorNames),
    /** How many of the participants may lie: a number of the population, stated by the operator. */
    byzantine: z.int().min(0).max(31),
    orchestrator: z.literal("epidemic"),
    rounds: z.int().min(1).max(10_000),
    roundTimeoutMs: z.int().min(100).max(3_600_000),
    participants: z.array(nodeId).min(2).max(PARTICIPANTS_MAX),
    attack: z.enum(attackKinds),
  })
  .superRefine((task, context) => {
    const complain = (path: string, message: string): void => {
      context.addIssue({ code: "custom", path: [path], message });
    };
    const { participants: list, byzantine } = task;
    if (list.some((id, i) => i > 0 && id <= (list[i - 1] ?? ""))) {
      complain("participants", "must be ascending and without doubles");
    }
    const minimum = Math.max(
      2 * byzantine + 1,
      aggregatorNamed(task.aggregator).minimum(byzantine),
    );
    if (list.length < minimum) {
      complain(
        "byzantine",
        `needs at least ${minimum} participants for ${byzantine} liars, there are ${list.length}`,
      );
    }
    if (
      task.data.kind === "glyphs" &&
      (task.model.features !== GLYPH_FEATURES || task.model.classes !== GLYPH_CLASSES)
    ) {
      complain(
        "model",
        `must have ${GLYPH_FEATURES} features and ${GLYPH_CLASSES} classes for glyphs`,
      );
    }
    if (task.data.kind === "glyphs" && task.data.trainSamples < 2 * list.length) {
      complain("data", "must have at least two training samples for each participant");
    }
    if (modelParameters(task.model) * list.length > ROUND_VALUES_MAX) {
      complain(
        "participants",
        `times parameters must be at most ${ROUND_VALUES_MAX}: a node holds a round's updates in memory`,
      );
    }
    if (modelParameters(task.model) > PARAMETERS_MAX) {
      complain("model", `must have at most ${PARAMETERS_MAX} parameters`);
    }
  });

/** A task's manifest: valid by construction when it came from {@link parseTask} or {@link decodeTask}. */
export type TaskManifest = z.infer<typeof manifestSchema>;

/** Training defaults, chosen so that 5 nodes with one liar and 7 with two pass 90 % on glyphs within 10 rounds. */
export const defaultTraining = {
  trainer: { steps: 60, batch: 32, learningRate: 0.05, momentum: 0.9 },
  hidden: 32,
  rounds: 10,
  roundTimeoutMs: 30_000,
  trainSamples: 4000,
  testSamples: 1000,
  dirichletAlpha: 1,
  aggregator: "nearest-neighbour-mixing",
} as const;

/**
 * Checks an operator's manifest.
 * @throws MeshError `learning/bad-task` naming every problem with its path
 */
export function parseTask(value: unknown): TaskManifest {
  const parsed = manifestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    (issue) => `${issue.path.join(".") || "task"}: ${issue.message}`,
  );
  throw new MeshError(
    "learning/bad-task",
    `Cannot accept the training task: ${problems.join("; ")}. Correct these fields.`,
    { problems },
  );
}

/** The canonical bytes of a manifest. */
export function encodeTask(task: TaskManifest): Uint8Array {
  return utf8Bytes(canonicalJson(task));
}

/** Reads canonical bytes; anything but the one encoding of a valid manifest is refused. Codes: `learning/bad-task`, `learning/too-large`. */
export function decodeTask(bytes: Uint8Array): Result<TaskManifest, LearningErrorCode> {
  if (bytes.length > TASK_BYTES_MAX) return refuse("learning/too-large", `${bytes.length} bytes`);
  let value: unknown;
  let text: string;
  try {
    text = utf8Text(bytes);
    value = JSON.parse(text);
  } catch {
    return refuse("learning/bad-task", "no JSON");
  }
  const parsed = manifestSchema.safeParse(value);
  if (!parsed.success) return refuse("learning/bad-task", parsed.error.issues[0]?.message ?? "");
  if (canonicalJson(parsed.data) !== text) return refuse("learning/bad-task", "not canonical");
  return ok(parsed.data);
}

/** A signed task as it came in: nothing of it is proven until {@link verifySignedTask} says so. */
export interface SignedTask {
  readonly manifest: TaskManifest;
  readonly manifestBytes: Uint8Array;
  readonly signature: Uint8Array;
}

/** Signs a manifest with its creator's key. @throws MeshError as {@link MlDsaSigner.sign} does */
export function signTask(signer: MlDsaSigner, manifest: TaskManifest): Uint8Array {
  const bytes = encodeTask(manifest);
  const signature = signer.sign(bytes, utf8Bytes(TASK_CONTEXT));
  return concatBytes(uint32be(bytes.length), bytes, signature);
}

/** Takes a signed task apart, without verifying it. Codes: `learning/too-large`, `learning/bad-task`. */
export function decodeSignedTask(bytes: Uint8Array): Result<SignedTask, LearningErrorCode> {
  if (bytes.length > TASK_BYTES_MAX) return refuse("learning/too-large", `${bytes.length} bytes`);
  if (bytes.length < 4 + ML_DSA_65.signatureBytes) return refuse("learning/bad-task", "truncated");
  const reader = new ByteReader(bytes);
  const manifestLength = reader.uint32be();
  if (manifestLength !== bytes.length - 4 - ML_DSA_65.signatureBytes) {
    return refuse("learning/bad-task", "the length does not fit");
  }
  const manifestBytes = reader.take(manifestLength).slice();
  const manifest = decodeTask(manifestBytes);
  if (!manifest.ok) return manifest;
  return ok({
    manifest: manifest.value,
    manifestBytes,
    signature: reader.take(reader.remaining).slice(),
  });
}

/** True when the creator's ML-DSA-65 key (`publicKey`: the caller looks up `manifest.createdBy`) signed the task. */
export function verifySignedTask(
  mlDsa: Pick<MlDsa, "verify">,
  publicKey: Uint8Array,
  task: SignedTask,
): boolean {
  return mlDsa.verify(publicKey, task.manifestBytes, task.signature, utf8Bytes(TASK_CONTEXT));
}

function modelParameters(spec: TaskManifest["model"]): number {
  const { features: inputs, classes: outputs } = spec;
  if (spec.kind === "softmax") return outputs * (inputs + 1);
  return spec.hidden * (inputs + 1) + outputs * (spec.hidden + 1);
}

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(",")}}`;
}
