// The payload of messages B and C of our protocol:
//
//   outer: 1 body, 2 signature
//   body:  1 ed25519, 2 svid_chain*, 3 stream_muxers*, 4 security_protocols*, 5 mldsa65 (only without a chain)
//
// The body travels and is signed as opaque bytes, so how it was encoded is never a question.

import { COMPOSITE_SIGNATURE_BYTES, ML_DSA_65 } from "../crypto/index.ts";
import { concatBytes, refuse, type Result } from "../foundation/index.ts";
import {
  ed25519Of,
  IDENTITY_KEY_BYTES,
  identityKeyOf,
  readMessage,
  readStrings,
  STRING_LIST,
} from "./payload-fields.ts";
import { bytesField, stringField } from "./protobuf.ts";

/** Limits of the payload: fixed by the protocol. */
export const PAYLOAD_BYTES_MAX = 40_960;
export const CHAIN_CERTIFICATES_MAX = 4;
export const CERTIFICATE_BYTES_MAX = 8192;

/** What a node says about itself. Either a chain or, without one, its ML-DSA key. */
export interface PayloadBody {
  /** 32 bytes. */
  readonly ed25519: Uint8Array;
  /** DER, leaf first, no root; empty for a node that is joining. */
  readonly svidChain: readonly Uint8Array[];
  readonly streamMuxers: readonly string[];
  /** Ordered; what the node really has configured. */
  readonly securityProtocols: readonly string[];
  /** 1952 bytes; present if and only if the chain is empty. */
  readonly mldsa65: Uint8Array | undefined;
}

/** A body with its signature, as received. */
export interface SignedBody {
  readonly body: Uint8Array;
  /** 3373 bytes. */
  readonly signature: Uint8Array;
}

const once = (bytes: number): { countMax: number; bytesMin: number; bytesMax: number } => ({
  countMax: 1,
  bytesMin: bytes,
  bytesMax: bytes,
});

const OUTER_RULES = {
  1: { countMax: 1, bytesMin: 1, bytesMax: PAYLOAD_BYTES_MAX },
  2: once(COMPOSITE_SIGNATURE_BYTES),
};

const BODY_RULES = {
  1: once(IDENTITY_KEY_BYTES),
  2: { countMax: CHAIN_CERTIFICATES_MAX, bytesMin: 1, bytesMax: CERTIFICATE_BYTES_MAX },
  3: STRING_LIST,
  4: STRING_LIST,
  5: once(ML_DSA_65.publicKeyBytes),
};

type Parsed<T> = Result<T, "handshake/bad-payload">;

const bad = (detail: string): Parsed<never> => refuse("handshake/bad-payload", detail);

export function encodeBody(body: PayloadBody): Uint8Array {
  return concatBytes(
    bytesField(1, identityKeyOf(body.ed25519)),
    ...body.svidChain.map((certificate) => bytesField(2, certificate)),
    ...body.streamMuxers.map((muxer) => stringField(3, muxer)),
    ...body.securityProtocols.map((protocol) => stringField(4, protocol)),
    ...(body.mldsa65 === undefined ? [] : [bytesField(5, body.mldsa65)]),
  );
}

export function encodePayload({ body, signature }: SignedBody): Uint8Array {
  return concatBytes(bytesField(1, body), bytesField(2, signature));
}

/** Splits a payload into body and signature. Fields that are not signed do not exist: unknown ones are refused. */
export function parsePayload(payload: Uint8Array): Parsed<SignedBody> {
  if (payload.length > PAYLOAD_BYTES_MAX) return bad("payload too long");
  const values = readMessage(payload, OUTER_RULES, "refuse");
  const body = values?.get(1)?.[0];
  const signature = values?.get(2)?.[0];
  if (body === undefined || signature === undefined) return bad("outer fields");
  return { ok: true, value: { body, signature } };
}

/** Reads a body; every array of the result is a copy. Unknown fields are skipped: they are signed. */
export function parseBody(body: Uint8Array): Parsed<PayloadBody> {
  const values = readMessage(body, BODY_RULES, "skip");
  if (values === undefined) return bad("body fields");
  const ed25519 = ed25519Of(values.get(1)?.[0]);
  const streamMuxers = readStrings(values.get(3));
  const securityProtocols = readStrings(values.get(4));
  if (ed25519 === undefined) return bad("identity key");
  if (streamMuxers === undefined || securityProtocols === undefined) return bad("string not UTF-8");
  const svidChain = (values.get(2) ?? []).map((certificate) => new Uint8Array(certificate));
  const key = values.get(5)?.[0];
  const mldsa65 = key && new Uint8Array(key);
  if ((svidChain.length === 0) !== (mldsa65 !== undefined))
    return bad("either a chain or an ML-DSA key");
  return { ok: true, value: { ed25519, svidChain, streamMuxers, securityProtocols, mldsa65 } };
}
