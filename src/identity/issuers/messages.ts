// The messages of `/x0tta6bl4/issuer/1`, which the issuers of a trust domain speak among one another: one request and one response per
// stream, each a JSON text in UTF-8. Both sides are authenticated by the handshake, and the bundle says that both issue.

import * as z from "zod";
import { type Result, utf8Bytes } from "../../foundation/index.ts";
import type { WallMs } from "../../ports/index.ts";
import { WORKLOAD_KEYS_MAX } from "../authority/trust-state.ts";
import { base64Bytes as bytes } from "../base64-schema.ts";
import { encodeJsonMessage, parseJsonMessage } from "../json-message.ts";
import type { NodeId } from "../peer-identity.ts";
import { NODE_NAME_BYTES_MAX } from "../spiffe-id.ts";
import { ENTRY_RECORD_BYTES_MAX } from "../workload/entry-record.ts";
import { CERTIFICATE_BYTES_MAX } from "../x509/certificate.ts";

export const ISSUER_PROTOCOL = "/x0tta6bl4/issuer/1";
export const ISSUER_REQUEST_BYTES_MAX = 32 * 1024;
/** Longest response: entries in parts; what is left is asked for again. */
export const ISSUER_RESPONSE_BYTES_MAX = 1024 * 1024;
/** Authors of entries that are known at a time, former issuers included. */
const AUTHORS_MAX = 16;

export const ISSUER_REFUSALS = [
  "identity/request-malformed",
  "identity/not-issuer",
  "identity/peer-not-entitled",
  "identity/proof-invalid",
  "identity/issuer-unusable",
  "identity/token-unknown",
  "identity/token-expired",
  "identity/token-spent",
  "identity/token-name-mismatch",
  "identity/name-taken",
  "identity/name-fixed",
] as const;
export type IssuerRefusalCode = (typeof ISSUER_REFUSALS)[number];

const nodeId = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .transform((text) => text as NodeId);
const moment = z.int().transform((ms) => ms as WallMs);
const name = z.string().min(1).max(NODE_NAME_BYTES_MAX);

const requestSchema = z.discriminatedUnion("op", [
  /** Asks the holder of the root for an intermediate, and to publish the keys for workloads. */
  z.strictObject({
    op: z.literal("certify"),
    publicKey: bytes(2048),
    /** By that key, of {@link certifyMessage}. */
    proof: bytes(4096),
    workloads: z
      .array(
        z.strictObject({
          workloadRoot: bytes(CERTIFICATE_BYTES_MAX),
          jwt: z.strictObject({ keyId: z.string().min(1).max(128), publicKey: bytes(65) }),
        }),
      )
      .max(WORKLOAD_KEYS_MAX),
  }),
  /** Asks for the records that are newer than those of each author that are here. */
  z.strictObject({
    op: z.literal("records"),
    have: z.array(z.strictObject({ author: nodeId, sequence: z.int().min(0) })).max(AUTHORS_MAX),
  }),
  /** Uses a token that the other one may have made. */
  z.strictObject({
    op: z.literal("redeem"),
    secretHash: z.string().regex(/^[0-9a-f]{64}$/),
    nodeId,
    name,
  }),
  /** Takes a name for a node. */
  z.strictObject({ op: z.literal("claim"), name, nodeId }),
]);

const responseSchema = z.discriminatedUnion("result", [
  z.strictObject({
    result: z.literal("certified"),
    certificate: bytes(CERTIFICATE_BYTES_MAX),
    root: bytes(CERTIFICATE_BYTES_MAX),
    /** When the keys for workloads that are new may sign. */
    readyAtMs: moment,
  }),
  z.strictObject({
    result: z.literal("records"),
    authors: z.array(z.strictObject({ ed25519: bytes(32), mldsa65: bytes(2048) })).max(AUTHORS_MAX),
    records: z.array(bytes(ENTRY_RECORD_BYTES_MAX)).max(4096),
    /** Whether there are more. */
    more: z.boolean(),
  }),
  z.strictObject({ result: z.literal("redeemed"), expiresAtMs: moment }),
  z.strictObject({ result: z.literal("claimed") }),
  z.strictObject({ result: z.literal("refused"), code: z.enum(ISSUER_REFUSALS) }),
]);

export type IssuerRequest = z.output<typeof requestSchema>;
export type IssuerResponse = z.output<typeof responseSchema>;
export type CertifyRequest = Extract<IssuerRequest, { op: "certify" }>;

export const CERTIFY_CONTEXT: Uint8Array = utf8Bytes("x0tta6bl4 issuer key v1");

/** What an issuer's new key signs to prove that the issuer holds it. */
export function certifyMessage(node: NodeId): Uint8Array {
  return utf8Bytes(node);
}

/** The bytes of a message; byte strings become base64. */
export function encodeIssuerMessage(message: IssuerRequest | IssuerResponse): Uint8Array {
  return encodeJsonMessage(message);
}

/** Reads a request. Code: `identity/request-malformed`. */
export function parseIssuerRequest(
  message: Uint8Array,
): Result<IssuerRequest, "identity/request-malformed"> {
  const bytesMax = ISSUER_REQUEST_BYTES_MAX;
  return parseJsonMessage(requestSchema, message, bytesMax, "identity/request-malformed");
}

/** Reads a response. Code: `identity/response-malformed`. */
export function parseIssuerResponse(
  message: Uint8Array,
): Result<IssuerResponse, "identity/response-malformed"> {
  const bytesMax = ISSUER_RESPONSE_BYTES_MAX;
  return parseJsonMessage(responseSchema, message, bytesMax, "identity/response-malformed");
}
