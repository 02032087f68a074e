// What we read of a certificate, and the bounds within which we read it.

import type { WallMs } from "../../ports/index.ts";

/** Longest certificate, in bytes of DER: an ML-DSA-65 leaf takes about 5.6 KiB. */
export const CERTIFICATE_BYTES_MAX = 8192;
/** Most extensions of a certificate. */
export const EXTENSIONS_MAX = 16;
/** Longest value of an extension, in bytes: a SAN with the longest SPIFFE id and some DNS names. */
export const EXTENSION_BYTES_MAX = 4096;
/** Most names in a subject alternative name. */
export const SUBJECT_ALT_NAMES_MAX = 16;

/** Key usage, as far as a rule asks for it. */
export interface KeyUsageView {
  readonly critical: boolean;
  readonly digitalSignature: boolean;
  readonly nonRepudiation: boolean;
  readonly keyCertSign: boolean;
  readonly cRLSign: boolean;
  /** One of keyEncipherment, dataEncipherment, keyAgreement, encipherOnly, decipherOnly: RFC 9881 section 5 forbids all. */
  readonly encrypts: boolean;
}

/** A certificate that was read and whose signature nobody has checked yet. Views share memory with `der`. */
export interface ParsedCertificate {
  /** As received. */
  readonly der: Uint8Array;
  /** The signed part, as received. */
  readonly tbs: Uint8Array;
  /** 3309 bytes of ML-DSA-65, or the DER of an ECDSA signature. */
  readonly signature: Uint8Array;
  /** 1952 bytes of ML-DSA-65, or an uncompressed point of P-256. */
  readonly publicKey: Uint8Array;
  /** Lower-case hex. */
  readonly serialNumber: string;
  /** DER of the names. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly subjectEmpty: boolean;
  readonly notBeforeMs: WallMs;
  readonly notAfterMs: WallMs;
  /** False when the extension is absent (its default). */
  readonly isCa: boolean;
  readonly basicConstraintsCritical: boolean;
  readonly pathLength: number | undefined;
  readonly keyUsage: KeyUsageView | undefined;
  /** OIDs; undefined when the extension is absent. */
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  readonly subjectAltNameCritical: boolean;
  /** Lower-case hex. */
  readonly subjectKeyId: string | undefined;
  readonly authorityKeyId: string | undefined;
  /** Lower-case hex of the NodeId extension; a claim until the issuer's signature is verified. */
  readonly nodeId: string | undefined;
  /** What an attestor found out about the node; a claim likewise. */
  readonly nodeSelectors: readonly string[];
}
