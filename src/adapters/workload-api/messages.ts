// The messages of SPIFFE's Workload API as bytes: what workloads ask, and what they are answered. The field numbers are those of
// the standard (SPIFFE_Workload_API.md, appendix A).

import { concatBytes } from "../../foundation/index.ts";
import { AUDIENCE_CHARS_MAX, AUDIENCES_MAX, JWT_CHARS_MAX } from "../../identity/index.ts";
import {
  bytesField,
  doubleField,
  mapField,
  readMessage,
  textField,
  textOf,
  varintField,
} from "./protobuf.ts";
import type { JwtSvid, WorkloadView } from "./source.ts";

/** Deepest claim that is told: deeper ones are not in any JWT-SVID of ours. */
const CLAIM_DEPTH_MAX = 8;

/** X509SVIDResponse. */
export function x509SvidResponse({ svids, bundle, federated }: WorkloadView): Uint8Array {
  return concatBytes(
    ...svids.map(({ spiffeId, chain, key, hint }) =>
      bytesField(
        1,
        concatBytes(
          textField(1, spiffeId),
          bytesField(2, chain),
          bytesField(3, key),
          bytesField(4, bundle.x509),
          textField(5, hint),
        ),
      ),
    ),
    ...federated
      .filter(({ x509 }) => x509.length > 0)
      .map(({ trustDomain, x509 }) => mapField(3, `spiffe://${trustDomain}`, x509)),
  );
}

/** X509BundlesResponse. */
export function x509BundlesResponse({ bundle, federated }: WorkloadView): Uint8Array {
  return concatBytes(
    ...[bundle, ...federated]
      .filter(({ x509 }) => x509.length > 0)
      .map(({ trustDomain, x509 }) => mapField(2, `spiffe://${trustDomain}`, x509)),
  );
}

/** JWTBundlesResponse. */
export function jwtBundlesResponse({ bundle, federated }: WorkloadView): Uint8Array {
  return concatBytes(
    ...[bundle, ...federated].map(({ trustDomain, jwks }) =>
      mapField(1, `spiffe://${trustDomain}`, Buffer.from(jwks)),
    ),
  );
}

/** JWTSVIDResponse. */
export function jwtSvidResponse(svids: readonly JwtSvid[]): Uint8Array {
  return concatBytes(
    ...svids.map(({ spiffeId, token, hint }) =>
      bytesField(1, concatBytes(textField(1, spiffeId), textField(2, token), textField(3, hint))),
    ),
  );
}

/** JWTSVIDRequest; undefined when it is malformed, or beyond the limits. */
export function readJwtSvidRequest(
  bytes: Uint8Array,
): { readonly audience: readonly string[]; readonly spiffeId: string } | undefined {
  const fields = readMessage(bytes);
  const audience = fields?.get(1)?.map(textOf) ?? [];
  const spiffeId = textOf(fields?.get(2)?.at(-1) ?? new Uint8Array(0));
  if (fields === undefined || spiffeId === undefined || audience.length > AUDIENCES_MAX)
    return undefined;
  const isGood = (text: string | undefined): text is string =>
    text !== undefined && text !== "" && text.length <= AUDIENCE_CHARS_MAX;
  return audience.every(isGood) ? { audience, spiffeId } : undefined;
}

/** ValidateJWTSVIDRequest; undefined as above. */
export function readValidateRequest(
  bytes: Uint8Array,
): { readonly audience: string; readonly token: string } | undefined {
  const fields = readMessage(bytes);
  const audience = textOf(fields?.get(1)?.at(-1) ?? new Uint8Array(0));
  const token = textOf(fields?.get(2)?.at(-1) ?? new Uint8Array(0));
  if (fields === undefined || audience === undefined || token === undefined) return undefined;
  const fits = audience.length <= AUDIENCE_CHARS_MAX && token.length <= JWT_CHARS_MAX;
  return fits ? { audience, token } : undefined;
}

/** ValidateJWTSVIDResponse; the claims as google.protobuf.Struct. */
export function validateResponse(
  spiffeId: string,
  claims: Readonly<Record<string, unknown>>,
): Uint8Array {
  return concatBytes(textField(1, spiffeId), bytesField(2, structOf(claims, 0)));
}

function structOf(object: object, depth: number): Uint8Array {
  return concatBytes(
    ...Object.entries(object).map(([name, value]) => mapField(1, name, valueOf(value, depth + 1))),
  );
}

/** google.protobuf.Value: one field, whose number is the type. */
function valueOf(value: unknown, depth: number): Uint8Array {
  if (typeof value === "number") return doubleField(2, value);
  if (typeof value === "string") return bytesField(3, Buffer.from(value));
  if (typeof value === "boolean") return varintField(4, value ? 1 : 0);
  if (typeof value !== "object" || value === null || depth > CLAIM_DEPTH_MAX)
    return varintField(1, 0);
  if (!Array.isArray(value)) return bytesField(5, structOf(value, depth));
  const values = value.map((one) => bytesField(1, valueOf(one, depth + 1)));
  return bytesField(6, concatBytes(...values));
}
