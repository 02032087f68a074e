// The messages of `/x0tta6bl4/attest/1`: one request and one response per stream, each a JSON text in UTF-8.
// Bounded before it is parsed, unknown members refused, DER in standard base64. Both sides are authenticated by the
// handshake before the first byte; there is no key and no signature in here.

import * as z from "zod";
import {
  ok,
  refuse,
  type Result,
  toBase64Url,
  utf8Bytes,
  utf8Text,
} from "../../foundation/index.ts";
import { fromBareBase64Url, toBase64 } from "../base64.ts";
import { base64Bytes } from "../base64-schema.ts";
import { CHAIN_CERTIFICATES_MAX } from "../chain.ts";
import type { AttestationRefusalCode } from "../errors.ts";
import { JOIN_SECRET_BYTES } from "../join-token.ts";
import { NODE_NAME_BYTES_MAX } from "../spiffe-id.ts";
import { CERTIFICATE_BYTES_MAX } from "../x509/certificate.ts";
import { CHALLENGE_BYTES, type Evidence, evidenceSchema } from "./evidence.ts";

/** The protocol id. */
export const ATTESTATION_PROTOCOL = "/x0tta6bl4/attest/1";
/** Longest request, in bytes: evidence of four certificates of 4 KiB in base64. */
export const ATTESTATION_REQUEST_BYTES_MAX = 24 * 1024;
/** Longest response, in bytes: a chain of two and the longest bundle. */
export const ATTESTATION_RESPONSE_BYTES_MAX = 128 * 1024;

/** What a peer may ask. */
export type AttestationRequest =
  | { readonly op: "bundle" }
  | {
      readonly op: "join" /** 32 bytes, from the token. */;
      readonly secret: Uint8Array;
      readonly name: string;
    }
  /** A challenge for evidence. */
  | { readonly op: "challenge" }
  | { readonly op: "attest"; readonly evidence: Evidence }
  | { readonly op: "renew" };

/** What it may be answered. `bundle` is the SPIFFE JSON document. */
export type AttestationResponse =
  | { readonly result: "bundle"; readonly bundle: string }
  | { readonly result: "challenge" /** 32 bytes. */; readonly nonce: Uint8Array }
  | { readonly result: "svid"; readonly chain: readonly Uint8Array[]; readonly bundle: string }
  | { readonly result: "refused"; readonly code: AttestationRefusalCode };

/** Every code that a response may carry. */
export const ATTESTATION_REFUSALS = [
  "identity/request-malformed",
  "identity/not-issuer",
  "identity/peer-not-entitled",
  "identity/denied",
  "identity/attestor-unknown",
  "identity/attestor-unavailable",
  "identity/challenge-unknown",
  "identity/evidence-refused",
  "identity/evidence-not-allowed",
  "identity/evidence-used",
  "identity/not-a-node-id",
  "identity/name-taken",
  "identity/name-fixed",
  "identity/token-unknown",
  "identity/token-expired",
  "identity/token-spent",
  "identity/token-name-mismatch",
  "identity/renewed-too-recently",
  "identity/issuer-busy",
] as const satisfies readonly AttestationRefusalCode[];

/** Base64url of so many bytes. */
const exactly = (length: number) =>
  z.string().transform((text, context) => {
    const bytes = fromBareBase64Url(text, length);
    if (bytes?.length === length) return bytes;
    context.addIssue({ code: "custom", message: `not ${length} bytes` });
    return z.NEVER;
  });

const requestSchema = z.discriminatedUnion("op", [
  z.strictObject({ op: z.literal("bundle") }),
  z.strictObject({
    op: z.literal("join"),
    secret: exactly(JOIN_SECRET_BYTES),
    name: z.string().min(1).max(NODE_NAME_BYTES_MAX),
  }),
  z.strictObject({ op: z.literal("challenge") }),
  z.strictObject({ op: z.literal("attest"), evidence: evidenceSchema }),
  z.strictObject({ op: z.literal("renew") }),
]);

const responseSchema = z.discriminatedUnion("result", [
  z.strictObject({ result: z.literal("bundle"), bundle: z.string() }),
  z.strictObject({ result: z.literal("challenge"), nonce: exactly(CHALLENGE_BYTES) }),
  z.strictObject({
    result: z.literal("svid"),
    chain: z.array(base64Bytes(CERTIFICATE_BYTES_MAX)).min(1).max(CHAIN_CERTIFICATES_MAX),
    bundle: z.string(),
  }),
  z.strictObject({ result: z.literal("refused"), code: z.enum(ATTESTATION_REFUSALS) }),
]);

/** The bytes of a request. */
export function encodeAttestationRequest(request: AttestationRequest): Uint8Array {
  return json(
    request.op === "join" ? { ...request, secret: toBase64Url(request.secret) } : request,
  );
}

/** Reads a request. Code: `identity/request-malformed`. */
export function parseAttestationRequest(
  bytes: Uint8Array,
): Result<AttestationRequest, "identity/request-malformed"> {
  const parsed = requestSchema.safeParse(parseJson(bytes, ATTESTATION_REQUEST_BYTES_MAX));
  return parsed.success ? ok(parsed.data) : refuse("identity/request-malformed");
}

/** The bytes of a response. */
export function encodeAttestationResponse(response: AttestationResponse): Uint8Array {
  return json(
    response.result === "challenge"
      ? { ...response, nonce: toBase64Url(response.nonce) }
      : response,
  );
}

/** Reads a response. Code: `identity/response-malformed`. */
export function parseAttestationResponse(
  bytes: Uint8Array,
): Result<AttestationResponse, "identity/response-malformed"> {
  const parsed = responseSchema.safeParse(parseJson(bytes, ATTESTATION_RESPONSE_BYTES_MAX));
  return parsed.success ? ok(parsed.data) : refuse("identity/response-malformed");
}

/** Byte strings become base64. */
function json(value: unknown): Uint8Array {
  return utf8Bytes(
    JSON.stringify(value, (_key, part: unknown) =>
      part instanceof Uint8Array ? toBase64(part) : part,
    ),
  );
}

function parseJson(bytes: Uint8Array, bytesMax: number): unknown {
  if (bytes.length > bytesMax) return undefined;
  try {
    return JSON.parse(utf8Text(bytes));
  } catch {
    return undefined; // no UTF-8 or no JSON; undefined matches no schema
  }
}
