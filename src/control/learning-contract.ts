// The control API's part for training tasks, as operators see them: what a task does, and what a round made of whom.
// Local trainers have a contract of their own. The task itself is checked where it is understood, in the learning room:
// this room only bounds it.

import * as z from "zod";

const count = z.int().min(0);

/** Limits of the learning answers. */
export const learningLimits = {
  /** Bytes of a model as safetensors: 4 Mi float32 values and a header. */
  modelBytesMax: 17 * 1024 * 1024,
  taskKeysMax: 32,
} as const;

/** What adversaries of the laboratory do, as a request may name it. */
export const attacks = ["none", "sign-flip", "label-flip", "gaussian", "scaled"] as const;
export const attackSchema = z.enum(attacks);
/** The learning room's rules, as a request may name them. */
export const aggregators = [
  "mean",
  "median",
  "trimmed-mean",
  "nearest-neighbour-mixing",
  "geometric-median",
  "krum",
  "multi-krum",
  "centered-clipping",
  "caf",
  "spectral",
  "nnm+geometric-median",
  "arc+nnm+geometric-median",
  "arc+nnm+multi-krum",
  "arc+caf",
  "arc+spectral",
] as const;
export const aggregatorSchema = z.enum(aggregators);

export const learningStatusSchema = z.object({
  taskId: z.string(),
  name: z.string(),
  state: z.enum(["running", "finished", "stopped", "failed"]),
  round: count,
  rounds: count,
  loss: z.number().nullable(),
  /** In [0, 1]. */
  accuracy: z.number().nullable(),
  aggregator: z.string(),
  byzantine: count,
  attack: z.string(),
  /** An older daemon runs this one alone. */
  orchestrator: z.string().default("epidemic"),
  /** With a telemetry model: how unlike the mesh's usual self the node behaves, and in what most. */
  anomaly: z
    .object({ score: z.number().min(0), channel: z.string() })
    .nullable()
    .default(null),
  participants: z.array(z.object({ nodeId: z.string(), name: z.string() })),
  history: z.array(
    z.object({
      round: count,
      loss: z.number().nullable(),
      accuracy: z.number().nullable(),
      /** The round kept the model of the round before. */
      held: z.boolean(),
      /** Names whose updates got no weight. */
      rejected: z.array(z.string()),
      contributors: count,
      /** Names that gave no update in time. */
      silent: z.array(z.string()).default([]),
      durationMs: z.number().nullable().default(null),
      /** Of a certified round: digests of its certificate and of the model after it, equal on every honest node. */
      certificate: z.string().optional(),
      model: z.string().optional(),
    }),
  ),
});

/** A task as `task.yaml` says it; the daemon fills in what is missing and names every problem. */
export const flRunRequestSchema = z.strictObject({
  task: z
    .record(z.string().max(64), z.unknown())
    .refine((task) => Object.keys(task).length <= learningLimits.taskKeysMax, "has too many keys"),
  /** Check it and say what would be started, and start nothing. */
  dryRun: z.boolean().optional(),
});
export const flRunFields = {
  /** False after a dry run. */
  started: z.boolean(),
  taskId: z.string(),
  /** The manifest with every default filled in. */
  task: z.record(z.string(), z.unknown()),
  participants: z.array(z.string()),
  /** Members that are left out because they are not alive now: of a task that names no participants. An older daemon does not say. */
  absent: z.array(z.string()).default([]),
};

/** `node` is for an operator who wants its own part only. */
export const flScopeRequestSchema = z.strictObject({ scope: z.enum(["mesh", "node"]).optional() });
export const flStoppedFields = { taskId: z.string().nullable() };

export const flExplainRequestSchema = z.strictObject({
  /** Default: the last one. */
  round: z.int().min(1).optional(),
});

/** What a round made of a participant, from good to bad. */
export const verdicts = [
  "counted",
  "clipped",
  "down-weighted",
  "no-weight",
  "outlier",
  "unused",
  "refused",
  "silent",
] as const;

export const flExplainedFields = {
  taskId: z.string(),
  round: count,
  result: z.string(),
  aggregator: z.string(),
  byzantine: count,
  loss: z.number().nullable(),
  accuracy: z.number().nullable(),
  durationMs: z.number(),
  participants: z.array(
    z.object({
      nodeId: z.string(),
      name: z.string(),
      /** The node that was asked. */
      self: z.boolean(),
      verdict: z.enum(verdicts),
      /** Why it was refused. */
      code: z.string().nullable(),
      /** Effective votes: 1 is an equal say; `null` when its update did not come to the rule. */
      votes: z.number().nullable(),
      /** Factor by which the rule shortened the update; 1 is not at all. */
      clip: z.number().nullable(),
      /** How many others count it among their nearest. */
      inDegree: count.nullable(),
      /** Euclidean, of its update to the round's result. */
      distance: z.number().nullable(),
      /** Of the angle between its update and the result, -1 to 1. */
      cosine: z.number().nullable(),
      /** How odd it looked of late, 0 to 1: a statistic over rounds. An older daemon does not say. */
      suspicion: z.number().nullable().default(null),
      /** Odd in nearly all of many rounds. */
      suspect: z.boolean().default(false),
      /** Since this round it is out of the task: it is proven to have contradicted itself. */
      evictedInRound: count.nullable().default(null),
    }),
  ),
};

export type LearningStatus = z.infer<typeof learningStatusSchema>;
export type FlRunRequest = z.infer<typeof flRunRequestSchema>;
export type FlRun = z.infer<z.ZodObject<typeof flRunFields>>;
export type FlScopeRequest = z.infer<typeof flScopeRequestSchema>;
/** A model that was given to the daemon. */
export const flPushedFields = {
  /** What a task names it by: `initialWeights`. */
  digest: z.string(),
  bytes: count,
  parameters: count,
  tensors: count,
};
export type FlPushed = z.infer<z.ZodObject<typeof flPushedFields>>;
export type FlExplainRequest = z.infer<typeof flExplainRequestSchema>;
export type FlExplained = z.infer<z.ZodObject<typeof flExplainedFields>>;
export type Verdict = (typeof verdicts)[number];
