// The messages of `/x0tta6bl4/svid/1`, by which a node gets its workloads' entries and SVIDs from an issuer: one request and one
// response per stream, each a JSON text in UTF-8. Both sides are authenticated by the handshake. The workload's private key stays
// on the node: the request carries the public key and a signature by it.

import * as z from "zod";
import { concatBytes, fromHex, type Result, uint16be, utf8Bytes } from "../../foundation/index.ts";
import { base64Bytes } from "../base64-schema.ts";
import { CHAIN_CERTIFICATES_MAX } from "../chain.ts";
import { encodeJsonMessage, parseJsonMessage } from "../json-message.ts";
import type { NodeId } from "../peer-identity.ts";
import type { CertificateAlgorithm } from "../x509/algorithm.ts";
import { CERTIFICATE_BYTES_MAX } from "../x509/certificate.ts";
import { ENTRIES_PER_NODE_MAX } from "./entry.ts";
import { AUDIENCE_CHARS_MAX, AUDIENCES_MAX, JWT_CHARS_MAX } from "./jwt-svid.ts";
import { SIGNED_BUNDLE_BYTES_MAX } from "./signed-bundle.ts";

export const SVID_PROTOCOL = "/x0tta6bl4/svid/1";
/** Longest request: sixteen of the longest audiences, each of their characters three bytes of UTF-8. */
export const SVID_REQUEST_BYTES_MAX = 64 * 1024;
/** Longest response: a node's entries, of which each is some hundred bytes and can be much longer. */
export const SVID_RESPONSE_BYTES_MAX = 2 * 1024 * 1024;

const KEY_BYTES_MAX = 2048;
const PROOF_BYTES_MAX = 4096;
/** ML-DSA context of a proof of possession, and the label of one by P-256. */
export const PROOF_CONTEXT: Uint8Array = utf8Bytes("x0tta6bl4 workload key v1");

/** Every code with which an issuer refuses. */
export const SVID_REFUSALS = [
  "identity/request-malformed",
  "identity/not-issuer",
  "identity/peer-not-entitled",
  "identity/denied",
  "identity/entry-unknown",
  "identity/proof-invalid",
  "identity/rate-limited",
  "identity/issuer-busy",
] as const;
export type SvidRefusalCode = (typeof SVID_REFUSALS)[number];

/** Most bundles of other trust domains that a node gets, and most characters of all together. */
export const FOREIGN_BUNDLES_MAX = 64;
export const FOREIGN_CHARS_MAX = 1024 * 1024;

const foreignBundle = z.strictObject({
  trustDomain: z.string().max(255),
  /** In SPIFFE's JSON form, as its endpoint gave it. */
  document: z.string().max(FOREIGN_CHARS_MAX),
});
/** The bundle of another trust domain, as an issuer tells it. */
export type ToldBundle = z.output<typeof foreignBundle>;

const entryId = z.string().regex(/^[0-9a-f]{32}$/);
const digest = z.string().regex(/^[0-9a-f]{64}$/);

const requestSchema = z.discriminatedUnion("op", [
  /** What is new: the bundle above a sequence, the entries when they are others than those with a digest. */
  z.strictObject({ op: z.literal("sync"), bundleSequence: z.int().min(0), entriesDigest: digest }),
  /** The bundles of other trust domains that the node's entries federate with, when they are others than those with a digest. */
  z.strictObject({ op: z.literal("federated"), bundlesDigest: digest }),
  z.strictObject({
    op: z.literal("x509"),
    entry: entryId,
    algorithm: z.enum(["es256", "ml-dsa-65"]),
    publicKey: base64Bytes(KEY_BYTES_MAX),
    proof: base64Bytes(PROOF_BYTES_MAX),
  }),
  z.strictObject({
    op: z.literal("jwt"),
    entry: entryId,
    audience: z.array(z.string().min(1).max(AUDIENCE_CHARS_MAX)).min(1).max(AUDIENCES_MAX),
  }),
]);

const responseSchema = z.discriminatedUnion("result", [
  z.strictObject({
    result: z.literal("sync"),
    bundle: base64Bytes(SIGNED_BUNDLE_BYTES_MAX).optional(),
    /** The node checks each of them again. */
    entries: z.array(z.unknown()).max(ENTRIES_PER_NODE_MAX).optional(),
  }),
  z.strictObject({
    result: z.literal("federated"),
    bundles: z.array(foreignBundle).max(FOREIGN_BUNDLES_MAX).optional(),
  }),
  z.strictObject({
    result: z.literal("x509"),
    chain: z.array(base64Bytes(CERTIFICATE_BYTES_MAX)).min(1).max(CHAIN_CERTIFICATES_MAX),
  }),
  z.strictObject({ result: z.literal("jwt"), token: z.string().max(JWT_CHARS_MAX) }),
  z.strictObject({ result: z.literal("refused"), code: z.enum(SVID_REFUSALS) }),
]);

export type SvidRequest = z.output<typeof requestSchema>;
export type SvidResponse = z.output<typeof responseSchema>;

/** The bytes of a message; byte strings become base64. */
export function encodeSvidMessage(message: SvidRequest | SvidResponse): Uint8Array {
  return encodeJsonMessage(message);
}

/** Reads a request. Code: `identity/request-malformed`. */
export function parseSvidRequest(
  message: Uint8Array,
): Result<SvidRequest, "identity/request-malformed"> {
  const bytesMax = SVID_REQUEST_BYTES_MAX;
  return parseJsonMessage(requestSchema, message, bytesMax, "identity/request-malformed");
}

/** Reads a response. Code: `identity/response-malformed`. */
export function parseSvidResponse(
  message: Uint8Array,
): Result<SvidResponse, "identity/response-malformed"> {
  const bytesMax = SVID_RESPONSE_BYTES_MAX;
  return parseJsonMessage(responseSchema, message, bytesMax, "identity/response-malformed");
}

/** What a workload's key signs to prove that the node has it: for this node and entry, and nothing else. */
export function possessionMessage(input: {
  readonly node: NodeId;
  readonly entry: string;
  readonly algorithm: CertificateAlgorithm;
  readonly publicKey: Uint8Array;
}): Uint8Array {
  const { node, entry, algorithm, publicKey } = input;
  return concatBytes(
    PROOF_CONTEXT,
    fromHex(node),
    fromHex(entry),
    Uint8Array.of(algorithm === "es256" ? 1 : 2),
    uint16be(publicKey.length),
    publicKey,
  );
}
