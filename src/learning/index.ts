export {
  type Aggregate,
  type AggregateContext,
  type Aggregator,
  type AggregatorName,
  aggregatorNames,
} from "./aggregators/aggregator.ts";
export { plainKernels, type VectorKernels } from "./aggregators/kernels.ts";
export {
  aggregatorNamed,
  mean,
  median,
  nearestNeighbourMixing,
  trimmedMean,
} from "./aggregators/rules.ts";
export { type AttackKind, attackKinds, attackUpdate, flipLabels } from "./attacks/attacks.ts";
export { type LearningErrorCode, type UpdateRefusalCode, updateRefusalCodes } from "./codes.ts";
export { type CsvData, parseCsv, splitTrainTest } from "./data/csv.ts";
export { type Dataset, selectSamples, type SplitDataset } from "./data/dataset.ts";
export { splitByDirichlet } from "./data/dirichlet.ts";
export { generateGlyphs, GLYPH_CLASSES, GLYPH_FEATURES, GLYPH_SIDE } from "./data/glyphs.ts";
export { learningMetrics } from "./metrics.ts";
export {
  type EpidemicDeps,
  EpidemicMachine,
  type EpidemicOptions,
  GRACE_RATIO,
  OFFERS_KEPT,
} from "./orchestrators/epidemic.ts";
export type {
  Contribution,
  EpidemicAction,
  EpidemicEvent,
  PullFailure,
  PullRound,
  RoundReport,
  RoundResult,
  Served,
} from "./orchestrators/epidemic-protocol.ts";
export { encodeUpdate, openUpdate, type UpdateLabel } from "./orchestrators/gate.ts";
export {
  simulateEpidemic,
  simulatedParticipants,
  type SimulationOptions,
  type SimulationOutcome,
} from "./orchestrators/simulation.ts";
export { SeededRandom } from "./seeded.ts";
export {
  decodeSignedTask,
  type SignedTask,
  signTask,
  TASK_CONTEXT,
  verifySignedTask,
} from "./signed-task.ts";
export type { ParticipantId, TaskManifest } from "./task.ts";
export { decodeTask, encodeTask, parseTask, TASK_BYTES_MAX } from "./task-codec.ts";
export {
  completeDraft,
  type CsvFacts,
  defaultTraining,
  type DraftSetting,
  parseDraft,
  type TaskDraft,
} from "./task-draft.ts";
export {
  isCertified,
  meshTaskLimits,
  simulatedTaskLimits,
  type TaskLimits,
  taskParameters,
} from "./task-rules.ts";
export {
  allFinite,
  type ModelSpec,
  modelSpec,
  PARAMETERS_MAX,
  type TensorSlot,
  type TensorSpec,
  tensorView,
} from "./tensors/model-spec.ts";
export { modelDigest } from "./tensors/model-digest.ts";
export {
  type DecodedModel,
  decodeSafetensors,
  encodeSafetensors,
  HEADER_BYTES_MAX,
  modelBytesMax,
  type TensorMetadata,
} from "./tensors/safetensors.ts";
export { Learner, taskData, taskModel } from "./trainer/learner.ts";
export {
  encodeOrder,
  type LocalOrder,
  localRefusalCodes,
  type LocalRefusalCode,
  type LocalUpdate,
  openLocalUpdate,
} from "./trainer/local-order.ts";
export { mlpModel } from "./trainer/mlp.ts";
export {
  type Measured,
  type RoundTrainer,
  type TrainerFailureCode,
  trainerFailureCodes,
  type TrainingOrder,
  unmeasured,
} from "./trainer/round-trainer.ts";
export { taskInitialWeights, taskSpec } from "./trainer/task-weights.ts";
export { softmaxModel } from "./trainer/softmax.ts";
export {
  drain,
  type Evaluation,
  evaluateSteps,
  freshMomentum,
  type Model,
  type MomentumState,
  type TrainedRound,
  type TrainOptions,
  trainSteps,
} from "./trainer/trainer.ts";
