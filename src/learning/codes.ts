// Every code this room gives: log field, metric label and API error at once.

/** Codes of the learning room. */
export type LearningErrorCode =
  | "learning/bad-tensors"
  | "learning/wrong-shape"
  | "learning/not-finite"
  | "learning/wrong-task"
  | "learning/wrong-round"
  | "learning/wrong-node"
  | "learning/too-large"
  | "learning/too-few-updates"
  | "learning/outlier"
  | "learning/bad-csv"
  | "learning/bad-data"
  | "learning/bad-task"
  | "learning/orchestrator-unavailable"
  | "learning/feature-unavailable"
  | "learning/bad-signature"
  | "learning/wrong-base"
  | "learning/bad-report"
  | "learning/no-order"
  | "learning/lease-lost"
  | "learning/trainer-late"
  | "learning/trainer-failed";

/** The codes a peer's update can be refused with: the labels of the rejection counter. */
export const updateRefusalCodes = [
  "learning/bad-tensors",
  "learning/wrong-shape",
  "learning/not-finite",
  "learning/wrong-task",
  "learning/wrong-round",
  "learning/wrong-node",
  "learning/too-large",
] as const satisfies readonly LearningErrorCode[];

/** One of {@link updateRefusalCodes}. */
export type UpdateRefusalCode = (typeof updateRefusalCodes)[number];
