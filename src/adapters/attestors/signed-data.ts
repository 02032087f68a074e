// PKCS#7 SignedData (RFC 5652 section 5) with its content inside, one signer, SHA-256 and RSA: the form of a cloud's instance identity
// document. Which key is believed, the caller says; certificates in the message are not looked at.

import { createHash, type KeyObject, verify } from "node:crypto";
import { equalBytes, fromHex, refuse, ok, type Result } from "../../foundation/index.ts";
import { type BerElement, octetsOf, readBer } from "./ber.ts";

const SEQUENCE = 0x30;
const SET = 0x31;
const OID = 0x06;
const OCTET_STRING = 0x04;
/** In pieces. */
const OCTET_STRINGS = 0x24;
const CONTEXT_0 = 0xa0;

// Object identifiers as their content octets.
const SIGNED_DATA = fromHex("2a864886f70d010702");
const DATA = fromHex("2a864886f70d010701");
const SHA256 = fromHex("608648016503040201");
const RSA = fromHex("2a864886f70d010101");
const SHA256_WITH_RSA = fromHex("2a864886f70d01010b");
const CONTENT_TYPE = fromHex("2a864886f70d010903");
const MESSAGE_DIGEST = fromHex("2a864886f70d010904");

/** The content that one of the keys has signed. The code says which rule broke. */
export function openSignedData(
  message: Uint8Array,
  keys: readonly KeyObject[],
): Result<Uint8Array, string> {
  const [type, wrapped] = partsOf(readBer(message), SEQUENCE);
  const [, , encapsulated, ...rest] = partsOf(wrapped?.parts[0], SEQUENCE);
  const [contentType, explicit] = partsOf(encapsulated, SEQUENCE);
  const inner = explicit?.tag === CONTEXT_0 ? explicit.parts[0] : undefined;
  const content =
    inner?.tag === OCTET_STRING || inner?.tag === OCTET_STRINGS ? octetsOf(inner) : undefined;
  const signers = rest.at(-1);
  const [signer] = partsOf(signers, SET);
  if (!isOid(type, SIGNED_DATA) || !isOid(contentType, DATA)) return refuse("no-signed-data");
  if (content === undefined || signers?.parts.length !== 1) return refuse("content-or-signers");

  const [, , digestAlgorithm, ...fields] = partsOf(signer, SEQUENCE);
  const attributes = fields[0]?.tag === CONTEXT_0 ? fields.shift() : undefined;
  const [signatureAlgorithm, signature] = fields;
  const algorithm = signatureAlgorithm?.parts[0];
  if (!isOid(digestAlgorithm?.parts[0], SHA256)) return refuse("digest-algorithm");
  if (!isOid(algorithm, RSA) && !isOid(algorithm, SHA256_WITH_RSA))
    return refuse("signature-algorithm");
  if (signature?.tag !== OCTET_STRING) return refuse("signature");
  const signed = attributes === undefined ? content : signedAttributes(attributes, content);
  if (signed === undefined) return refuse("signed-attributes");
  const isValid = keys.some((key) => verify("sha256", signed, key, signature.content));
  return isValid ? ok(content) : refuse("signature");
}

/** What was signed in place of the content: the attributes as a SET, one of which is the content's digest. */
function signedAttributes(attributes: BerElement, content: Uint8Array): Uint8Array | undefined {
  const valuesOf = (oid: Uint8Array): readonly BerElement[] => {
    const found = attributes.parts.filter((attribute) => isOid(attribute.parts[0], oid));
    return found.length === 1 ? (found[0]?.parts[1]?.parts ?? []) : [];
  };
  const [type, ...moreTypes] = valuesOf(CONTENT_TYPE);
  const [digest, ...moreDigests] = valuesOf(MESSAGE_DIGEST);
  const expected = createHash("sha256").update(content).digest();
  const isContents =
    moreTypes.length + moreDigests.length === 0 &&
    isOid(type, DATA) &&
    digest?.tag === OCTET_STRING &&
    equalBytes(digest.content, expected);
  if (!isContents || !attributes.isDefinite) return undefined;
  const encoded = Uint8Array.from(attributes.encoded);
  encoded[0] = SET;
  return encoded;
}

function partsOf(element: BerElement | undefined, tag: number): readonly BerElement[] {
  return element?.tag === tag ? element.parts : [];
}

function isOid(element: BerElement | undefined, oid: Uint8Array): boolean {
  return element?.tag === OID && equalBytes(element.content, oid);
}
