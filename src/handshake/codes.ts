// Why a handshake failed. The peer learns nothing but that it did; these go to local logs and metrics.

/** Every reason, in the order in which a handshake can meet it. */
export const HANDSHAKE_ERROR_CODES = [
  "handshake/limited-concurrent",
  "handshake/limited-global",
  "handshake/limited-address",
  "handshake/timeout",
  "handshake/closed",
  "handshake/bad-length",
  "handshake/bad-kem-key",
  "handshake/low-order-point",
  "handshake/bad-tag",
  "handshake/bad-payload",
  "handshake/wrong-peer",
  "handshake/joining-refused",
  "handshake/bad-chain",
  "handshake/bad-node-id",
  "handshake/bad-signature",
  "handshake/downgrade",
  "handshake/not-allowed",
  "handshake/no-common-muxer",
  "handshake/wrong-state",
  "handshake/nonces-exhausted",
  "handshake/unexpected",
] as const;

/** A local reason. */
export type HandshakeReason = (typeof HANDSHAKE_ERROR_CODES)[number];

/** `handshake/failed` is the only code that leaves the room after a handshake over a stream. */
export type HandshakeErrorCode = HandshakeReason | "handshake/failed";

/** True for a code of {@link HANDSHAKE_ERROR_CODES}. */
export function isHandshakeReason(code: string): code is HandshakeReason {
  return (HANDSHAKE_ERROR_CODES as readonly string[]).includes(code);
}
