export {
  badKeyError,
  destroyedError,
  requireContext,
  requireCount,
  requireLength,
} from "./checks.ts";
export {
  COMPOSITE_SIGNATURE_BYTES,
  type CompositePublicKey,
  type CompositeSigner,
  compositeSign,
  compositeVerify,
} from "./composite.ts";
export { hashEach, verifyEach } from "./batches.ts";
export { isStrictEd25519Key } from "./ed25519-strict.ts";
export { countedEngine } from "./counted-engine.ts";
export {
  type CryptoEngine,
  type CryptoErrorCode,
  ED25519,
  type Ed25519,
  type Ed25519Signer,
  type EngineName,
  type Kem,
  type KemKeyPair,
  ML_DSA_65,
  ML_KEM_768,
  type MlDsa,
  type MlDsaSigner,
  type MlDsaVerification,
} from "./engine.ts";
export { EngineSwitch, type EngineSwitchOptions } from "./engine-switch.ts";
export { type EngineCandidate, type EngineChoice, selectEngine } from "./engines.ts";
export {
  CHAIN_LENGTH,
  CHAIN_LINK_BYTES,
  type ChainErrorCode,
  type ChainClaim,
  HashChain,
  type HashChainOptions,
  type VerifyLinkInput,
  verifyLink,
  verifyLinks,
} from "./hash-chain.ts";
export { cryptoMetrics } from "./metrics.ts";
export { createNobleEngine } from "./noble-engine.ts";
export { type GeneratedKeys, pairwiseCheck, selfTest, type TestedAlgorithm } from "./self-test.ts";
