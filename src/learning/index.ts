export {
  type Aggregate,
  type AggregateContext,
  type Aggregator,
  type AggregatorName,
  aggregatorNames,
} from "./aggregators/aggregator.ts";
export {
  encodeRule,
  RULES_VERSION,
  type RuleChoice,
  ruleDigest,
} from "./aggregators/rule-encoding.ts";
export { encodeShares } from "./aggregators/weights.ts";
export { AggregationLadder, type LadderResult, type Rung } from "./aggregators/ladder.ts";
export { aggregateStored } from "./aggregators/gram/pipeline.ts";
export { plainKernels, type VectorKernels } from "./aggregators/kernels.ts";
export {
  aggregatorNamed,
  mean,
  median,
  nearestNeighbourMixing,
  trimmedMean,
} from "./aggregators/rules.ts";
export { type AttackKind, attackKinds, attackUpdate, flipLabels } from "./attacks/attacks.ts";
export {
  type Attack,
  type AttackFlags,
  omniscientAttack,
  type OmniscientAttack,
  type OmniscientAttackName,
  omniscientAttackNames,
  type OmniscientContext,
} from "./attacks/omniscient.ts";
export {
  type LearningErrorCode,
  type ProtocolRefusalCode,
  protocolRefusalCodes,
  transferResults,
  type UpdateRefusalCode,
  updateRefusalCodes,
} from "./codes.ts";
export {
  compress,
  compressedBytes,
  type CompressionContext,
  type CompressionSpec,
  decompress,
} from "./compression/compression.ts";
export { ErrorFeedback } from "./compression/error-feedback.ts";
export { FIRST_STEP, isStep, nextStep } from "./compression/step.ts";
export type { CertifiedRound } from "./convergence/certified-round.ts";
export { type Convergence, ConvergenceDetector, hasConverged } from "./convergence/convergence.ts";
export { type CsvData, parseCsv, splitTrainTest } from "./data/csv.ts";
export { type Dataset, selectSamples, type SplitDataset } from "./data/dataset.ts";
export { splitByDirichlet } from "./data/dirichlet.ts";
export { generateGlyphs, GLYPH_CLASSES, GLYPH_FEATURES, GLYPH_SIDE } from "./data/glyphs.ts";
export { greatestMagnitude, isOrdinary, ROWS_MAX, TILE } from "./kernels/layout.ts";
export { mixingPlan } from "./kernels/mixing.ts";
export {
  greatestWhole,
  hasSpare,
  type QuantisedBits,
  quantisedBytes,
} from "./kernels/quantise.ts";
export { noiseLanes } from "./kernels/noise.ts";
export { folded, SKETCH } from "./kernels/sketch.ts";
export {
  checkRowStore,
  elementBytes,
  PlainRowStore,
  type RowStore,
  type RowStoreOptions,
} from "./kernels/row-store.ts";
export { selfTestKernels } from "./kernels/self-test.ts";
export { sharesOf, type TrimmedMean } from "./kernels/select.ts";
export {
  ByzantineDetector,
  type ProofKind,
  proofKinds,
  type Standing,
  SUSPECT_SCORE,
} from "./detector/detector.ts";
export { learningMetrics } from "./metrics.ts";
export { BatchAsyncOrchestrator } from "./orchestrators/batch-async.ts";
export {
  type EpidemicDeps,
  EpidemicMachine,
  EpidemicMachine as EpidemicOrchestrator,
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
  type HierarchicalOptions,
  HierarchicalOrchestrator,
} from "./orchestrators/hierarchical.ts";
export { orchestratorOf, stalenessMaxOf, updatesHereMax } from "./orchestrators/orchestrator-of.ts";
export type {
  Influence,
  RoundEntry,
  RoundInput,
  RoundOrchestrator,
  RoundOutput,
} from "./orchestrators/round-orchestrator.ts";
export {
  simulateEpidemic,
  simulatedParticipants,
  type SimulationOptions,
  type SimulationOutcome,
} from "./orchestrators/simulation.ts";
export {
  type StreamingOptions,
  StreamingOrchestrator,
  stalenessWeight,
} from "./orchestrators/streaming.ts";
export { drawZones, type Hash, liarsAbove, zoneByzantine } from "./orchestrators/zones.ts";
export type {
  Certificate,
  ComputedResult,
  DecidedHeader,
  Decision,
  Digest,
  Population,
  RoundAction,
  RoundDeps,
  RoundEvent,
  RoundMessageKind,
  RoundOptions,
  RoundPolicy,
  RoundEvidence,
  RoundProof,
  RoundResume,
  RoundStatus,
  RoundTimerId,
  RoundVerdict,
  RoundView,
  UpdateFacts,
  UpdateHeader,
} from "./protocol/index.ts";
export {
  batchAsyncPolicy,
  decodeCertificate,
  decodeRoundEvidence,
  decodeRoundProof,
  encodeRoundEvidence,
  genesisDigest,
  population,
  protocolLimits,
  quorumOf,
  ROUND_PROOF_BYTES_MAX,
  RoundMachine,
  taskDigest,
  verifyCertificate,
  verifyChain,
  verifyRoundProof,
} from "./protocol/index.ts";
export {
  AdaptiveLearningRate,
  learningRateAt,
  type Schedule,
  type ScheduleState,
} from "./schedules/schedule.ts";
export { SeededRandom } from "./seeded.ts";
export { type ColludingAttack, colludingAttacks } from "./simulation/collusion.ts";
export type {
  DownWeighted,
  SimulatedRound,
  SimulationReport,
  Traffic,
} from "./simulation/report.ts";
export { type ScheduleKind, scheduleKinds } from "./simulation/schedules.ts";
export { simulatedLiars, simulateTask, type TaskSimulationOptions } from "./simulation/simulate.ts";
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
  decodeOrder,
  ORDER_BYTES_MAX,
  signOrder,
  supersedes,
  type TaskOrder,
  verifyOrder,
} from "./task-order.ts";
export {
  CERTIFIED_RULE,
  STREAM_RULE,
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
  modelFileBytesMax,
  readSafetensors,
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
export { type Anomaly, anomalyOf } from "./telemetry/anomaly.ts";
export {
  normalised,
  type TelemetryReading,
  TelemetryRing,
  type TelemetrySamples,
} from "./telemetry/channels.ts";
export { TelemetryLearner, telemetryModel } from "./telemetry/telemetry-learner.ts";
export { softmaxModel } from "./trainer/softmax.ts";
export {
  type Classifier,
  drain,
  type Evaluation,
  evaluateSteps,
  freshMomentum,
  type MomentumState,
  type TrainedRound,
  type TrainOptions,
  trainSteps,
} from "./trainer/trainer.ts";
export { Assembly } from "./transfer/assembly.ts";
export {
  CHUNK_BYTES,
  chunkCount,
  chunkOf,
  CONTENT_BYTES_MAX,
  type ContentId,
  contentIdOf,
  type HeldContent,
  leafDigest,
  leavesOf,
  merkleRoot,
  type Sha256,
} from "./transfer/chunks.ts";
export {
  type ContentRequest,
  decodeContentRequest,
  decodeOffer,
  decodeWant,
  encodeContentRequest,
  encodeOffer,
  encodeWant,
  type OfferStatus,
  TRANSFER_FRAME_BYTES_MAX,
  WINDOW_CHUNKS,
} from "./transfer/wire.ts";
export {
  type ComputedRound,
  computeRound,
  type RoundComputation,
  weightsDigest,
} from "./certified/compute-round.ts";
export { RoundProgress } from "./certified/round-progress.ts";
export {
  decodeNote,
  decodeSummary,
  encodeNote,
  encodeSummary,
  lowerMedian,
  type RoundSummary,
  type UpdateNote,
} from "./certified/round-record.ts";
