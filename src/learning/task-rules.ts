// What the fields of a task demand of one another. A rule whose precondition fails is refused here, before anybody
// trains: nothing is softened when the task already runs. Limits of robustness: f < n/2 for one's own aggregate, f < n/3
// where many agree on one.

import { coordinateWiseRules } from "./aggregators/aggregator.ts";
import { aggregatorNamed } from "./aggregators/rules.ts";
import { GLYPH_CLASSES, GLYPH_FEATURES } from "./data/glyphs.ts";
import type { TaskManifest } from "./task.ts";
import { TELEMETRY_FEATURES } from "./telemetry/channels.ts";
import { PARAMETERS_MAX, shapeElements } from "./tensors/model-spec.ts";

/** What one host can bear of a task. */
export interface TaskLimits {
  readonly participantsMax: number;
  /** Parameters times participants: what a node holds of one round, in float32 values. */
  readonly roundValuesMax: number;
}

/** A real mesh: a round's updates in 64 MiB. */
export const meshTaskLimits: TaskLimits = {
  participantsMax: 64,
  roundValuesMax: 16 * 1024 * 1024,
};
/** The simulator, which has the memory of a workstation: 1 GiB. */
export const simulatedTaskLimits: TaskLimits = {
  participantsMax: 10_000,
  roundValuesMax: 256 * 1024 * 1024,
};
/** Smallest zone: with fewer than four, one liar of a zone leaves no honest majority to spare. */
export const ZONE_PARTICIPANTS_MIN = 4;

interface Problem {
  readonly path: readonly string[];
  readonly message: string;
}

type Check = (task: TaskManifest, limits: TaskLimits) => readonly (Problem | undefined)[];

const checks: readonly Check[] = [
  participants,
  robustness,
  orchestration,
  model,
  training,
  compression,
];

/** Every broken rule; none when the task can work. */
export function checkTask(task: TaskManifest, limits: TaskLimits): Problem[] {
  return checks.flatMap((check) => check(task, limits)).filter((problem) => problem !== undefined);
}

/** Whether many agree on one result, round by round, instead of everybody aggregating for itself. */
export function isCertified({ orchestrator }: Pick<TaskManifest, "orchestrator">): boolean {
  return orchestrator.kind !== "epidemic";
}

/** Parameters of a task's model; `undefined` when there are more than {@link PARAMETERS_MAX}. */
export function taskParameters(model: TaskManifest["model"]): number | undefined {
  if (model.kind === "tensors") {
    let sum = 0;
    for (const { shape } of model.tensors) {
      const elements = shapeElements(shape, PARAMETERS_MAX - sum);
      if (elements === undefined) return undefined;
      sum += elements;
    }
    return sum;
  }
  const dense = (inputs: number, outputs: number): number => outputs * (inputs + 1);
  const sum =
    model.kind === "softmax"
      ? dense(model.features, model.classes)
      : dense(model.features, model.hidden) +
        dense(model.hidden, model.kind === "mlp" ? model.classes : model.features);
  return sum > PARAMETERS_MAX ? undefined : sum;
}

/** A problem at a path, when `broken`. */
function unless(broken: boolean, path: string, message: string): Problem | undefined {
  return broken ? { path: path.split("."), message } : undefined;
}

function participants({ participants: ids, data }: TaskManifest, limits: TaskLimits) {
  return [
    unless(
      ids.some((id, i) => i > 0 && id <= (ids[i - 1] ?? "")),
      "participants",
      "must be ascending and without doubles",
    ),
    unless(
      ids.length > limits.participantsMax,
      "participants",
      `must be at most ${limits.participantsMax}, there are ${ids.length}`,
    ),
    unless(
      data.kind === "glyphs" && data.trainSamples < 2 * ids.length,
      "data.trainSamples",
      `must be at least two for each of ${ids.length} participants`,
    ),
  ];
}

/** What the rule needs must be there even when all f liars are silent. */
function robustness(task: TaskManifest) {
  const { byzantine: f, aggregator } = task;
  const n = task.participants.length;
  const minimum = Math.max(2 * f + 1, aggregatorNamed(aggregator).minimum(f));
  if (!isCertified(task)) {
    return [
      unless(
        n < minimum,
        "byzantine",
        `needs at least ${minimum} participants for ${f} liars, there are ${n}`,
      ),
    ];
  }
  return [
    unless(
      n <= 3 * f,
      "byzantine",
      `must be below a third of the ${n} participants where rounds are certified; the epidemic orchestrator bears more`,
    ),
    unless(
      n > 3 * f && n - f < minimum,
      "aggregator",
      `${aggregator} needs ${minimum} updates for ${f} liars, and ${n - f} are all that is sure to come from ${n} participants`,
    ),
  ];
}

function orchestration({
  orchestrator,
  byzantine: f,
  aggregator,
  participants: ids,
}: TaskManifest) {
  const n = ids.length;
  if (orchestrator.kind === "batch-async") {
    const { target } = orchestrator;
    return [
      unless(
        target > n || target < n - f,
        "orchestrator.target",
        `must be from ${n - f} (all that is sure to come) to ${n}, the participants`,
      ),
    ];
  }
  if (orchestrator.kind !== "hierarchical") return [];
  const zone = Math.floor(n / orchestrator.zones);
  const least = Math.max(ZONE_PARTICIPANTS_MIN, aggregatorNamed(aggregator).minimum(f > 0 ? 1 : 0));
  return [
    unless(
      zone < least,
      "orchestrator.zones",
      `must leave at least ${least} participants in each zone: at most ${Math.floor(n / least)} of ${n}`,
    ),
  ];
}

function model({ model: it, participants: ids, data, trainer }: TaskManifest, limits: TaskLimits) {
  const parameters = taskParameters(it);
  const names = it.kind === "tensors" ? it.tensors.map(({ name }) => name) : [];
  const fitsGlyphs =
    (it.kind === "softmax" || it.kind === "mlp") &&
    it.features === GLYPH_FEATURES &&
    it.classes === GLYPH_CLASSES;
  return [
    unless(parameters === undefined, "model", `must have at most ${PARAMETERS_MAX} parameters`),
    unless(
      (parameters ?? 0) * ids.length > limits.roundValuesMax,
      "participants",
      `times parameters must be at most ${limits.roundValuesMax}: a node holds a round's updates in memory`,
    ),
    unless(
      names.some((name, i) => i > 0 && name <= (names[i - 1] ?? "")),
      "model.tensors",
      "must be in ascending order of names, without doubles",
    ),
    unless(
      it.kind === "tensors" && (trainer.kind !== "local" || data.kind !== "none"),
      "model.kind",
      "tensors is for local trainers with data of their own: set trainer.kind to local and data.kind to none",
    ),
    unless(
      data.kind === "glyphs" && !fitsGlyphs,
      "model",
      `must be softmax or mlp with ${GLYPH_FEATURES} features and ${GLYPH_CLASSES} classes for glyphs`,
    ),
    unless(
      (it.kind === "autoencoder") !== (data.kind === "telemetry"),
      "model.kind",
      "autoencoder goes with telemetry, and telemetry with autoencoder",
    ),
    unless(
      it.kind === "autoencoder" && it.features !== TELEMETRY_FEATURES,
      "model.features",
      `must be ${TELEMETRY_FEATURES}, the channels of telemetry`,
    ),
  ];
}

function training(task: TaskManifest) {
  const { trainer, data, attack, convergence, schedule, orchestrator } = task;
  const measured = data.kind !== "none";
  return [
    unless(
      !measured && trainer.kind !== "local",
      "data.kind",
      "none is for local trainers: the embedded one needs samples",
    ),
    unless(
      attack === "label-flip" && (trainer.kind !== "embedded" || data.kind === "telemetry"),
      "attack",
      "label-flip needs the embedded trainer and samples with labels to flip",
    ),
    unless(
      convergence !== null && !isCertified(task),
      "convergence",
      "must be null with the epidemic orchestrator: nodes stop in the same round only on certified values",
    ),
    unless(
      convergence !== null && convergence.kind !== "update-norm" && !measured,
      "convergence.kind",
      "must be update-norm without data: nothing else is measured",
    ),
    unless(
      convergence?.kind === "accuracy" && data.kind === "telemetry",
      "convergence.kind",
      "must be loss or update-norm: an autoencoder has no accuracy",
    ),
    unless(
      schedule.kind === "plateau" && !measured,
      "schedule.kind",
      "must not be plateau without data: no loss is measured",
    ),
    unless(
      schedule.kind === "staleness" && orchestrator.kind !== "streaming",
      "schedule.kind",
      "staleness is for the streaming orchestrator: elsewhere no late update counts",
    ),
  ];
}

function compression({ compression: { kind }, aggregator, orchestrator }: TaskManifest) {
  return [
    unless(
      kind !== "none" && orchestrator.kind === "epidemic",
      "compression.kind",
      "must be none with the epidemic orchestrator: nodes exchange whole models",
    ),
    unless(
      kind === "top-k" && coordinateWiseRules.has(aggregator),
      "compression.kind",
      `must not be top-k with ${aggregator}, which works coordinate by coordinate: most would be zeros`,
    ),
  ];
}
