// Standard base64 with padding (RFC 4648 section 4), as JWK `x5c` and our messages carry DER.

import { fromBase64Url, toBase64Url } from "../foundation/index.ts";

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
/** The platform's decoder skips blanks; a text form that is unique may not. */
const BASE64_URL = /^[A-Za-z0-9_-]*$/;

/** Base64 of bytes. */
export function toBase64(bytes: Uint8Array): string {
  return padded(toBase64Url(bytes).replaceAll("-", "+").replaceAll("_", "/"));
}

/** Bytes of canonical base64 that stands for at most `bytesMax` bytes; undefined for anything else. */
export function fromBase64(text: unknown, bytesMax: number): Uint8Array | undefined {
  if (typeof text !== "string" || text.length > Math.ceil(bytesMax / 3) * 4) return undefined;
  const bare = text.replace(/={1,2}$/, "");
  if (padded(bare) !== text || !BASE64.test(text)) return undefined;
  return fromBareBase64Url(bare.replaceAll("+", "-").replaceAll("/", "_"), bytesMax);
}

/** Bytes of canonical base64url without padding, at most `bytesMax`; undefined for anything else. */
export function fromBareBase64Url(text: unknown, bytesMax: number): Uint8Array | undefined {
  if (typeof text !== "string" || text.length > Math.ceil((bytesMax * 4) / 3)) return undefined;
  if (!BASE64_URL.test(text)) return undefined;
  try {
    return fromBase64Url(text);
  } catch {
    return undefined; // a foreign character, padding, or non-zero bits behind the last byte
  }
}

function padded(text: string): string {
  return text.padEnd(Math.ceil(text.length / 4) * 4, "=");
}
