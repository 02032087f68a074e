// Reads a certificate: bounds, strict DER, then the ASN.1 library, then the few fields that our rules ask for.
// What is not understood and critical refuses the certificate (RFC 5280 section 4.2).

import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import {
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  type Extension,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  type Time,
  Version,
} from "@peculiar/asn1-x509";
import { ok, refuse, type Result, toHex } from "../../foundation/index.ts";
import type { WallMs } from "../../ports/index.ts";
import { NODE_ID_BYTES } from "../node-keys.ts";
import { readSelectorLines } from "../node-selectors.ts";
import { algorithmOf, type CertificateAlgorithm, isWellFormed } from "./algorithm.ts";
import {
  CERTIFICATE_BYTES_MAX,
  EXTENSION_BYTES_MAX,
  EXTENSIONS_MAX,
  type KeyUsageView,
  type ParsedCertificate,
  SUBJECT_ALT_NAMES_MAX,
} from "./certificate.ts";
import { isStrictDer } from "./der.ts";
import { OID_NODE_ID_AS_READ, OID_NODE_SELECTORS_AS_READ } from "./oids.ts";
import { hasExactFrame } from "./outer-frame.ts";

/** Codes of {@link parseCertificate}. */
export type ParseErrorCode = "identity/certificate-malformed" | "identity/algorithm-unsupported";

/** Longest serial number (RFC 5280 section 4.1.2.2). */
const SERIAL_BYTES_MAX = 20;
const KEY_ID_BYTES_MAX = 32;
const EXTENDED_KEY_USAGES_MAX = 8;

const FORBIDDEN_USAGE =
  KeyUsageFlags.keyEncipherment |
  KeyUsageFlags.dataEncipherment |
  KeyUsageFlags.keyAgreement |
  KeyUsageFlags.encipherOnly |
  KeyUsageFlags.decipherOnly;

/**
 * Reads one certificate of at most 8 KiB, whose key and signature are of the kind asked for. Verifies no signature.
 * Codes: `identity/certificate-malformed`, `identity/algorithm-unsupported`.
 */
export function parseCertificate(
  der: Uint8Array,
  algorithm: CertificateAlgorithm = "ml-dsa-65",
): Result<ParsedCertificate, ParseErrorCode> {
  if (der.length === 0 || der.length > CERTIFICATE_BYTES_MAX) {
    return refuse("identity/certificate-malformed", "length out of bounds");
  }
  if (!isStrictDer(der)) return refuse("identity/certificate-malformed", "not DER");
  try {
    return read(der, AsnConvert.parse(der, Certificate), algorithm);
  } catch (error) {
    // The library reports every schema mismatch with errors of its own; all mean the same to us.
    return refuse(
      "identity/certificate-malformed",
      error instanceof Error ? error.message : "unreadable",
    );
  }
}

/** What a certificate of any algorithm says of its use, and which algorithm signed it. Its signature is for others to check. */
export type CertificateProfile = ExtensionFields & { readonly signatureOid: string };

/**
 * Reads the extensions of a certificate of any algorithm, with the same bounds and strictness; undefined when it breaks a rule or
 * has a critical extension that is not known here.
 */
export function readCertificateProfile(der: Uint8Array): CertificateProfile | undefined {
  if (der.length === 0 || der.length > CERTIFICATE_BYTES_MAX || !isStrictDer(der)) return undefined;
  try {
    const { tbsCertificate: tbs, signatureAlgorithm } = AsnConvert.parse(der, Certificate);
    const fields = readExtensions(tbs.extensions ?? []);
    const { algorithm: signatureOid } = signatureAlgorithm;
    const isSame = tbs.signature.algorithm === signatureOid && tbs.version === Version.v3;
    return fields && isSame ? { ...fields, signatureOid } : undefined;
  } catch {
    return undefined; // the library's errors all mean that it is no certificate
  }
}

function read(
  der: Uint8Array,
  certificate: Certificate,
  algorithm: CertificateAlgorithm,
): Result<ParsedCertificate, ParseErrorCode> {
  const tbs = certificate.tbsCertificate;
  const key = tbs.subjectPublicKeyInfo;
  if (
    [tbs.signature, certificate.signatureAlgorithm].some(
      (signature) => algorithmOf(signature, key.algorithm) !== algorithm,
    )
  ) {
    return refuse("identity/algorithm-unsupported", certificate.signatureAlgorithm.algorithm);
  }
  const serial = new Uint8Array(tbs.serialNumber);
  const signature = new Uint8Array(certificate.signatureValue);
  const publicKey = new Uint8Array(key.subjectPublicKey);
  if (
    tbs.version !== Version.v3 ||
    tbs.issuerUniqueID !== undefined ||
    tbs.subjectUniqueID !== undefined ||
    certificate.tbsCertificateRaw === undefined ||
    !isSerial(serial) ||
    !isWellFormed(algorithm, publicKey, signature)
  ) {
    return refuse("identity/certificate-malformed", "version, serial number, key or signature");
  }
  const tbsBytes = new Uint8Array(certificate.tbsCertificateRaw);
  if (!hasExactFrame(der, tbsBytes, signature, algorithm)) {
    return refuse("identity/certificate-malformed", "outer frame");
  }
  const extensions = readExtensions(tbs.extensions ?? []);
  if (extensions === undefined) return refuse("identity/certificate-malformed", "extensions");
  return ok({
    der,
    tbs: tbsBytes,
    signature,
    publicKey,
    serialNumber: toHex(serial),
    issuer: new Uint8Array(AsnConvert.serialize(tbs.issuer)),
    subject: new Uint8Array(AsnConvert.serialize(tbs.subject)),
    subjectEmpty: tbs.subject.length === 0,
    notBeforeMs: timeMs(tbs.validity.notBefore),
    notAfterMs: timeMs(tbs.validity.notAfter),
    ...extensions,
  });
}

/** The fields of {@link ParsedCertificate} that come from extensions. */
type ExtensionFields = Pick<
  ParsedCertificate,
  | "isCa"
  | "basicConstraintsCritical"
  | "pathLength"
  | "keyUsage"
  | "extendedKeyUsage"
  | "uris"
  | "dnsNames"
  | "subjectAltNameCritical"
  | "subjectKeyId"
  | "authorityKeyId"
  | "nodeId"
  | "nodeSelectors"
>;

/** Each known extension: its value into the fields; false refuses the certificate. */
const READERS: Readonly<
  Record<string, (value: Uint8Array, critical: boolean) => Partial<ExtensionFields> | undefined>
> = {
  [id_ce_basicConstraints]: (value, critical) => {
    const constraints = AsnConvert.parse(value, BasicConstraints);
    const pathLength = constraints.pathLenConstraint;
    if (
      pathLength !== undefined &&
      (!constraints.cA || !Number.isSafeInteger(pathLength) || pathLength < 0)
    )
      return undefined;
    return { isCa: constraints.cA, basicConstraintsCritical: critical, pathLength };
  },
  [id_ce_keyUsage]: (value, critical) => ({
    keyUsage: readKeyUsage(AsnConvert.parse(value, KeyUsage), critical),
  }),
  [id_ce_extKeyUsage]: (value) => {
    const usages = [...AsnConvert.parse(value, ExtendedKeyUsage)];
    return usages.length >= 1 && usages.length <= EXTENDED_KEY_USAGES_MAX
      ? { extendedKeyUsage: usages }
      : undefined;
  },
  [id_ce_subjectAltName]: (value, critical) => {
    const names = [...AsnConvert.parse(value, SubjectAlternativeName)];
    if (names.length === 0 || names.length > SUBJECT_ALT_NAMES_MAX) return undefined;
    const uris = names.flatMap(({ uniformResourceIdentifier: uri }) =>
      uri === undefined ? [] : [uri],
    );
    const dnsNames = names.flatMap(({ dNSName }) => (dNSName === undefined ? [] : [dNSName]));
    return { uris, dnsNames, subjectAltNameCritical: critical };
  },
  [id_ce_subjectKeyIdentifier]: (value) => {
    const keyId = readKeyId(AsnConvert.parse(value, SubjectKeyIdentifier));
    return keyId === undefined ? undefined : { subjectKeyId: keyId };
  },
  [id_ce_authorityKeyIdentifier]: (value) => {
    const keyId = AsnConvert.parse(value, AuthorityKeyIdentifier).keyIdentifier;
    if (keyId === undefined) return {};
    const authorityKeyId = readKeyId(keyId);
    return authorityKeyId === undefined ? undefined : { authorityKeyId };
  },
  [OID_NODE_ID_AS_READ]: (value) => {
    const nodeId = AsnConvert.parse(value, OctetString);
    return nodeId.byteLength === NODE_ID_BYTES
      ? { nodeId: toHex(new Uint8Array(nodeId.buffer)) }
      : undefined;
  },
  [OID_NODE_SELECTORS_AS_READ]: (value) => {
    const lines = new Uint8Array(AsnConvert.parse(value, OctetString).buffer);
    const nodeSelectors = readSelectorLines(String.fromCharCode(...lines));
    return nodeSelectors && { nodeSelectors };
  },
};

function readExtensions(extensions: readonly Extension[]): ExtensionFields | undefined {
  if (extensions.length > EXTENSIONS_MAX) return undefined;
  const seen = new Set<string>();
  let fields: ExtensionFields = {
    isCa: false,
    basicConstraintsCritical: false,
    pathLength: undefined,
    keyUsage: undefined,
    extendedKeyUsage: undefined,
    uris: [],
    dnsNames: [],
    subjectAltNameCritical: false,
    subjectKeyId: undefined,
    authorityKeyId: undefined,
    nodeId: undefined,
    nodeSelectors: [],
  };
  for (const { extnID, critical, extnValue } of extensions) {
    const value = new Uint8Array(extnValue.buffer);
    if (seen.has(extnID) || value.length > EXTENSION_BYTES_MAX) return undefined;
    seen.add(extnID);
    const reader = Object.hasOwn(READERS, extnID) ? READERS[extnID] : undefined;
    if (reader === undefined) {
      if (critical) return undefined;
      continue;
    }
    const read = isStrictDer(value) ? reader(value, critical) : undefined;
    if (read === undefined) return undefined;
    fields = { ...fields, ...read };
  }
  return fields;
}

function readKeyUsage(usage: KeyUsage, critical: boolean): KeyUsageView {
  const bits = usage.toNumber();
  return {
    critical,
    digitalSignature: (bits & KeyUsageFlags.digitalSignature) !== 0,
    nonRepudiation: (bits & KeyUsageFlags.nonRepudiation) !== 0,
    keyCertSign: (bits & KeyUsageFlags.keyCertSign) !== 0,
    cRLSign: (bits & KeyUsageFlags.cRLSign) !== 0,
    encrypts: (bits & FORBIDDEN_USAGE) !== 0,
  };
}

function readKeyId(keyId: OctetString): string | undefined {
  const bytes = new Uint8Array(keyId.buffer);
  return bytes.length >= 1 && bytes.length <= KEY_ID_BYTES_MAX ? toHex(bytes) : undefined;
}

function isSerial(serial: Uint8Array): boolean {
  const [first = 0x80] = serial;
  return serial.length <= SERIAL_BYTES_MAX && first < 0x80 && serial.some((byte) => byte !== 0);
}

function timeMs(time: Time): WallMs {
  return time.getTime().getTime() as WallMs;
}
