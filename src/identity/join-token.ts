// The join token: what an operator carries from an issuer to a new host. It names whom to ask, pins by digest what
// to trust, and holds a secret that may be spent once. There is no trust on first use.
//
// Text: `x0t1.` and base64url of
//   version (1) = 1 | expires at, ms since 1970 (8) | bundle digest (32) | secret (32)
//   | trust domain (1 + n) | count of addresses (1) | each address (1 + n)
// Integers are big-endian, texts ASCII. Nothing may follow.

import {
  ByteReader,
  concatBytes,
  MeshError,
  ok,
  refuse,
  type Result,
  toBase64Url,
  uint64be,
  utf8Bytes,
} from "../foundation/index.ts";
import type { WallMs } from "../ports/index.ts";
import { fromBareBase64Url } from "./base64.ts";
import type { IdentityErrorCode } from "./errors.ts";
import { isTrustDomain } from "./spiffe-id.ts";

/** Longest token text, in characters. */
export const JOIN_TOKEN_CHARS_MAX = 1024;
/** Most issuer addresses in a token. */
export const JOIN_TOKEN_ADDRESSES_MAX = 4;
/** Bytes of the secret. */
export const JOIN_SECRET_BYTES = 32;

const PREFIX = "x0t1.";
const VERSION = 1;
const DIGEST_BYTES = 32;
const TOKEN_BYTES_MAX = Math.floor(((JOIN_TOKEN_CHARS_MAX - PREFIX.length) * 3) / 4);
/** Longest address; one length byte. */
const ADDRESS_CHARS_MAX = 255;
/** A multiaddr in text form that ends in a peer id: printable ASCII without blanks. */
const ADDRESS = /^(?:\/[!-.0-~]+)*\/p2p\/[1-9A-HJ-NP-Za-km-z]{20,128}$/;

/** The content of a token. `secret` is a secret. */
export interface JoinToken {
  readonly trustDomain: string;
  /** Multiaddrs of issuers, each with `/p2p/<peer id>` at its end; 1 to 4. */
  readonly addresses: readonly string[];
  /** As `bundleDigest` makes it; 32 bytes. */
  readonly bundleDigest: Uint8Array;
  /** 32 bytes. */
  readonly secret: Uint8Array;
  readonly expiresAtMs: WallMs;
}

/**
 * The text of a token.
 * @throws MeshError `identity/token-malformed` when a field is out of its bounds or all together exceed 1024 characters
 */
export function encodeJoinToken(token: JoinToken): string {
  const problem = problemOf(token);
  if (problem !== undefined) throw tokenError(problem);
  const text =
    PREFIX +
    toBase64Url(
      concatBytes(
        Uint8Array.of(VERSION),
        uint64be(token.expiresAtMs),
        token.bundleDigest,
        token.secret,
        short(token.trustDomain),
        Uint8Array.of(token.addresses.length),
        ...token.addresses.map(short),
      ),
    );
  if (text.length > JOIN_TOKEN_CHARS_MAX)
    throw tokenError(
      `it would have ${text.length} characters, at most ${JOIN_TOKEN_CHARS_MAX} are allowed`,
    );
  return text;
}

/**
 * Reads a token; blanks around it are forgiven, nothing else is.
 * Code: `identity/token-malformed`. Whether it is expired is for {@link checkJoinToken}.
 */
export function parseJoinToken(text: string): Result<JoinToken, "identity/token-malformed"> {
  const trimmed = text.length <= 2 * JOIN_TOKEN_CHARS_MAX ? text.trim() : text;
  if (trimmed.length > JOIN_TOKEN_CHARS_MAX || !trimmed.startsWith(PREFIX))
    return refuse("identity/token-malformed");
  const bytes = fromBareBase64Url(trimmed.slice(PREFIX.length), TOKEN_BYTES_MAX);
  const token = bytes && readToken(bytes);
  if (token === undefined || problemOf(token) !== undefined)
    return refuse("identity/token-malformed");
  return ok(token);
}

/**
 * Whether a token may be used now by a node that is to join `trustDomain` (undefined: whichever the token names).
 * Codes: `identity/token-expired`, `identity/token-trust-domain`.
 */
export function checkJoinToken(
  token: Pick<JoinToken, "trustDomain" | "expiresAtMs">,
  nowMs: WallMs,
  trustDomain?: string,
): Result<undefined, "identity/token-expired" | "identity/token-trust-domain"> {
  if (trustDomain !== undefined && token.trustDomain !== trustDomain)
    return refuse("identity/token-trust-domain");
  return nowMs < token.expiresAtMs ? ok(undefined) : refuse("identity/token-expired");
}

function readToken(bytes: Uint8Array): JoinToken | undefined {
  try {
    const reader = new ByteReader(bytes);
    if (reader.uint8() !== VERSION) return undefined;
    const expiresAtMs = reader.uint64be() as WallMs;
    const bundleDigest = reader.take(DIGEST_BYTES);
    const secret = reader.take(JOIN_SECRET_BYTES);
    const trustDomain = readShort(reader);
    const addresses = readAddresses(reader);
    return addresses !== undefined && reader.remaining === 0
      ? { trustDomain, addresses, bundleDigest, secret, expiresAtMs }
      : undefined;
  } catch {
    return undefined; // cut short
  }
}

function problemOf(token: JoinToken): string | undefined {
  if (token.secret.length !== JOIN_SECRET_BYTES) return "its secret has 32 bytes";
  if (!Number.isSafeInteger(token.expiresAtMs) || token.expiresAtMs < 0)
    return "its expiry is no time";
  return anchorProblem(token);
}

/** What is wrong with whom to ask and what to trust; undefined when nothing is. */
export function anchorProblem(
  token: Pick<JoinToken, "trustDomain" | "addresses" | "bundleDigest">,
): string | undefined {
  if (!isTrustDomain(token.trustDomain)) return "its trust domain is invalid";
  if (token.addresses.length < 1 || token.addresses.length > JOIN_TOKEN_ADDRESSES_MAX)
    return "it needs 1 to 4 issuer addresses";
  if (
    !token.addresses.every(
      (address) => address.length <= ADDRESS_CHARS_MAX && ADDRESS.test(address),
    )
  ) {
    return "an issuer address is no multiaddr that ends in /p2p/<peer id>";
  }
  if (token.bundleDigest.length !== DIGEST_BYTES) return "its digest has 32 bytes";
  return undefined;
}

/** A text with a length byte before it. */
export function short(text: string): Uint8Array {
  const bytes = utf8Bytes(text);
  return concatBytes(Uint8Array.of(bytes.length), bytes);
}

/** At most so many addresses as a token may have; undefined when there are more. */
export function readAddresses(reader: ByteReader): string[] | undefined {
  const count = reader.uint8();
  if (count > JOIN_TOKEN_ADDRESSES_MAX) return undefined;
  return Array.from({ length: count }, () => readShort(reader));
}

export function readShort(reader: ByteReader): string {
  // Latin-1 is enough to tell ASCII from the rest; the rest fails the patterns above.
  return String.fromCharCode(...reader.take(reader.uint8()));
}

export function tokenError(reason: string): MeshError<IdentityErrorCode> {
  return new MeshError<IdentityErrorCode>(
    "identity/token-malformed",
    `Cannot make a join token: ${reason}. Correct the issuer's configuration.`,
  );
}
