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
  | "learning/bad-update"
  | "learning/bad-ledger"
  | "learning/bad-csv"
  | "learning/bad-data"
  | "learning/bad-task"
  | "learning/kernels-unavailable"
  | "learning/memory-budget"
  | "learning/model-missing"
  | "learning/threads-failed"
  | "learning/feature-unavailable"
  | "learning/bad-signature"
  | "learning/wrong-base"
  | "learning/bad-report"
  | "learning/no-order"
  | "learning/lease-lost"
  | "learning/trainer-late"
  | "learning/trainer-failed"
  | "learning/bad-summary"
  | TransferRefusalCode;

/** Why a message of a transfer is refused. */
export type TransferRefusalCode = "learning/bad-chunk" | "learning/bad-request";

/** How the attempt to get a content from one holder ended: labels of its counter. */
export const transferResults = ["whole", "bad-chunk", "bad-request", "not-held", "broken"] as const;

/** Codes that a message of the round protocol is refused with: the labels of its refusal counter. */
export const protocolRefusalCodes = [
  "learning/too-large",
  "learning/malformed",
  "learning/wrong-task",
  "learning/wrong-chain",
  "learning/wrong-base",
  "learning/not-a-participant",
  "learning/unknown-identity",
  "learning/bad-signature",
  "learning/bad-proposal",
  "learning/bad-certificate",
  "learning/not-a-proof",
  "learning/doubled",
  "learning/past-round",
  "learning/future-round",
  "learning/past-view",
  "learning/future-view",
  "learning/equivocation",
  "learning/too-many-headers",
  "learning/stopped",
] as const;

/** One of {@link protocolRefusalCodes}. */
export type ProtocolRefusalCode = (typeof protocolRefusalCodes)[number];

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
