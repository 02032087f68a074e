// Chains of the classical web of trust, RSA and ECDSA, verified by OpenSSL up to certificates that an operator named. For what other
// systems issue: certificates that let a node join, and bundle endpoints of other trust domains. Nodes of the mesh are not verified here.

import { type KeyObject, X509Certificate } from "node:crypto";
import { refuse, ok, type Result } from "../../foundation/index.ts";
import { type CertificateProfile, readCertificateProfile } from "../../identity/index.ts";

/** Most certificates of a chain, and most anchors. */
const CHAIN_MAX = 4;
const ANCHORS_MAX = 16;
const RSA_BITS_MIN = 2048;
const RSA_BITS_MAX = 8192;
const CURVES = ["prime256v1", "secp384r1", "secp521r1"];
/** RSA PKCS#1 and ECDSA with SHA-256, SHA-384, SHA-512. */
const SIGNATURES = [
  ...["1.2.840.113549.1.1.11", "1.2.840.113549.1.1.12", "1.2.840.113549.1.1.13"],
  ...["1.2.840.10045.4.3.2", "1.2.840.10045.4.3.3", "1.2.840.10045.4.3.4"],
];

/** A certificate as OpenSSL and our own reader see it. */
export interface ClassicalCertificate {
  readonly x509: X509Certificate;
  readonly profile: CertificateProfile;
}

/** What verified, and the anchor that it leads to. */
export interface VerifiedChain {
  readonly leaf: ClassicalCertificate;
  readonly anchor: ClassicalCertificate;
}

/** Reads a certificate; undefined when it is none, or its algorithms are too weak or unknown. */
export function readClassical(der: Uint8Array): ClassicalCertificate | undefined {
  const profile = readCertificateProfile(der);
  if (profile === undefined || !SIGNATURES.includes(profile.signatureOid)) return undefined;
  try {
    const x509 = new X509Certificate(der);
    return isStrongKey(x509.publicKey) ? { x509, profile } : undefined;
  } catch {
    return undefined; // OpenSSL reads no certificate or no key
  }
}

/** What stands between the lines of certificates in a PEM text. */
export function pemCertificates(pem: string): Uint8Array[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map(
    (block) => new Uint8Array(Buffer.from(block.replace(/-----[A-Z ]+-----/g, ""), "base64")),
  );
}

/** The certificates of a PEM text; undefined when it has none, too many, or one that {@link readClassical} refuses. */
export function readAnchors(pem: string): readonly ClassicalCertificate[] | undefined {
  const blocks = pemCertificates(pem);
  if (blocks.length === 0 || blocks.length > ANCHORS_MAX) return undefined;
  const anchors = blocks.map(readClassical);
  return anchors.every((anchor) => anchor !== undefined) ? anchors : undefined;
}

/**
 * Verifies a chain, leaf first, now (RFC 5280 section 6, without revocation and name constraints: a critical extension that is not
 * known refuses). The code says which rule broke.
 */
export function verifyClassicalChain(
  chain: readonly Uint8Array[],
  anchors: readonly ClassicalCertificate[],
  nowMs: number,
): Result<VerifiedChain, string> {
  if (chain.length === 0 || chain.length > CHAIN_MAX) return refuse("chain-length");
  const certificates: ClassicalCertificate[] = [];
  for (const der of chain) {
    const read = readClassical(der);
    if (read === undefined) return refuse("certificate");
    certificates.push(read);
  }
  const [leaf] = certificates;
  const top = certificates.at(-1);
  const anchor = top && anchors.find((candidate) => isIssuedBy(top, candidate));
  if (leaf === undefined || anchor === undefined) return refuse("untrusted");
  if (!mayAuthenticate(leaf.profile)) return refuse("leaf-usage");
  const path = [...certificates, anchor];
  for (const [index, certificate] of path.entries()) {
    if (!isTimely(certificate.x509, nowMs)) return refuse("validity");
    const issuer = path[index + 1];
    if (issuer === undefined) break;
    // `index` authorities stand between this issuer and the leaf.
    if (!maySign(issuer.profile, index)) return refuse("issuer-usage");
    if (!isIssuedBy(certificate, issuer)) return refuse("signature");
  }
  return ok({ leaf, anchor });
}

function isIssuedBy({ x509 }: ClassicalCertificate, issuer: ClassicalCertificate): boolean {
  return x509.checkIssued(issuer.x509) && x509.verify(issuer.x509.publicKey);
}

function mayAuthenticate({ isCa, keyUsage }: CertificateProfile): boolean {
  return !isCa && keyUsage?.digitalSignature !== false && keyUsage?.keyCertSign !== true;
}

function maySign({ isCa, keyUsage, pathLength }: CertificateProfile, below: number): boolean {
  return isCa && keyUsage?.keyCertSign !== false && (pathLength ?? below) >= below;
}

function isTimely({ validFromDate, validToDate }: X509Certificate, nowMs: number): boolean {
  return nowMs >= validFromDate.getTime() && nowMs <= validToDate.getTime();
}

/** Whether a key is one that signatures of it are worth something. */
function isStrongKey({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): boolean {
  if (asymmetricKeyType === "rsa") {
    const bits = asymmetricKeyDetails?.modulusLength ?? 0;
    return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX;
  }
  return asymmetricKeyType === "ec" && CURVES.includes(asymmetricKeyDetails?.namedCurve ?? "");
}
