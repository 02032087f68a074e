// What a node shows instead of a join token, and who judges it. The verifiers come in through a port: they need OpenSSL, a
// Kubernetes API server, or a cloud's certificates. The issuer's challenge is fresh, for one NodeId and one use.

import * as z from "zod";
import { concatBytes, fromHex, type Result, utf8Bytes } from "../../foundation/index.ts";
import { base64Bytes } from "../base64-schema.ts";
import type { AttestationRefusalCode } from "../errors.ts";
import type { AttestorType } from "../node-selectors.ts";
import type { NodeId } from "../peer-identity.ts";

/** Limits of evidence; bytes of what is sent in base64. */
export const evidenceLimits = {
  certificatesMax: 4,
  certificateBytesMax: 4096,
  signatureBytesMax: 1024,
  tokenCharsMax: 8192,
  documentBytesMax: 8192,
} as const;

/** Bytes of a challenge. */
export const CHALLENGE_BYTES = 32;
const CHALLENGE_LABEL = utf8Bytes("x0tta6bl4 node attestation challenge v1");

export const evidenceSchema = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("x509pop"),
    /** DER, leaf first, without the root. */
    chain: z
      .array(base64Bytes(evidenceLimits.certificateBytesMax))
      .min(1)
      .max(evidenceLimits.certificatesMax),
    /** The leaf's signature over {@link challengeMessage}. */
    signature: base64Bytes(evidenceLimits.signatureBytesMax),
  }),
  z.strictObject({
    type: z.literal("k8s_psat"),
    /** A projected service account token. */
    token: z
      .string()
      .max(evidenceLimits.tokenCharsMax)
      .regex(/^[\w-]+\.[\w-]+\.[\w-]+$/),
  }),
  z.strictObject({
    type: z.literal("aws_iid"),
    /** The instance identity document in PKCS#7. */
    document: base64Bytes(evidenceLimits.documentBytesMax),
  }),
]);

/** What a node shows. A token is a secret. */
export type Evidence = z.output<typeof evidenceSchema>;

/** What was found out. */
export interface Attested {
  /** The node's name follows from the evidence, so nobody chooses another's, and evidence is good for one node. */
  readonly name: string;
  readonly selectors: readonly string[];
}

/** Codes with which evidence is refused. */
export type EvidenceRefusalCode = Extract<
  AttestationRefusalCode,
  | "identity/attestor-unavailable"
  | "identity/attestor-unknown"
  | "identity/evidence-refused"
  | "identity/evidence-not-allowed"
>;

/** Judges evidence; `detail` is for the issuer's log alone. Never throws for what a peer sent. */
export interface EvidenceVerifier {
  readonly types: readonly AttestorType[];
  /** @param challenge what a certificate's key has to have signed */
  verify(evidence: Evidence, challenge: Uint8Array): Promise<Result<Attested, EvidenceRefusalCode>>;
}

/** What a certificate's key signs: fresh by the nonce, for these two nodes and nothing else. */
export function challengeMessage(input: {
  readonly nonce: Uint8Array;
  readonly issuer: NodeId;
  readonly node: NodeId;
}): Uint8Array {
  return concatBytes(CHALLENGE_LABEL, input.nonce, fromHex(input.issuer), fromHex(input.node));
}
