// A trust bundle that carries its own proof: the JSON document, signed by a root that the reader trusts already. So it may come
// from anybody. length (4) | JSON | signature; the signature covers a label, the trust domain and the JSON.

import type { CryptoEngine, MlDsaSigner } from "../../crypto/index.ts";
import { ML_DSA_65 } from "../../crypto/index.ts";
import {
  concatBytes,
  equalBytes,
  refuse,
  type Result,
  uint16be,
  uint32be,
  utf8Bytes,
  utf8Text,
} from "../../foundation/index.ts";
import {
  BUNDLE_JSON_CHARS_MAX,
  bundleToJson,
  parseAuthorities,
  parseBundleJson,
  type TrustBundle,
} from "../trust-bundle.ts";

const CONTEXT = utf8Bytes("x0tta6bl4 signed bundle v1");
const LENGTH_BYTES = 4;

/** Longest signed bundle, in bytes: its document is ASCII. */
export const SIGNED_BUNDLE_BYTES_MAX =
  LENGTH_BYTES + BUNDLE_JSON_CHARS_MAX + ML_DSA_65.signatureBytes;

/** Why a signed bundle is not taken. */
export type SignedBundleCode =
  | "identity/bundle-malformed"
  /** No root that is trusted here signed it. */
  | "identity/bundle-unsigned"
  /** Its sequence is not above the one that is held: an old bundle must not come back. */
  | "identity/bundle-stale";

export function encodeSignedBundle(bundle: TrustBundle, root: MlDsaSigner): Uint8Array {
  const json = utf8Bytes(bundleToJson(bundle));
  const signature = root.sign(signedPart(bundle.trustDomain, json), CONTEXT);
  return concatBytes(uint32be(json.length), json, signature);
}

/** The bundle, when it is newer than `held` and one of the roots in `held` signed it that is not tainted. */
export function acceptSignedBundle(
  engine: Pick<CryptoEngine, "mlDsa65">,
  held: TrustBundle,
  bytes: Uint8Array,
): Result<TrustBundle, SignedBundleCode> {
  const json = documentOf(bytes);
  if (json === undefined) return refuse("identity/bundle-malformed", "frame");
  const signature = bytes.subarray(LENGTH_BYTES + json.length);
  const message = signedPart(held.trustDomain, json);
  const tainted = new Set<string | undefined>(held.notes?.tainted);
  const isSigned = parseAuthorities(held).some(
    ({ publicKey, subjectKeyId }) =>
      !tainted.has(subjectKeyId) && engine.mlDsa65.verify(publicKey, message, signature, CONTEXT),
  );
  if (!isSigned) return refuse("identity/bundle-unsigned");
  const parsed = parseBundleJson(held.trustDomain, asciiText(json));
  if (!parsed.ok) return parsed;
  return parsed.value.sequence > held.sequence ? parsed : refuse("identity/bundle-stale");
}

/** The sequence that a signed bundle states, unverified; undefined when there is none. */
export function statedSequence(trustDomain: string, bytes: Uint8Array): number | undefined {
  const json = documentOf(bytes);
  const parsed = json && parseBundleJson(trustDomain, asciiText(json));
  return parsed?.ok === true ? parsed.value.sequence : undefined;
}

function documentOf(bytes: Uint8Array): Uint8Array | undefined {
  const json = bytes.subarray(LENGTH_BYTES, bytes.length - ML_DSA_65.signatureBytes);
  const isWhole =
    bytes.length <= SIGNED_BUNDLE_BYTES_MAX &&
    bytes.length > LENGTH_BYTES + ML_DSA_65.signatureBytes &&
    equalBytes(bytes.subarray(0, LENGTH_BYTES), uint32be(json.length));
  return isWhole ? json : undefined;
}

function signedPart(trustDomain: string, json: Uint8Array): Uint8Array {
  const domain = utf8Bytes(trustDomain);
  return concatBytes(uint16be(domain.length), domain, json);
}

/** The text of bytes that a trusted root signed; what is no UTF-8 is no JSON either. */
function asciiText(bytes: Uint8Array): string {
  try {
    return utf8Text(bytes);
  } catch {
    return "";
  }
}
