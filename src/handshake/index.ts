export {
  type Authenticated,
  type AuthenticationDeps,
  type AuthenticationOptions,
  authenticatePeer,
  chooseMuxer,
  type LocalCredential,
  type PeerVerifier,
  sealMeshPayload,
  signedMessage,
} from "./authenticate.ts";
export {
  type AuthenticatedPeer,
  HANDSHAKE_SUITES,
  type HandshakeSuite,
  INTEROP_PROTOCOL_ID,
  type InteropPeer,
  type JoiningPeer,
  MESH_PROTOCOL_ID,
  type SvidPeer,
  type UnanchoredPeer,
} from "./authenticated-peer.ts";
export {
  CipherState,
  NONCE_MAX,
  nonceBytes,
  TRANSPORT_PLAINTEXT_BYTES_MAX,
} from "./cipher-state.ts";
export {
  HANDSHAKE_ERROR_CODES,
  type HandshakeErrorCode,
  type HandshakeReason,
  isHandshakeReason,
} from "./codes.ts";
export {
  type DriverDeps,
  type DriverOptions,
  type HandshakeOutcome,
  type HandshakeProfile,
  type HandshakeStream,
  performHandshake,
} from "./driver.ts";
export { encodeFrame, FRAME_BYTES_MAX, FRAME_HEADER_BYTES, FrameDecoder } from "./framing.ts";
export {
  encodeInteropPayload,
  INTEROP_PAYLOAD_BYTES_MAX,
  type InteropBody,
  type InteropPayload,
  parseInteropPayload,
  verifyInteropPayload,
} from "./interop-payload.ts";
export {
  HandshakeLimiter,
  type HandshakeSlot,
  LIMITER_DEFAULTS,
  type LimiterOptions,
  limiterKey,
} from "./limiter.ts";
export {
  HandshakeMachine,
  type HandshakeRole,
  type MachineDeps,
  type MachineOptions,
  MESSAGE_FIXED_BYTES,
  NOISE_PROTOCOL_NAME,
  type PayloadBinding,
  PAYLOAD_BYTES_LIMIT,
  type ReceivedPayload,
  type SessionKeys,
} from "./machine.ts";
export {
  ATTEMPTS_METRIC,
  DURATION_METRIC,
  FAILURES_METRIC,
  FORGOTTEN_METRIC,
  handshakeMetrics,
  OPEN_METRIC,
} from "./metrics.ts";
export {
  HASH_BYTES,
  type NoiseCrypto,
  TAG_BYTES,
  X25519_BYTES,
  type X25519KeyPair,
} from "./noise-crypto.ts";
export {
  CERTIFICATE_BYTES_MAX,
  CHAIN_CERTIFICATES_MAX,
  encodeBody,
  encodePayload,
  parseBody,
  parsePayload,
  PAYLOAD_BYTES_MAX,
  type PayloadBody,
  type SignedBody,
} from "./payload.ts";
export { type InteropDeps, interopProfile, meshProfile } from "./profiles.ts";
export { meshPrologue } from "./prologue.ts";
export { SymmetricState } from "./symmetric-state.ts";
