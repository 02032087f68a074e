// SPIFFE ids, strictly: `spiffe://<trust domain>/<path>`.
// Nothing is decoded, resolved or repaired. The scheme and the trust domain compare without case, so parsing
// folds them to lower case; the path is case-sensitive. SPIFFE-ID.md sections 2.1 to 2.3.

import { MeshError, refuse, ok, type Result } from "../foundation/index.ts";
import type { IdentityErrorCode } from "./errors.ts";

/** Longest SPIFFE id accepted or emitted, in bytes (SPIFFE-ID section 2.3). */
const SPIFFE_ID_BYTES_MAX = 2048;
/** Longest trust domain name, in bytes (SPIFFE-ID section 2.3). */
const TRUST_DOMAIN_BYTES_MAX = 255;
/** Longest node name: what fits a DNS label, since most names are host names. */
export const NODE_NAME_BYTES_MAX = 63;

const SCHEME = "spiffe://";
const NODE_SEGMENT = "node";
const TRUST_DOMAIN = /^[a-z0-9._-]+$/;
const SEGMENT = /^[a-zA-Z0-9._-]+$/;

/** A parsed SPIFFE id. `trustDomain` is lower case; `segments` is empty for the id of the trust domain itself. */
export interface SpiffeId {
  readonly trustDomain: string;
  readonly segments: readonly string[];
}

/**
 * Parses a SPIFFE id.
 * Code: `identity/spiffe-id-invalid`.
 */
export function parseSpiffeId(text: string): Result<SpiffeId, "identity/spiffe-id-invalid"> {
  if (text.length > SPIFFE_ID_BYTES_MAX) return invalid("longer than 2048 bytes");
  if (text.slice(0, SCHEME.length).toLowerCase() !== SCHEME) return invalid("scheme is not spiffe");
  const [authority = "", ...segments] = text.slice(SCHEME.length).split("/");
  const trustDomain = foldAscii(authority);
  if (!isTrustDomain(trustDomain))
    return invalid("trust domain is empty, too long or has other characters than a-z 0-9 . - _");
  for (const segment of segments) {
    if (!isPathSegment(segment)) return invalid("path has an empty, relative or malformed segment");
  }
  return ok({ trustDomain, segments });
}

/** Whether `text` is a trust domain name in its canonical lower-case form. */
export function isTrustDomain(text: string): boolean {
  return text.length <= TRUST_DOMAIN_BYTES_MAX && TRUST_DOMAIN.test(text);
}

/** Whether `text` may stand between two slashes of a SPIFFE id's path. */
function isPathSegment(text: string): boolean {
  return SEGMENT.test(text) && text !== "." && text !== "..";
}

/** Whether `text` may name a node: one path segment of at most 63 bytes. */
export function isNodeName(text: string): boolean {
  return text.length <= NODE_NAME_BYTES_MAX && isPathSegment(text);
}

/** The text of a SPIFFE id. */
export function formatSpiffeId(id: SpiffeId): string {
  return [SCHEME + id.trustDomain, ...id.segments].join("/");
}

/**
 * `spiffe://<trust domain>/node/<name>`.
 * @throws MeshError `identity/spiffe-id-invalid` for a bad trust domain, `identity/not-a-node-id` for a bad name
 */
export function nodeSpiffeId(trustDomain: string, name: string): string {
  if (!isTrustDomain(trustDomain)) {
    throw new MeshError<IdentityErrorCode>(
      "identity/spiffe-id-invalid",
      `Cannot use '${trustDomain}' as trust domain: 1 to 255 of a-z 0-9 . - _ are allowed. Choose another name.`,
      { trustDomain },
    );
  }
  if (!isNodeName(name)) {
    throw new MeshError<IdentityErrorCode>(
      "identity/not-a-node-id",
      `Cannot use '${name}' as node name: 1 to 63 of a-z A-Z 0-9 . - _ are allowed, except '.' and '..'. Choose another name.`,
      { name },
    );
  }
  return formatSpiffeId({ trustDomain, segments: [NODE_SEGMENT, name] });
}

/**
 * The node name in a parsed SPIFFE id.
 * Code: `identity/not-a-node-id`.
 */
export function nodeNameOf(id: SpiffeId): Result<string, "identity/not-a-node-id"> {
  const [kind, name, ...rest] = id.segments;
  if (kind !== NODE_SEGMENT || name === undefined || rest.length > 0 || !isNodeName(name)) {
    return refuse("identity/not-a-node-id");
  }
  return ok(name);
}

/** Lower-cases A-Z only: locale rules and look-alikes must not fold into ASCII. */
function foldAscii(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function invalid(detail: string): ReturnType<typeof parseSpiffeId> {
  return refuse("identity/spiffe-id-invalid", detail);
}
