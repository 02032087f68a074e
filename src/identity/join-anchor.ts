// The join anchor: what a new host needs to know of a mesh when something of its own (a certificate, a pod's token, a cloud's
// document) lets it in, and no secret. It names whom to ask and pins by digest what to trust; anybody may read it.
//
// Text: `x0a1.` and base64url of
//   version (1) = 1 | bundle digest (32) | trust domain (1 + n) | count of addresses (1) | each address (1 + n)

import {
  ByteReader,
  concatBytes,
  refuse,
  ok,
  type Result,
  toBase64Url,
} from "../foundation/index.ts";
import { fromBareBase64Url } from "./base64.ts";
import {
  anchorProblem,
  JOIN_TOKEN_CHARS_MAX,
  type JoinToken,
  readAddresses,
  readShort,
  short,
  tokenError,
} from "./join-token.ts";

const PREFIX = "x0a1.";
const VERSION = 1;
const DIGEST_BYTES = 32;

/** What anchors a join. */
export type JoinAnchor = Pick<JoinToken, "trustDomain" | "addresses" | "bundleDigest">;

/** Whether a text is meant as an anchor and not as a token. */
export function isJoinAnchor(text: string): boolean {
  return text.trimStart().startsWith(PREFIX);
}

/** The text of an anchor. @throws MeshError `identity/token-malformed` when a field is out of its bounds */
export function encodeJoinAnchor(anchor: JoinAnchor): string {
  const problem = anchorProblem(anchor);
  if (problem !== undefined) throw tokenError(problem);
  const { trustDomain, addresses, bundleDigest } = anchor;
  const bytes = concatBytes(
    Uint8Array.of(VERSION),
    bundleDigest,
    short(trustDomain),
    Uint8Array.of(addresses.length),
    ...addresses.map(short),
  );
  const text = PREFIX + toBase64Url(bytes);
  if (text.length > JOIN_TOKEN_CHARS_MAX) throw tokenError("its addresses are too long");
  return text;
}

/** Reads an anchor; blanks around it are forgiven, nothing else is. Code: `identity/token-malformed`. */
export function parseJoinAnchor(text: string): Result<JoinAnchor, "identity/token-malformed"> {
  const malformed = refuse("identity/token-malformed");
  const trimmed = text.length <= 2 * JOIN_TOKEN_CHARS_MAX ? text.trim() : text;
  if (trimmed.length > JOIN_TOKEN_CHARS_MAX || !trimmed.startsWith(PREFIX)) return malformed;
  const bytes = fromBareBase64Url(trimmed.slice(PREFIX.length), JOIN_TOKEN_CHARS_MAX);
  const anchor = bytes && read(bytes);
  return anchor === undefined || anchorProblem(anchor) !== undefined ? malformed : ok(anchor);
}

function read(bytes: Uint8Array): JoinAnchor | undefined {
  try {
    const reader = new ByteReader(bytes);
    if (reader.uint8() !== VERSION) return undefined;
    const bundleDigest = reader.take(DIGEST_BYTES);
    const trustDomain = readShort(reader);
    const addresses = readAddresses(reader);
    if (addresses === undefined || reader.remaining !== 0) return undefined;
    return { trustDomain, addresses, bundleDigest };
  } catch {
    return undefined; // cut short
  }
}
