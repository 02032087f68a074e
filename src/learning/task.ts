// A training task: everything that a node must know to take part, in one manifest that its creator signs. This is its
// shape; what fields demand of one another stands in task-rules.ts, its one encoding in task-codec.ts, the signature in
// signed-task.ts. An operator's task.yaml uses the same names and may leave most of them out.

import * as z from "zod";
import { aggregatorNames } from "./aggregators/aggregator.ts";
import { attackKinds } from "./attacks/attacks.ts";

/** The manifest's version: a node refuses every other. */
export const TASK_SCHEMA_VERSION = 2;
/** Tensors of a local trainer's model; each adds its name and shape to the manifest. */
const TENSORS_MAX = 256;

/** A node id: 64 lower-case hex digits. */
export type ParticipantId = string;

const digest = z.string().regex(/^[0-9a-f]{64}$/, { error: "must be 64 hex digits in lower case" });
const seed = z.int().min(0).max(0xffff_ffff);
const dirichletAlpha = z.number().min(0.01).max(1000);
const classes = z.int().min(2).max(1000);
const features = z.int().min(1).max(65_536);
const hidden = z.int().min(1).max(4096);
const roundMs = z.int().min(100).max(3_600_000);
const rounds = z.int().min(1).max(10_000);
const patience = z.int().min(1).max(1000);

const modelSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("softmax"), features, classes }),
  z.strictObject({ kind: z.literal("mlp"), features, classes, hidden }),
  /** Learns to reproduce its input through a narrow layer: what it reproduces badly is unusual. */
  z.strictObject({ kind: z.literal("autoencoder"), features, hidden }),
  /** A local trainer's model: the mesh knows its shape only. */
  z.strictObject({
    kind: z.literal("tensors"),
    tensors: z
      .array(
        z.strictObject({
          name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/),
          shape: z.array(z.int().min(1).max(0xffff_ffff)).max(8),
        }),
      )
      .min(1)
      .max(TENSORS_MAX),
  }),
]);

const dataSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("glyphs"),
    seed,
    trainSamples: z.int().min(10).max(100_000),
    testSamples: z.int().min(10).max(20_000),
    dirichletAlpha,
  }),
  z.strictObject({
    kind: z.literal("csv"),
    /** SHA-256 of the file's bytes: every participant must hold the same file. */
    digest,
    labelColumn: z.string().min(1).max(128),
    seed,
    testSamples: z.int().min(1).max(1_000_000),
    dirichletAlpha,
  }),
  /** Every node's own telemetry: nothing of it leaves the node but what the model learnt. */
  z.strictObject({ kind: z.literal("telemetry") }),
  /** The local trainer has the data; the mesh cannot measure the model. */
  z.strictObject({ kind: z.literal("none") }),
]);

const trainerSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("embedded"),
    steps: z.int().min(1).max(10_000),
    batch: z.int().min(1).max(1024),
    learningRate: z.number().positive().max(10),
    momentum: z.number().min(0).max(0.999),
  }),
  /** A process beside the daemon, by the control API; it has its own settings. */
  z.strictObject({ kind: z.literal("local") }),
]);

const orchestratorSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("epidemic"), roundTimeoutMs: roundMs }),
  /** A round closes with `target` updates, at its deadline with as few as n - f. */
  z.strictObject({
    kind: z.literal("batch-async"),
    target: z.int().min(1).max(10_000),
    deadlineMs: roundMs,
  }),
  /** No rounds to wait for: each interval the newest update of every identity counts once. */
  z.strictObject({
    kind: z.literal("streaming"),
    intervalMs: roundMs,
    /** Older updates, in ticks, do not count. More than 255 the protocol cannot tell. */
    stalenessMax: z.int().min(0).max(255),
  }),
  z.strictObject({
    kind: z.literal("hierarchical"),
    zones: z.int().min(3, "must be at least 3, of at least four participants each").max(1000),
    deadlineMs: roundMs,
  }),
]);

const compressionSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("none") }),
  z.strictObject({ kind: z.literal("int8") }),
  z.strictObject({ kind: z.literal("int4") }),
  /** This share of the coordinates, the same ones for everybody in a round. */
  z.strictObject({ kind: z.literal("top-k"), share: z.number().min(0.001).max(1) }),
]);

/** All scale the trainer's learning rate. */
const scheduleSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("constant") }),
  /** Times gamma, every so many rounds. */
  z.strictObject({ kind: z.literal("step"), gamma: z.number().min(0.01).max(1), every: rounds }),
  z.strictObject({ kind: z.literal("exponential"), decay: z.number().positive().max(10) }),
  /** Times factor when the loss has not fallen for `patience` rounds. */
  z.strictObject({ kind: z.literal("plateau"), factor: z.number().min(0.01).max(0.99), patience }),
  /** An update tau rounds late counts (tau + 1)^-a. */
  z.strictObject({ kind: z.literal("staleness"), a: z.number().positive().max(4) }),
]);

const convergenceSchema = z
  .strictObject({
    kind: z.enum(["loss", "accuracy", "update-norm"]),
    delta: z.number().positive().max(1000),
    /** Rounds compared. */
    window: z.int().min(1).max(1000),
    /** Windows without progress before all stop. */
    patience,
  })
  .nullable();

/** The parts of a manifest, which a draft (task-draft.ts) shares. */
export const taskFields = {
  schemaVersion: z.literal(TASK_SCHEMA_VERSION),
  taskId: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/),
  name: z.string().min(1).max(128),
  trustDomain: z.string().regex(/^[a-z0-9._-]{1,255}$/),
  createdBy: digest,
  createdAtMs: z.int().min(0),
  seed,
  participants: z.array(digest).min(2),
  /** How many of the participants may lie: a number of the population, stated by the operator. */
  byzantine: z.int().min(0),
  rounds,
  aggregator: z.enum(aggregatorNames),
  /** Laboratory only: what nodes that are configured as adversaries do. */
  attack: z.enum(attackKinds),
  model: modelSchema,
  /** The model to start from, by the digest that certificates name a model by (`meshctl fl push`); `null`: drawn from the seed. */
  initialWeights: digest.nullable(),
  data: dataSchema,
  trainer: trainerSchema,
  orchestrator: orchestratorSchema,
  compression: compressionSchema,
  schedule: scheduleSchema,
  convergence: convergenceSchema,
};

/** The shape alone: what the fields demand of one another, task-rules.ts adds. */
export const taskShape = z.strictObject(taskFields);

/** A task's manifest: valid by construction when it came from {@link parseTask} or `decodeTask`. */
export type TaskManifest = z.infer<typeof taskShape>;
