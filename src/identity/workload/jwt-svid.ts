// JWT-SVIDs: made with ES256, validated with ES256 and ES384. JWT-SVID.md sections 2 to 4; compact serialisation (RFC 7515 section 7.1).
// A token is bounded, then its header is judged, and only then is anything else of it looked at.

import { fromBareBase64Url } from "../base64.ts";
import {
  refuse,
  ok,
  type Result,
  toBase64Url,
  utf8Bytes,
  utf8Text,
} from "../../foundation/index.ts";
import type { WallMs } from "../../ports/index.ts";
import type { Es256, Es256Signer } from "../es256.ts";
import { formatSpiffeId, parseSpiffeId } from "../spiffe-id.ts";
import type { TrustBundle } from "../trust-bundle.ts";

/** Longest token, in characters. */
export const JWT_CHARS_MAX = 16 * 1024;
/** Most audiences of a token, and the longest, in characters. */
export const AUDIENCES_MAX = 16;
export const AUDIENCE_CHARS_MAX = 1024;

const ALGORITHM = "ES256";
/** What is validated: bytes of the key and of the signature. */
const algorithms: Readonly<Record<string, { readonly key: number; readonly signature: number }>> = {
  [ALGORITHM]: { key: 65, signature: 64 },
  ES384: { key: 97, signature: 96 },
};
const HEADER_MEMBERS = ["alg", "kid", "typ"];
const TYPES: readonly unknown[] = [undefined, "JWT", "JOSE"];

/** Why a token is not accepted. */
export type JwtErrorCode =
  /** No compact JWS of three parts, too long, or its parts are no JSON objects. */
  | "identity/jwt-malformed"
  /** The algorithm is none that JWT-SVIDs may have here. */
  | "identity/jwt-algorithm"
  /** The header has other members than alg, kid and typ, or a wrong one. */
  | "identity/jwt-header"
  /** The subject is no SPIFFE id. */
  | "identity/jwt-subject"
  /** The audience is missing or another one. */
  | "identity/jwt-audience"
  /** There is no time of expiry, or it is over. */
  | "identity/jwt-expired"
  /** It is not valid yet. */
  | "identity/jwt-early"
  /** No bundle of the subject's trust domain is here, or no key of it has the token's kid. */
  | "identity/jwt-untrusted"
  /** The signature does not verify. */
  | "identity/jwt-signature";

/** A token whose holder may be believed. */
export interface ValidatedJwt {
  readonly spiffeId: string;
  /** All claims, as they stand in the token. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** A token for `audience`, signed; valid from now on. Times are whole seconds. */
export function signJwtSvid(
  authority: { readonly keyId: string; readonly signer: Es256Signer },
  content: {
    readonly spiffeId: string;
    readonly audience: readonly string[];
    readonly nowMs: WallMs;
    readonly lifetimeMs: number;
  },
): string {
  const iat = Math.floor(content.nowMs / 1000);
  const exp = Math.floor((content.nowMs + content.lifetimeMs) / 1000);
  const header = { alg: ALGORITHM, kid: authority.keyId, typ: "JWT" };
  const claims = { sub: content.spiffeId, aud: content.audience, exp, iat };
  const input = `${part(header)}.${part(claims)}`;
  return `${input}.${toBase64Url(authority.signer.sign(utf8Bytes(input)))}`;
}

/** Validates a token for one audience. Codes: {@link JwtErrorCode}. */
export function validateJwtSvid(input: {
  readonly es256: Pick<Es256, "verify">;
  readonly token: string;
  readonly audience: string;
  /** The bundle of a trust domain; keys of one never vouch for another. */
  readonly bundleOf: (trustDomain: string) => TrustBundle | undefined;
  readonly nowMs: WallMs;
  readonly clockSkewMs?: number;
}): Result<ValidatedJwt, JwtErrorCode> {
  const { token, es256 } = input;
  // 1. Bounds and form.
  if (token.length > JWT_CHARS_MAX) return refuse("identity/jwt-malformed", "too long");
  const [head, body, tail, ...more] = token.split(".");
  if (head === undefined || body === undefined || tail === undefined || more.length > 0)
    return refuse("identity/jwt-malformed", "not three parts");
  // 2. The header, the algorithm first.
  const header = jsonPart(head);
  if (header === undefined) return refuse("identity/jwt-malformed", "header");
  const { alg } = header;
  const algorithm =
    typeof alg === "string" && Object.hasOwn(algorithms, alg) ? algorithms[alg] : undefined;
  if (algorithm === undefined) return refuse("identity/jwt-algorithm");
  const { kid, typ } = header;
  const isKnown = Object.keys(header).every((member) => HEADER_MEMBERS.includes(member));
  if (!isKnown || !isTextOrAbsent(kid) || !TYPES.includes(typ))
    return refuse("identity/jwt-header");
  // 3. The claims.
  const claims = jsonPart(body);
  const signature = fromBareBase64Url(tail, algorithm.signature);
  if (claims === undefined || signature === undefined) return refuse("identity/jwt-malformed");
  const subject = parseSpiffeId(typeof claims["sub"] === "string" ? claims["sub"] : "");
  if (!subject.ok) return refuse("identity/jwt-subject");
  const problem = claimProblem(claims, input);
  if (problem !== undefined) return refuse(problem);
  // 4. A key of the subject's own trust domain, and the signature.
  const { jwtAuthorities = [] } = input.bundleOf(subject.value.trustDomain) ?? {};
  const named = jwtAuthorities.filter(({ keyId }) => kid === undefined || keyId === kid);
  if (named.length === 0) return refuse("identity/jwt-untrusted");
  // A key is for its own algorithm: what a token says never makes it another's.
  const keys = named.filter(({ publicKey }) => publicKey.length === algorithm.key);
  const message = utf8Bytes(`${head}.${body}`);
  if (!keys.some(({ publicKey }) => es256.verify(publicKey, message, signature)))
    return refuse("identity/jwt-signature");
  return ok({ spiffeId: formatSpiffeId(subject.value), claims });
}

function claimProblem(
  { aud, exp, nbf }: Readonly<Record<string, unknown>>,
  input: { readonly audience: string; readonly nowMs: WallMs; readonly clockSkewMs?: number },
): JwtErrorCode | undefined {
  const { audience, nowMs, clockSkewMs = 0 } = input;
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (audience === "" || !audiences.includes(audience)) return "identity/jwt-audience";
  if (typeof exp !== "number" || !(exp * 1000 > nowMs - clockSkewMs)) return "identity/jwt-expired";
  if (nbf !== undefined && !(typeof nbf === "number" && nbf * 1000 <= nowMs + clockSkewMs))
    return "identity/jwt-early";
  return undefined;
}

function isTextOrAbsent(value: unknown): boolean {
  return value === undefined || typeof value === "string";
}

function part(value: object): string {
  return toBase64Url(utf8Bytes(JSON.stringify(value)));
}

/** The JSON object of a part. */
function jsonPart(text: string): Readonly<Record<string, unknown>> | undefined {
  const bytes = fromBareBase64Url(text, JWT_CHARS_MAX);
  if (bytes === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(utf8Text(bytes));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined; // no UTF-8, or no JSON
  }
}
