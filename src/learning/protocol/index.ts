export { decodeCertificate, verifyCertificate, verifyChain } from "./certificate.ts";
export { genesisDigest } from "./decision.ts";
export {
  decodeRoundProof,
  ROUND_PROOF_BYTES_MAX,
  type RoundProof,
  verifyRoundProof,
} from "./equivocation.ts";
export { HEADERS_PER_ROUND } from "./holdings.ts";
export {
  decodeRoundEvidence,
  encodeRoundEvidence,
  type RoundEvidence,
  taskDigest,
} from "./evidence.ts";
export { type Population, population } from "./population.ts";
export { RoundMachine } from "./round-machine.ts";
export {
  batchAsyncPolicy,
  type BatchAsyncOptions,
  quorumOf,
  type RoundPolicy,
  type RoundView,
} from "./policy.ts";
export type {
  Certificate,
  ComputedResult,
  DecidedHeader,
  Decision,
  Digest,
  RoundAction,
  RoundDeps,
  RoundEvent,
  RoundMessageKind,
  RoundOptions,
  RoundResume,
  RoundStatus,
  RoundTimerId,
  RoundVerdict,
  UpdateFacts,
  UpdateHeader,
} from "./types.ts";
export { protocolLimits } from "./wire.ts";
