// The trust bundle of a trust domain: its root certificates, and their SPIFFE JSON form (a JWK set).
// SPIFFE_Trust_Domain_and_Bundle.md section 4, X509-SVID.md section 6; ML-DSA keys as in RFC 9964 (kty "AKP").

import type { CryptoEngine } from "../crypto/index.ts";
import {
  concatBytes,
  equalBytes,
  fromHex,
  MeshError,
  ok,
  refuse,
  type Result,
  toBase64Url,
  toHex,
  uint16be,
  utf8Bytes,
} from "../foundation/index.ts";
import { fromBareBase64Url, fromBase64, toBase64 } from "./base64.ts";
import type { IdentityErrorCode } from "./errors.ts";
import { checkAuthorityProfile } from "./profile.ts";
import { isTrustDomain } from "./spiffe-id.ts";
import { CERTIFICATE_BYTES_MAX, type ParsedCertificate } from "./x509/certificate.ts";
import { parseCertificate } from "./x509/parse.ts";

/** Most authorities of a bundle: prepared, active, two retiring. With a chain they fit an attestation response. */
export const BUNDLE_AUTHORITIES_MAX = 4;
/** Longest bundle document, in characters: four authorities take 41,000; keys of other uses may stand beside. */
export const BUNDLE_JSON_CHARS_MAX = 64 * 1024;
/** Most elements of `keys` that are looked at; other uses (JWT) stand beside ours. */
const KEYS_MAX = 32;

/** Domain separation of the bundle digest; fixed for ever. */
const DIGEST_LABEL = "x0tta6bl4 trust bundle v1";
const USE_X509_SVID = "x509-svid";
const KEY_TYPE_AKP = "AKP";
const ALGORITHM = "ML-DSA-65";

/** The roots of one trust domain. Bundles of two trust domains are never merged. */
export interface TrustBundle {
  readonly trustDomain: string;
  /** Grows with every change of the content. */
  readonly sequence: number;
  /** Root certificates, DER. None means: every SVID of the trust domain is invalid. */
  readonly authorities: readonly Uint8Array[];
  /** How often a consumer should look for a newer bundle, in seconds. */
  readonly refreshHintS?: number;
}

/**
 * SHA-256 over
 * `"x0tta6bl4 trust bundle v1" || uint16 BE length of trust domain || trust domain || uint16 BE count || digests`,
 * where `digests` are the SHA-256 of each root's DER in ascending order. The sequence and the hint are not covered:
 * the digest names what is trusted.
 */
export function bundleDigest(
  engine: Pick<CryptoEngine, "sha256">,
  bundle: TrustBundle,
): Uint8Array {
  const domain = utf8Bytes(bundle.trustDomain);
  const digests = bundle.authorities.map((der) => toHex(engine.sha256(der))).sort();
  return engine.sha256(
    concatBytes(
      utf8Bytes(DIGEST_LABEL),
      uint16be(domain.length),
      domain,
      uint16be(digests.length),
      ...digests.map(fromHex),
    ),
  );
}

/**
 * The SPIFFE JSON document of a bundle.
 * @throws MeshError `identity/bundle-malformed` when an authority is no root of the trust domain
 */
export function bundleToJson(bundle: TrustBundle): string {
  const keys = parseAuthorities(bundle).map((authority) => ({
    use: USE_X509_SVID,
    kty: KEY_TYPE_AKP,
    alg: ALGORITHM,
    pub: toBase64Url(authority.publicKey),
    x5c: [toBase64(authority.der)],
  }));
  const hint =
    bundle.refreshHintS === undefined ? {} : { spiffe_refresh_hint: bundle.refreshHintS };
  return JSON.stringify({ keys, spiffe_sequence: bundle.sequence, ...hint });
}

/**
 * Reads the SPIFFE JSON document of a trust domain's bundle. Elements with another `use` or `kty`, without `x5c`
 * or with another ML-DSA parameter set are ignored, as are all but the first `x5c` value; an element that is
 * ours and broken refuses the document. No usable element gives a bundle without authorities.
 * Code: `identity/bundle-malformed`.
 */
export function parseBundleJson(
  trustDomain: string,
  text: string,
): Result<TrustBundle, "identity/bundle-malformed"> {
  if (!isTrustDomain(trustDomain)) return malformed("trust domain");
  if (text.length > BUNDLE_JSON_CHARS_MAX) return malformed("too long");
  const document = parseObject(text);
  const keys = document?.["keys"];
  if (document === undefined || !Array.isArray(keys)) return malformed("no keys");
  if (keys.length > KEYS_MAX) return malformed("too many keys");
  const sequence = document["spiffe_sequence"] ?? 0;
  const hint = document["spiffe_refresh_hint"];
  if (!isCount(sequence) || (hint !== undefined && !isCount(hint)))
    return malformed("sequence or refresh hint");
  const authorities: Uint8Array[] = [];
  for (const key of keys) {
    const authority = readKey(trustDomain, key);
    if (authority === "broken") return malformed("an x509-svid key is no root of the trust domain");
    if (authority !== "ignored" && !authorities.some((known) => equalBytes(known, authority)))
      authorities.push(authority);
  }
  if (authorities.length > BUNDLE_AUTHORITIES_MAX) return malformed("too many authorities");
  return ok({
    trustDomain,
    sequence,
    authorities,
    ...(hint === undefined ? {} : { refreshHintS: hint }),
  });
}

/**
 * Reads and checks a bundle's roots.
 * @throws MeshError `identity/bundle-malformed`
 */
export function parseAuthorities(bundle: TrustBundle): ParsedCertificate[] {
  if (bundle.authorities.length > BUNDLE_AUTHORITIES_MAX) {
    throw bundleError(
      bundle,
      `it has ${bundle.authorities.length} authorities, at most ${BUNDLE_AUTHORITIES_MAX} are allowed`,
    );
  }
  return bundle.authorities.map((der) => {
    const authority = readAuthority(bundle.trustDomain, der);
    if (authority === undefined)
      throw bundleError(bundle, "an authority is no root of the trust domain");
    return authority;
  });
}

type KeyOutcome = Uint8Array | "ignored" | "broken";

function readKey(trustDomain: string, key: unknown): KeyOutcome {
  if (!isObject(key) || key["use"] !== USE_X509_SVID || key["kty"] !== KEY_TYPE_AKP)
    return "ignored";
  const { alg, pub, x5c } = key as { alg?: unknown; pub?: unknown; x5c?: unknown };
  if (alg !== undefined && alg !== ALGORITHM) return "ignored";
  if (!Array.isArray(x5c) || x5c.length === 0) return "ignored";
  const der = fromBase64(x5c[0], CERTIFICATE_BYTES_MAX);
  const authority = der === undefined ? undefined : readAuthority(trustDomain, der);
  if (authority === undefined) return "broken";
  return pub === undefined || isKeyText(pub, authority.publicKey) ? authority.der : "broken";
}

function readAuthority(trustDomain: string, der: Uint8Array): ParsedCertificate | undefined {
  const parsed = parseCertificate(der);
  if (!parsed.ok || !equalBytes(parsed.value.issuer, parsed.value.subject)) return undefined;
  return checkAuthorityProfile(parsed.value, trustDomain) === undefined ? parsed.value : undefined;
}

function isKeyText(text: unknown, key: Uint8Array): boolean {
  const bytes = fromBareBase64Url(text, key.length);
  return bytes !== undefined && equalBytes(bytes, key);
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined; // not JSON
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function malformed(detail: string): {
  ok: false;
  code: "identity/bundle-malformed";
  detail?: string;
} {
  return refuse("identity/bundle-malformed", detail);
}

function bundleError(bundle: TrustBundle, reason: string): MeshError<IdentityErrorCode> {
  return new MeshError<IdentityErrorCode>(
    "identity/bundle-malformed",
    `Cannot use the trust bundle of '${bundle.trustDomain}': ${reason}. Fetch the bundle from an issuer again.`,
    { trustDomain: bundle.trustDomain },
  );
}
