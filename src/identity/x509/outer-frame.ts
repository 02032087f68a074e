// The bytes of a certificate that no signature covers: its outer SEQUENCE, the second algorithm identifier and the
// frame of the signature. They are compared with the one DER form they can have, because the ASN.1 library
// overlooks some changes in them (the class bits of the outermost tag), and one certificate must be one byte string.

import { concatBytes, equalBytes, fromHex } from "../../foundation/index.ts";
import type { CertificateAlgorithm } from "./algorithm.ts";

const SEQUENCE = 0x30;
const BIT_STRING = 0x03;
/** AlgorithmIdentifier of each kind of signature, parameters absent, in DER. */
const IDENTIFIERS: Readonly<Record<CertificateAlgorithm, string>> = {
  "ml-dsa-65": "300b0609608648016503040312",
  es256: "300a06082a8648ce3d040302",
};

/** Whether `der` is exactly SEQUENCE { tbs, algorithm, BIT STRING signature }. */
export function hasExactFrame(
  der: Uint8Array,
  tbs: Uint8Array,
  signature: Uint8Array,
  algorithm: CertificateAlgorithm,
): boolean {
  const signatureValue = concatBytes(
    header(BIT_STRING, signature.length + 1),
    Uint8Array.of(0),
    signature,
  );
  const content = concatBytes(tbs, fromHex(IDENTIFIERS[algorithm]), signatureValue);
  return (
    tbs[0] === SEQUENCE && equalBytes(der, concatBytes(header(SEQUENCE, content.length), content))
  );
}

function header(tag: number, length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(tag, length);
  if (length < 0x100) return Uint8Array.of(tag, 0x81, length);
  return Uint8Array.of(tag, 0x82, length >>> 8, length & 0xff);
}
