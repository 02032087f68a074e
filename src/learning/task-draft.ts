// What an operator writes of a task (task.yaml): the manifest's own names, nearly all of them optional. The rest is
// filled in here, the same way for a mesh and for the simulator.

import * as z from "zod";
import { type AggregatorName, aggregatorNames } from "./aggregators/aggregator.ts";
import { GLYPH_CLASSES, GLYPH_FEATURES } from "./data/glyphs.ts";
import { zonesFor } from "./orchestrators/hierarchical.ts";
import { TELEMETRY_FEATURES } from "./telemetry/channels.ts";
import { taskFields, TASK_SCHEMA_VERSION, type TaskManifest } from "./task.ts";
import { badTask, parseTask } from "./task-codec.ts";
import type { TaskLimits } from "./task-rules.ts";

/** Training defaults, chosen so that 5 nodes with one liar and 7 with two pass 90 % on glyphs within 10 rounds. */
export const defaultTraining = {
  trainer: { kind: "embedded", steps: 60, batch: 32, learningRate: 0.05, momentum: 0.9 },
  hidden: 32,
  rounds: 10,
  roundTimeoutMs: 30_000,
  trainSamples: 4000,
  testSamples: 1000,
  dirichletAlpha: 1,
  aggregator: "nearest-neighbour-mixing",
} as const;

/** The share of liars a task assumes unless the operator says otherwise: 30 %, the design's bound. */
const ASSUMED_LIARS_RATIO = 0.3;
/** A quarter of a CSV file's samples measures the model. */
const CSV_TEST_RATIO = 0.25;
/** Of an autoencoder, when the draft does not say: a bottleneck of about a quarter. */
const BOTTLENECK_RATIO = 0.25;
const STREAM_INTERVAL_MS = 5_000;
const STREAM_STALENESS_MAX = 4;
const ZONE_PARTICIPANTS = 4;
const ZONES_MAX = 10;

/** Of rounds: whole in the Gram space, so its weights are what is agreed on. Why this one: docs/robustness.md. */
export const CERTIFIED_RULE: AggregatorName = "arc+caf";
/** Of streams: from one row to the next CAF may weigh all anew, and a step comes of every few rows. */
export const STREAM_RULE: AggregatorName = "arc+nnm+geometric-median";

type Part = Readonly<Record<string, unknown>>;

/** A part with a kind, whose other fields the manifest's schema judges once the defaults stand in it. */
const part = (...kinds: [string, ...string[]]) => z.looseObject({ kind: z.enum(kinds) });

const draftSchema = z.strictObject({
  name: taskFields.name.optional(),
  seed: taskFields.seed.optional(),
  /** Names; the caller turns them into node ids. */
  participants: z.array(z.string().min(1).max(64)).optional(),
  byzantine: taskFields.byzantine.optional(),
  rounds: taskFields.rounds.default(defaultTraining.rounds),
  aggregator: z.enum(aggregatorNames).optional(),
  attack: taskFields.attack.default("none"),
  model: part("softmax", "mlp", "autoencoder", "tensors").default({ kind: "softmax" }),
  initialWeights: taskFields.initialWeights.default(null),
  data: part("glyphs", "csv", "telemetry", "none").optional(),
  trainer: part("embedded", "local").default({ kind: "embedded" }),
  orchestrator: part("epidemic", "batch-async", "streaming", "hierarchical").default({
    kind: "epidemic",
  }),
  compression: part("none", "int8", "int4", "top-k").optional(),
  schedule: part("constant", "step", "exponential", "plateau", "staleness").default({
    kind: "constant",
  }),
  convergence: part("loss", "accuracy", "update-norm").nullable().default(null),
});

/** An operator's task; no more is known of it than its outline until {@link completeDraft} says so. */
export type TaskDraft = z.infer<typeof draftSchema>;

/** What a file of samples says of itself. */
export interface CsvFacts {
  readonly digest: string;
  readonly labelColumn: string;
  readonly features: number;
  readonly classes: number;
  readonly samples: number;
}

/** What the one who starts a task adds to it. */
export interface DraftSetting {
  readonly taskId: string;
  readonly trustDomain: string;
  readonly createdBy: string;
  readonly createdAtMs: number;
  /** Node ids, in any order. */
  readonly participants: readonly string[];
  /** For a draft without one. */
  readonly seed: number;
  /** Of the starter's CSV file, for a task on it. */
  readonly csv?: CsvFacts;
  /** @default those of a real mesh */
  readonly limits?: TaskLimits;
}

/** Checks a draft's outline. @throws MeshError `learning/bad-task` */
export function parseDraft(value: unknown): TaskDraft {
  const parsed = draftSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw badTask(parsed.error);
}

function defaultRule(orchestrator: TaskDraft["orchestrator"]["kind"]): AggregatorName {
  if (orchestrator === "epidemic") return defaultTraining.aggregator;
  return orchestrator === "streaming" ? STREAM_RULE : CERTIFIED_RULE;
}

/** The manifest of a draft, every default filled in. @throws MeshError `learning/bad-task` naming every problem with its path */
export function completeDraft(draft: TaskDraft, setting: DraftSetting): TaskManifest {
  const { taskId, trustDomain, createdBy, createdAtMs } = setting;
  const participants = setting.participants.toSorted();
  const byzantine = draft.byzantine ?? Math.floor(ASSUMED_LIARS_RATIO * participants.length);
  const seed = draft.seed ?? setting.seed;
  const data: Part = draft.data ?? dataFor(draft.model.kind);
  const certified = draft.orchestrator.kind !== "epidemic";
  const embedded = draft.trainer.kind === "embedded";
  return parseTask(
    {
      ...draft,
      schemaVersion: TASK_SCHEMA_VERSION,
      taskId,
      trustDomain,
      createdBy,
      createdAtMs,
      name: draft.name ?? `${draft.model.kind} on ${String(data["kind"])}`,
      seed,
      participants,
      byzantine,
      aggregator: draft.aggregator ?? defaultRule(draft.orchestrator.kind),
      model: { ...modelDefaults(draft.model.kind, data["kind"], setting), ...draft.model },
      data: { ...dataDefaults(data["kind"], seed, setting), ...data },
      trainer: { ...(embedded ? defaultTraining.trainer : {}), ...draft.trainer },
      orchestrator: {
        ...orchestratorDefaults(draft.orchestrator.kind, participants.length, byzantine),
        ...draft.orchestrator,
      },
      compression: draft.compression ?? { kind: certified ? "int8" : "none" },
    },
    setting.limits,
  );
}

function dataFor(model: string): Part {
  if (model === "tensors") return { kind: "none" };
  return { kind: model === "autoencoder" ? "telemetry" : "glyphs" };
}

function modelDefaults(model: string, data: unknown, { csv }: DraftSetting): Part {
  const { hidden } = defaultTraining;
  if (model === "tensors") return {};
  if (model === "autoencoder")
    return {
      features: TELEMETRY_FEATURES,
      hidden: Math.ceil(BOTTLENECK_RATIO * TELEMETRY_FEATURES),
    };
  const shape =
    data === "glyphs"
      ? { features: GLYPH_FEATURES, classes: GLYPH_CLASSES }
      : csv === undefined
        ? {}
        : { features: csv.features, classes: csv.classes };
  return model === "mlp" ? { ...shape, hidden } : shape;
}

function dataDefaults(kind: unknown, seed: number, { csv }: DraftSetting): Part {
  const { trainSamples, testSamples, dirichletAlpha } = defaultTraining;
  if (kind === "glyphs") return { seed, trainSamples, testSamples, dirichletAlpha };
  if (kind !== "csv" || csv === undefined) return {};
  const { digest, labelColumn, samples } = csv;
  const measured = Math.max(1, Math.floor(samples * CSV_TEST_RATIO));
  return { digest, labelColumn, seed, testSamples: measured, dirichletAlpha };
}

/** A batch waits for half the assumed liars, too: K of N as in 850 of 1000 with 300. Zones are as many as bear the liars. */
function orchestratorDefaults(kind: string, n: number, f: number): Part {
  const { roundTimeoutMs } = defaultTraining;
  if (kind === "epidemic") return { roundTimeoutMs };
  if (kind === "streaming")
    return { intervalMs: STREAM_INTERVAL_MS, stalenessMax: STREAM_STALENESS_MAX };
  if (kind === "batch-async") return { target: n - Math.floor(f / 2), deadlineMs: roundTimeoutMs };
  const most = Math.min(ZONES_MAX, Math.floor(n / ZONE_PARTICIPANTS));
  return { zones: zonesFor(n, f, most) ?? most, deadlineMs: roundTimeoutMs };
}
