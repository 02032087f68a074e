// The trust bundle of a trust domain: its root certificates and JWT keys, and their SPIFFE JSON form (a JWK set).
// SPIFFE_Trust_Domain_and_Bundle.md section 4, X509-SVID.md section 6; ML-DSA keys as in RFC 9964 (kty "AKP").
// Nodes are verified by the ML-DSA-65 roots alone; P-256 roots and JWT keys are for workloads, which cannot all read ML-DSA yet.

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
import { type BundleNotes, isEmptyNotes, parseBundleNotes } from "./bundle-notes.ts";
import type { IdentityErrorCode } from "./errors.ts";
import { coordinatesOf, isP384PublicKey, pointOf } from "./es256.ts";
import { checkAuthorityProfile } from "./profile.ts";
import { isTrustDomain } from "./spiffe-id.ts";
import type { CertificateAlgorithm } from "./x509/algorithm.ts";
import { CERTIFICATE_BYTES_MAX, type ParsedCertificate } from "./x509/certificate.ts";
import { parseCertificate } from "./x509/parse.ts";

/** Most roots of nodes in a bundle: prepared, active, two retiring. With a chain they fit an attestation response. */
export const BUNDLE_AUTHORITIES_MAX = 4;
/** Most P-256 roots and JWT keys: each issuer has its own. */
const WORKLOAD_AUTHORITIES_MAX = 12;
/** Longest `kid`, in characters. */
const KEY_ID_CHARS_MAX = 128;
/** Longest bundle document, in characters: with as much of all as there may be it takes 70,000; other uses may stand beside. */
export const BUNDLE_JSON_CHARS_MAX = 96 * 1024;
/** Most elements of `keys` that are looked at; other uses and algorithms stand beside ours. */
const KEYS_MAX = 32;

/** Domain separation of the bundle digest; fixed for ever. */
const DIGEST_LABEL = "x0tta6bl4 trust bundle v1";
const USE_X509_SVID = "x509-svid";
const USE_JWT_SVID = "jwt-svid";
const KEY_TYPE_AKP = "AKP";
const KEY_TYPE_EC = "EC";
const ALGORITHM = "ML-DSA-65";
const ALGORITHM_ES256 = "ES256";
const CURVE = "P-256";
const ALGORITHM_ES384 = "ES384";
const CURVE_ES384 = "P-384";
const NOTES = "x0tta6bl4_notes";

/** A key that signs JWT-SVIDs. */
export interface JwtAuthority {
  /** Unique in the bundle. */
  readonly keyId: string;
  /** An uncompressed point of P-256, or of P-384. */
  readonly publicKey: Uint8Array;
}

/** The roots and JWT keys of one trust domain. Bundles of two trust domains are never merged. */
export interface TrustBundle {
  readonly trustDomain: string;
  /** Grows with every change of the content. */
  readonly sequence: number;
  /** ML-DSA-65 root certificates, DER. None means: every node of the trust domain is invalid. */
  readonly authorities: readonly Uint8Array[];
  /** P-256 root certificates, DER, for workloads only. @default none */
  readonly workloadAuthorities?: readonly Uint8Array[];
  /** @default none: every JWT-SVID of the trust domain is invalid */
  readonly jwtAuthorities?: readonly JwtAuthority[];
  /** How often a consumer should look for a newer bundle, in seconds. */
  readonly refreshHintS?: number;
  /** For the trust domain's own nodes. @default none */
  readonly notes?: BundleNotes;
}

/**
 * SHA-256 over
 * `"x0tta6bl4 trust bundle v1" || uint16 BE length of trust domain || trust domain || uint16 BE count || digests`,
 * where `digests` are the SHA-256 of each root's DER in ascending order. Of the bundle
 * only the roots of nodes are covered: they vouch for all else.
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
  const roots = parseAuthorities(bundle).map((authority) => ({
    use: USE_X509_SVID,
    kty: KEY_TYPE_AKP,
    alg: ALGORITHM,
    pub: toBase64Url(authority.publicKey),
    x5c: [toBase64(authority.der)],
  }));
  const workloadRoots = parseWorkloadAuthorities(bundle).map(({ der, publicKey }) => ({
    use: USE_X509_SVID,
    ...pointToJwk(publicKey),
    x5c: [toBase64(der)],
  }));
  const keys = [...roots, ...workloadRoots, ...jwtKeys(bundle)];
  const hint =
    bundle.refreshHintS === undefined ? {} : { spiffe_refresh_hint: bundle.refreshHintS };
  const notes = bundle.notes === undefined ? {} : { [NOTES]: bundle.notes };
  return JSON.stringify({ keys, spiffe_sequence: bundle.sequence, ...hint, ...notes });
}

/** What other trust domains get: without the notes for our own nodes. */
export function publicBundle({ notes: _, ...bundle }: TrustBundle): TrustBundle {
  return bundle;
}

/**
 * The JWK set of the JWT keys alone, as workloads get it.
 */
export function jwtBundleToJson(bundle: TrustBundle): string {
  return JSON.stringify({ keys: jwtKeys(bundle) });
}

/**
 * Reads the SPIFFE JSON document of a trust domain's bundle. Elements with another `use` or `kty`, without `x5c` (or `kid`,
 * for JWT keys), with another ML-DSA parameter set or another curve are ignored, as are all but the first `x5c` value; an
 * element that is ours and broken refuses the document. No usable element gives a bundle without authorities.
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
  const notes = parseBundleNotes(document[NOTES]);
  if (notes === undefined) return malformed("notes");
  const authorities: Uint8Array[] = [];
  const workloadAuthorities: Uint8Array[] = [];
  const jwtAuthorities: JwtAuthority[] = [];
  for (const key of keys) {
    const read = readKey(trustDomain, key);
    if (read === "broken")
      return malformed("an x509-svid key is no root of the trust domain, or a jwt-svid key no key");
    if (read === "ignored") continue;
    if (read.use === USE_JWT_SVID) {
      if (jwtAuthorities.some(({ keyId }) => keyId === read.key.keyId))
        return malformed("two jwt-svid keys have one kid");
      jwtAuthorities.push(read.key);
      continue;
    }
    const list = read.algorithm === "es256" ? workloadAuthorities : authorities;
    if (!list.some((known) => equalBytes(known, read.der))) list.push(read.der);
  }
  if (isTooLong(authorities) || [workloadAuthorities, jwtAuthorities].some(isTooLongForWorkloads))
    return malformed("too many authorities");
  return ok({
    trustDomain,
    sequence,
    authorities,
    ...(workloadAuthorities.length === 0 ? {} : { workloadAuthorities }),
    ...(jwtAuthorities.length === 0 ? {} : { jwtAuthorities }),
    ...(hint === undefined ? {} : { refreshHintS: hint }),
    ...(isEmptyNotes(notes) ? {} : { notes }),
  });
}

/** A bundle of the roots among certificates of a trust domain, by the algorithms that are known here; at most four of each. */
export function bundleOfRoots(
  trustDomain: string,
  certificates: readonly Uint8Array[],
  sequence: number,
): TrustBundle {
  const roots = (algorithm: CertificateAlgorithm): readonly Uint8Array[] =>
    certificates
      .filter((der) => readAuthority(trustDomain, der, algorithm) !== undefined)
      .slice(0, BUNDLE_AUTHORITIES_MAX);
  const workloadAuthorities = roots("es256");
  const more = workloadAuthorities.length === 0 ? {} : { workloadAuthorities };
  return { trustDomain, sequence, authorities: roots("ml-dsa-65"), ...more };
}

/**
 * Reads and checks the roots of a bundle's nodes.
 * @throws MeshError `identity/bundle-malformed`
 */
export function parseAuthorities(bundle: TrustBundle): ParsedCertificate[] {
  return parseRoots(bundle, bundle.authorities, "ml-dsa-65");
}

/**
 * Reads and checks the P-256 roots of a bundle.
 * @throws MeshError `identity/bundle-malformed`
 */
export function parseWorkloadAuthorities(bundle: TrustBundle): ParsedCertificate[] {
  return parseRoots(bundle, bundle.workloadAuthorities ?? [], "es256");
}

/** Key identifiers of all roots of a bundle. @throws MeshError `identity/bundle-malformed` */
export function rootIdsOf(bundle: TrustBundle): string[] {
  const roots = [...parseAuthorities(bundle), ...parseWorkloadAuthorities(bundle)];
  return roots.flatMap(({ subjectKeyId }) => subjectKeyId ?? []);
}

/** Whether new things may hang on a root: it is in the bundle, and not tainted. @throws MeshError `identity/bundle-malformed` */
export function isSoundRoot(bundle: TrustBundle, id: string): boolean {
  return rootIdsOf(bundle).includes(id) && bundle.notes?.tainted.includes(id) !== true;
}

function parseRoots(
  bundle: TrustBundle,
  roots: readonly Uint8Array[],
  algorithm: CertificateAlgorithm,
): ParsedCertificate[] {
  if (algorithm === "es256" ? isTooLongForWorkloads(roots) : isTooLong(roots))
    throw bundleError(bundle, `it has ${roots.length} authorities, which is too many`);
  return roots.map((der) => {
    const authority = readAuthority(bundle.trustDomain, der, algorithm);
    if (authority === undefined)
      throw bundleError(bundle, "an authority is no root of the trust domain");
    return authority;
  });
}

function isTooLong(list: readonly unknown[]): boolean {
  return list.length > BUNDLE_AUTHORITIES_MAX;
}

function isTooLongForWorkloads(list: readonly unknown[]): boolean {
  return list.length > WORKLOAD_AUTHORITIES_MAX;
}

function pointToJwk(publicKey: Uint8Array): Readonly<Record<string, string>> {
  const { x, y } = coordinatesOf(publicKey);
  const crv = isP384PublicKey(publicKey) ? CURVE_ES384 : CURVE;
  return { kty: KEY_TYPE_EC, crv, x: toBase64Url(x), y: toBase64Url(y) };
}

function jwtKeys({ jwtAuthorities = [] }: TrustBundle): Readonly<Record<string, string>>[] {
  return jwtAuthorities.map(({ keyId, publicKey }) => ({
    use: USE_JWT_SVID,
    kid: keyId,
    alg: isP384PublicKey(publicKey) ? ALGORITHM_ES384 : ALGORITHM_ES256,
    ...pointToJwk(publicKey),
  }));
}

type KeyOutcome =
  | {
      readonly use: typeof USE_X509_SVID;
      readonly algorithm: CertificateAlgorithm;
      readonly der: Uint8Array;
    }
  | { readonly use: typeof USE_JWT_SVID; readonly key: JwtAuthority }
  | "ignored"
  | "broken";

type Jwk = Readonly<Record<string, unknown>>;

function readKey(trustDomain: string, key: unknown): KeyOutcome {
  if (!isObject(key)) return "ignored";
  if (key["use"] === USE_JWT_SVID) return readJwtKey(key);
  const algorithm = algorithmOfKey(key);
  if (algorithm === undefined) return "ignored";
  return key["use"] === USE_X509_SVID ? readRoot(trustDomain, key, algorithm) : "ignored";
}

function algorithmOfKey({ kty, alg, crv }: Jwk): CertificateAlgorithm | undefined {
  if (kty === KEY_TYPE_AKP) return alg === undefined || alg === ALGORITHM ? "ml-dsa-65" : undefined;
  return kty === KEY_TYPE_EC && crv === CURVE ? "es256" : undefined;
}

function readRoot(trustDomain: string, key: Jwk, algorithm: CertificateAlgorithm): KeyOutcome {
  const { pub, x5c } = key;
  if (!Array.isArray(x5c) || x5c.length === 0) return "ignored";
  const der = fromBase64(x5c[0], CERTIFICATE_BYTES_MAX);
  const authority = der === undefined ? undefined : readAuthority(trustDomain, der, algorithm);
  if (authority === undefined) return "broken";
  if (pub !== undefined && !isKeyText(pub, authority.publicKey)) return "broken";
  return { use: USE_X509_SVID, algorithm, der: authority.der };
}

/** Curves of keys for JWT-SVIDs. */
const jwtCurves: Readonly<Record<string, { readonly alg: string; readonly bytes: number }>> = {
  [CURVE]: { alg: ALGORITHM_ES256, bytes: 32 },
  [CURVE_ES384]: { alg: ALGORITHM_ES384, bytes: 48 },
};

function readJwtKey({ kty, crv, kid, alg, x, y }: Jwk): KeyOutcome {
  const isCurve = typeof crv === "string" && Object.hasOwn(jwtCurves, crv);
  const curve = kty === KEY_TYPE_EC && isCurve ? jwtCurves[crv] : undefined;
  if (curve === undefined) return "ignored";
  if (typeof kid !== "string" || kid === "") return "ignored";
  if (alg !== undefined && alg !== curve.alg) return "ignored";
  const [left, right] = [x, y].map((part) => fromBareBase64Url(part, curve.bytes));
  const publicKey = pointOf(left, right, curve.bytes);
  if (publicKey === undefined || kid.length > KEY_ID_CHARS_MAX) return "broken";
  return { use: USE_JWT_SVID, key: { keyId: kid, publicKey } };
}

function readAuthority(
  trustDomain: string,
  der: Uint8Array,
  algorithm: CertificateAlgorithm,
): ParsedCertificate | undefined {
  const parsed = parseCertificate(der, algorithm);
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
