// The door of the identity room: who a node is, how it proves that, and what it may do.

export {
  acceptRenewal,
  anchorIssuer,
  type ClientStep,
  type Credential,
  JoinClient,
  type JoinProof,
  type OwnKeys,
  renewalRequest,
  type UnanchoredIssuer,
} from "./attestation/client.ts";
export { Challenges } from "./attestation/challenges.ts";
export {
  type Attested,
  challengeMessage,
  type Evidence,
  evidenceLimits,
  type EvidenceRefusalCode,
  type EvidenceVerifier,
} from "./attestation/evidence.ts";
export {
  ATTESTATION_PROTOCOL,
  ATTESTATION_REFUSALS,
  ATTESTATION_REQUEST_BYTES_MAX,
  ATTESTATION_RESPONSE_BYTES_MAX,
  type AttestationRequest,
  type AttestationResponse,
  encodeAttestationRequest,
  encodeAttestationResponse,
  parseAttestationRequest,
  parseAttestationResponse,
} from "./attestation/messages.ts";
export {
  type AttestationPeer,
  type AttestationDeps,
  AttestationServer,
  type AttestationServerDeps,
  type IssuingParts,
  RENEW_INTERVAL_MS_MIN,
} from "./attestation/server.ts";
export {
  AUDIT_PROBLEMS_MAX,
  AuditChecker,
  type AuditProblem,
  type AuditProblemKind,
  type AuditReport,
} from "./audit/check.ts";
export {
  AUDIT_EVENTS,
  AUDIT_LINE_BYTES_MAX,
  type AuditEntry,
  type AuditEvent,
  type AuditFields,
  type AuditRecord,
  type AuditTrail,
  encodeAuditLine,
  FIRST_PREVIOUS,
  readAuditLine,
} from "./audit/entry.ts";
export { caughtUp } from "./authority/catch-up.ts";
export {
  activate,
  activeOf,
  type Authority,
  type AuthorityKeys,
  type AuthoritySet,
  dueStep,
  expire,
  firstAuthority,
  isEnding,
  knownFrom,
  prepare,
  replaceAtMs,
  revoke,
  type RotationOptions,
  signed,
  taint,
} from "./authority/rotation.ts";
export {
  bundleOfState,
  encodeTrustState,
  type GrantedIssuer,
  parseTrustState,
  sameContent,
  type TrustState,
  type WorkloadKeys,
} from "./authority/trust-state.ts";
export { ISSUERS_MAX, REVOKED_NODES_MAX } from "./bundle-notes.ts";
export { IssuerDesk, type IssuerDeskDeps } from "./issuers/desk.ts";
export {
  CERTIFY_CONTEXT,
  certifyMessage,
  type CertifyRequest,
  encodeIssuerMessage,
  ISSUER_PROTOCOL,
  ISSUER_REQUEST_BYTES_MAX,
  ISSUER_RESPONSE_BYTES_MAX,
  type IssuerRequest,
  type IssuerResponse,
  parseIssuerResponse,
} from "./issuers/messages.ts";
export { IssueLimit, issueLimits } from "./issue-limit.ts";
export {
  BUNDLE_MAP_DOMAINS_MAX,
  bundleMapToJson,
  isBundleMap,
  parseBundleMap,
} from "./bundle-map.ts";
export { type ForeignBundle, readForeignBundle } from "./foreign-bundle.ts";
export { issueRecord } from "./audit/issue.ts";
export {
  AUDIT_HEAD_CHARS_MAX,
  type AuditHead,
  readAuditHead,
  signAuditHead,
} from "./audit/head.ts";
export { AUDIT_ENTRIES, AUDIT_LOST, AUDIT_SEQUENCE, auditMetrics } from "./audit/metrics.ts";
export {
  CHAIN_CERTIFICATES_MAX,
  type CertificateReference,
  type ChainEngine,
  type ChainOptions,
  type ClaimedLeaf,
  parseLeafKey,
  signerOf,
  type VerifyChainInput,
  verifyChain,
} from "./chain.ts";
export { bindChain, certificatesOf, isBoundChain } from "./bound-chain.ts";
export { CHAIN_CACHE_ENTRIES_MAX, type ChainClaim, ChainVerifier } from "./chain-verifier.ts";
export type {
  AttestationClientErrorCode,
  AttestationRefusalCode,
  BundleErrorCode,
  ChainErrorCode,
  IdentityErrorCode,
  RotationRefusal,
  TokenErrorCode,
} from "./errors.ts";
export {
  createRoot,
  INTERMEDIATE_LIFETIME_MS,
  type IntermediateAuthority,
  Issuer,
  type IssuerDeps,
  type IssuerOptions,
  NOT_BEFORE_BACKDATE_MS,
  type NodeSvidRequest,
  ROOT_LIFETIME_MS,
  SVID_LIFETIME_MS,
  SVID_LIFETIME_MS_MIN,
} from "./issuer.ts";
export {
  encodeJoinAnchor,
  isJoinAnchor,
  type JoinAnchor,
  parseJoinAnchor,
} from "./join-anchor.ts";
export { type CertificateProfile, readCertificateProfile } from "./x509/parse.ts";
export { ATTESTOR_TYPES, type AttestorType } from "./node-selectors.ts";
export {
  checkJoinToken,
  encodeJoinToken,
  JOIN_TOKEN_ADDRESSES_MAX,
  JOIN_TOKEN_CHARS_MAX,
  type JoinToken,
  parseJoinToken,
} from "./join-token.ts";
export { denialLabel, DENIALS, identityMetrics } from "./metrics.ts";
export {
  MemoryNameRegistry,
  type NameClaim,
  type NameRegistry,
  NAMES_MAX,
} from "./name-registry.ts";
export {
  isNodeId,
  NODE_ID_BYTES,
  type NodeKeys,
  type NodeSeeds,
  nodeIdOf,
  nodeKeysFromSeeds,
} from "./node-keys.ts";
export type { NodeId, PeerIdentity } from "./peer-identity.ts";
export {
  isRight,
  LOCAL,
  parsePolicy,
  type Policy,
  type PolicyDecision,
  POLICY_RULES_MAX,
  type PolicyRule,
  type Right,
  RIGHTS,
  UNAUTHENTICATED,
} from "./policy.ts";
export {
  lifeLeft,
  renewalRetryMs,
  renewalTime,
  type SvidHealth,
  SvidHolder,
  svidHealth,
  type Validity,
} from "./renewal.ts";
export {
  formatSpiffeId,
  isNodeName,
  isTrustDomain,
  nodeNameOf,
  nodeSpiffeId,
  parseSpiffeId,
  type SpiffeId,
} from "./spiffe-id.ts";
export {
  MemoryTokenStore,
  TOKEN_LIFETIME_MS,
  TokenLedger,
  type TokenRecord,
  type TokenStore,
  type TokenUse,
  TOKENS_MAX,
} from "./token-ledger.ts";
export {
  BUNDLE_AUTHORITIES_MAX,
  BUNDLE_JSON_CHARS_MAX,
  bundleDigest,
  bundleOfRoots,
  bundleToJson,
  isSoundRoot,
  type JwtAuthority,
  jwtBundleToJson,
  parseBundleJson,
  publicBundle,
  rootIdsOf,
  type TrustBundle,
} from "./trust-bundle.ts";
export {
  coordinatesOf,
  type Es256,
  type Es256Signer,
  isP256PublicKey,
  isP384PublicKey,
} from "./es256.ts";
export { entriesDigest, foreignDigest, type Issuance, WorkloadDesk } from "./workload/desk.ts";
export {
  algorithmsOf,
  type EntryDraft,
  entryLimits,
  hintOf,
  isParent,
  parseEntry,
  type RegistrationEntry,
} from "./workload/entry.ts";
export { type AuthorKeys, EntryBook, type EntryStore } from "./workload/entry-book.ts";
export {
  AUDIENCE_CHARS_MAX,
  AUDIENCES_MAX,
  JWT_CHARS_MAX,
  validateJwtSvid,
  type ValidatedJwt,
} from "./workload/jwt-svid.ts";
export {
  encodeSvidMessage,
  parseSvidRequest,
  parseSvidResponse,
  possessionMessage,
  PROOF_CONTEXT,
  SVID_PROTOCOL,
  SVID_REQUEST_BYTES_MAX,
  SVID_RESPONSE_BYTES_MAX,
  type SvidRequest,
  type SvidResponse,
  type ToldBundle,
} from "./workload/messages.ts";
export { isUnitName, OVERFLOW_ID, selects } from "./workload/selectors.ts";
export {
  acceptSignedBundle,
  encodeSignedBundle,
  statedSequence,
} from "./workload/signed-bundle.ts";
export { verifyWorkloadSvid } from "./workload/verify.ts";
export {
  createWorkloadRoot,
  jwtKeyIdOf,
  type WorkloadAuthorities,
  WorkloadIssuer,
} from "./workload/workload-issuer.ts";
export type { CertificateAlgorithm } from "./x509/algorithm.ts";
export { CERTIFICATE_BYTES_MAX } from "./x509/certificate.ts";
export { type CertificateDescription, describeCertificate, describeRoot } from "./x509/describe.ts";
