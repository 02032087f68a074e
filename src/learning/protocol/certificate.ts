// The certificate of a round: what was decided and computed, and a quorum of signatures under it.
// kind (1) | version (1) | task (32) | round (4) | previous (32) | decision | model (32) | weights (32) | rule (32) |
// summary length (2) | summary | count (1) | count x (signer's index (1) | signature), ascending
// Its digest is of all before the signatures. Each signature is that of a result message, which follows from the rest.

import type { MlDsa } from "../../crypto/index.ts";
import {
  ByteReader,
  concatBytes,
  fromHex,
  isMeshError,
  ok,
  refuse,
  type Result,
  toHex,
  uint16be,
  uint32be,
} from "../../foundation/index.ts";
import type { ProtocolRefusalCode } from "../codes.ts";
import type { ParticipantId } from "../task.ts";
import { decisionDigest, encodeDecision, readDecision, readIndex } from "./decision.ts";
import { encodeUnsignedResult } from "./messages.ts";
import type { Population } from "./population.ts";
import type { Certificate, Digest } from "./types.ts";
import {
  malformed,
  messageKinds,
  PROTOCOL_VERSION,
  protocolLimits,
  readBlob,
  readDigest,
  readSignature,
  signatureContexts,
} from "./wire.ts";

type Sha256 = (data: Uint8Array) => Uint8Array;

function encodeBody(content: Omit<Certificate, "digest" | "signatures">, all: Population) {
  const { task, round, previous, decision, result, rule } = content;
  return concatBytes(
    Uint8Array.of(messageKinds.certificate, PROTOCOL_VERSION),
    fromHex(task),
    uint32be(round),
    fromHex(previous),
    encodeDecision(decision, all),
    fromHex(result.model),
    fromHex(result.weights),
    fromHex(rule),
    uint16be(result.summary.length),
    result.summary,
  );
}

/** Digest of a certificate with this content, whoever signs it. */
export function certificateDigest(
  sha256: Sha256,
  content: Omit<Certificate, "digest" | "signatures">,
  all: Population,
): Digest {
  return toHex(sha256(encodeBody(content, all)));
}

export function encodeCertificate(certificate: Certificate, all: Population): Uint8Array {
  const { signatures } = certificate;
  return concatBytes(
    encodeBody(certificate, all),
    Uint8Array.of(signatures.length),
    ...signatures.flatMap(({ nodeId, signature }) => [
      Uint8Array.of(all.indexOf(nodeId) ?? 0),
      signature,
    ]),
  );
}

/** Parses a certificate; nothing of it is proven until {@link verifyCertificate}. Codes: `learning/too-large`, `learning/malformed`. */
export function decodeCertificate(
  bytes: Uint8Array,
  all: Population,
  sha256: Sha256,
): Result<Certificate, ProtocolRefusalCode> {
  if (bytes.length > protocolLimits.messageBytes) return refuse("learning/too-large");
  try {
    return ok(readCertificate(bytes, all, sha256));
  } catch (error) {
    if (isMeshError(error)) return refuse("learning/malformed", error.message);
    throw error;
  }
}

function readCertificate(bytes: Uint8Array, all: Population, sha256: Sha256): Certificate {
  const reader = new ByteReader(bytes);
  if (reader.uint8() !== messageKinds.certificate) throw malformed("another kind");
  if (reader.uint8() !== PROTOCOL_VERSION) throw malformed("another version");
  const task = readDigest(reader);
  const round = reader.uint32be();
  if (round === 0) throw malformed("round 0");
  const previous = readDigest(reader);
  const decision = readDecision(reader, all);
  const [model, weights, rule] = [readDigest(reader), readDigest(reader), readDigest(reader)];
  const summary = readBlob(reader, protocolLimits.summaryBytes);
  const digest = toHex(sha256(bytes.subarray(0, bytes.length - reader.remaining)));
  const count = reader.uint8();
  if (count > all.ids.length) throw malformed(`${count} signatures`);
  const signatures: { nodeId: ParticipantId; signature: Uint8Array }[] = [];
  let index = -1;
  for (let i = 0; i < count; i++) {
    index = readIndex(reader, index, all.ids.length);
    signatures.push({ nodeId: all.ids[index] as string, signature: readSignature(reader).slice() });
  }
  if (reader.remaining > 0) throw malformed(`${reader.remaining} bytes too many`);
  const result = { model, weights, summary };
  return { digest, task, round, previous, decision, result, rule, signatures };
}

/** What it takes to verify. */
export interface CertificateVerifier {
  readonly sha256: Sha256;
  readonly mlDsa: Pick<MlDsa, "verify">;
  readonly publicKeyOf: (nodeId: ParticipantId) => Uint8Array | undefined;
}

/** True when a quorum of participants signed this result. That it belongs to a chain, its `previous` says. */
export function verifyCertificate(
  { sha256, mlDsa, publicKeyOf }: CertificateVerifier,
  certificate: Certificate,
  all: Population,
): boolean {
  const { decision, result, rule, signatures } = certificate;
  if (signatures.length < all.quorum) return false;
  const value = decisionDigest(sha256, certificate, encodeDecision(decision, all));
  return signatures.every(({ nodeId, signature }) => {
    const publicKey = publicKeyOf(nodeId);
    if (publicKey === undefined || all.indexOf(nodeId) === undefined) return false;
    const { task, round, previous } = certificate;
    const place = { task, round, previous, nodeId };
    const signed = encodeUnsignedResult(place, { decision: value, result, rule });
    return mlDsa.verify(publicKey, signed, signature, signatureContexts.result);
  });
}

/**
 * Checks a chain from the first round on, or from `after`.
 * Codes: `learning/wrong-chain` when a certificate does not follow the one before, `learning/bad-certificate` without a quorum.
 */
export function verifyChain(
  verifier: CertificateVerifier,
  certificates: readonly Certificate[],
  all: Population,
  after: Pick<Certificate, "digest" | "round" | "task">,
): Result<Certificate | undefined, ProtocolRefusalCode> {
  let last = after;
  for (const certificate of certificates) {
    const { task, round, previous } = certificate;
    if (task !== last.task || round !== last.round + 1 || previous !== last.digest) {
      return refuse("learning/wrong-chain", `round ${round} behind round ${last.round}`);
    }
    if (!verifyCertificate(verifier, certificate, all)) {
      return refuse("learning/bad-certificate", `round ${round}`);
    }
    last = certificate;
  }
  return ok(certificates.at(-1));
}
