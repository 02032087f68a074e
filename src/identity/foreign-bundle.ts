// The bundle of another trust domain: checked as far as it can be without knowing its algorithms, kept as it was sent, and
// never merged with ours (SPIFFE_Federation.md section 3).

import { ok, refuse, type Result } from "../foundation/index.ts";
import { fromBase64 } from "./base64.ts";
import { parseBundleJson } from "./trust-bundle.ts";
import { CERTIFICATE_BYTES_MAX } from "./x509/certificate.ts";
import { readCertificateProfile } from "./x509/parse.ts";

/** What a consumer has to know of a foreign bundle. */
export interface ForeignBundle {
  readonly trustDomain: string;
  readonly sequence: number;
  /** In seconds; `undefined`: the endpoint does not say. */
  readonly refreshHintS: number | undefined;
  /** How many keys there are by their use; of uses and types that we do not know, too. */
  readonly keys: Readonly<Record<string, number>>;
  /** Root certificates of any algorithm, DER. */
  readonly x509: readonly Uint8Array[];
  /** The JWK set of its keys for JWT-SVIDs, as they were sent. */
  readonly jwks: string;
}

const USES_MAX = 8;

/**
 * Reads a document. A trust domain without any key has no valid SVID; its bundle is taken all the same.
 * Code: `identity/bundle-malformed`.
 */
export function readForeignBundle(
  trustDomain: string,
  text: string,
): Result<ForeignBundle, "identity/bundle-malformed"> {
  const parsed = parseBundleJson(trustDomain, text);
  if (!parsed.ok) return parsed;
  const { keys } = JSON.parse(text) as { readonly keys: readonly unknown[] };
  const counts: Record<string, number> = {};
  for (const key of keys) {
    const use = (key as { readonly use?: unknown } | null)?.use;
    if (typeof use !== "string" || !/^[a-z0-9-]{1,32}$/.test(use)) continue; // ignored, as the standard says
    counts[use] = (counts[use] ?? 0) + 1;
  }
  if (Object.keys(counts).length > USES_MAX)
    return refuse("identity/bundle-malformed", "too many uses");
  const { sequence, refreshHintS } = parsed.value;
  return ok({
    ...{ trustDomain, sequence, refreshHintS, keys: counts },
    x509: keys.flatMap((key) => rootOf(key) ?? []),
    jwks: JSON.stringify({ keys: keys.filter(isJwtKey) }),
  });
}

/** The root of an element for X.509-SVIDs: the first of `x5c`, when it is a certificate. */
function rootOf(key: unknown): Uint8Array | undefined {
  const { use, x5c } = (key ?? {}) as { readonly use?: unknown; readonly x5c?: unknown };
  if (use !== "x509-svid" || !Array.isArray(x5c)) return undefined;
  const der = fromBase64(x5c[0], CERTIFICATE_BYTES_MAX);
  return der !== undefined && readCertificateProfile(der)?.isCa === true ? der : undefined;
}

function isJwtKey(key: unknown): boolean {
  const { use, kid } = (key ?? {}) as { readonly use?: unknown; readonly kid?: unknown };
  return use === "jwt-svid" && typeof kid === "string" && kid !== "";
}
