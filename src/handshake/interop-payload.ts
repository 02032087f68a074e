// libp2p's own Noise payload, for peers of other stacks. It authenticates an Ed25519 key over the Noise static
// key only: no transcript, no post-quantum signature. https://github.com/libp2p/specs/tree/master/noise
//
//   NoiseHandshakePayload { 1: identity_key  2: identity_sig  4: NoiseExtensions { 1: certhash*  2: stream_muxer* } }

import { ED25519, type CryptoEngine, type Ed25519Signer } from "../crypto/index.ts";
import { concatBytes, refuse, type Result, utf8Bytes } from "../foundation/index.ts";
import {
  ed25519Of,
  IDENTITY_KEY_BYTES,
  identityKeyOf,
  readMessage,
  readStrings,
  STRING_LIST,
} from "./payload-fields.ts";
import { bytesField, stringField } from "./protobuf.ts";

/** Payloads of other stacks are about 104 bytes; ML-DSA experiments reach 5.4 kB. */
export const INTEROP_PAYLOAD_BYTES_MAX = 8192;

const SIGNED_PREFIX = utf8Bytes("noise-libp2p-static-key:");
const CERTHASHES_MAX = 32;

/** What an interop payload says once its signature is verified. */
export interface InteropBody {
  /** 32 bytes. */
  readonly ed25519: Uint8Array;
  readonly streamMuxers: readonly string[];
}

const PAYLOAD_RULES = {
  1: { countMax: 1, bytesMin: IDENTITY_KEY_BYTES, bytesMax: IDENTITY_KEY_BYTES },
  2: { countMax: 1, bytesMin: ED25519.signatureBytes, bytesMax: ED25519.signatureBytes },
  4: { countMax: 1, bytesMin: 0, bytesMax: INTEROP_PAYLOAD_BYTES_MAX },
};

const EXTENSION_RULES = {
  1: { countMax: CERTHASHES_MAX, bytesMin: 0, bytesMax: STRING_LIST.bytesMax },
  2: STRING_LIST,
};

export function encodeInteropPayload(
  signer: Ed25519Signer,
  staticPublicKey: Uint8Array,
  streamMuxers: readonly string[],
): Uint8Array {
  const extensions = streamMuxers.map((muxer) => stringField(2, muxer));
  return concatBytes(
    bytesField(1, identityKeyOf(signer.publicKey)),
    bytesField(2, signer.sign(concatBytes(SIGNED_PREFIX, staticPublicKey))),
    ...(extensions.length === 0 ? [] : [bytesField(4, concatBytes(...extensions))]),
  );
}

/** A payload split into its parts, nothing verified yet. */
export interface InteropPayload extends InteropBody {
  readonly signature: Uint8Array;
}

/** Parses strictly; only Ed25519 identities are known, fields of other stacks' experiments are skipped. */
export function parseInteropPayload(
  payload: Uint8Array,
): Result<InteropPayload, "handshake/bad-payload"> {
  const bad = refuse("handshake/bad-payload", "interop payload");
  if (payload.length > INTEROP_PAYLOAD_BYTES_MAX) return bad;
  const values = readMessage(payload, PAYLOAD_RULES, "skip");
  const ed25519 = ed25519Of(values?.get(1)?.[0]);
  const signature = values?.get(2)?.[0];
  if (values === undefined || ed25519 === undefined || signature === undefined) return bad;
  const extensions = readMessage(values.get(4)?.[0] ?? new Uint8Array(0), EXTENSION_RULES, "skip");
  const streamMuxers = extensions && readStrings(extensions.get(2));
  if (streamMuxers === undefined) return bad;
  return { ok: true, value: { ed25519, streamMuxers, signature } };
}

/** Whether the payload's key signed the sender's Noise static key. */
export function verifyInteropPayload(
  engine: Pick<CryptoEngine, "ed25519">,
  { ed25519, signature }: InteropPayload,
  staticPublicKey: Uint8Array,
): boolean {
  return engine.ed25519.verify(ed25519, concatBytes(SIGNED_PREFIX, staticPublicKey), signature);
}
