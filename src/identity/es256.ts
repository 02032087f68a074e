// ECDSA on P-256 with SHA-256, for workloads whose TLS cannot read ML-DSA and for JWT-SVIDs; on P-384 with SHA-384, to validate the
// JWT-SVIDs of others. It comes in through a port: only issuers and the Workload API need it, and no engine of ours has it.
// Signatures are `r || s`, as in JWS (RFC 7518).

import { concatBytes } from "../foundation/index.ts";

/** Bytes of an uncompressed point. */
const P256_PUBLIC_KEY_BYTES = 65;
const P384_PUBLIC_KEY_BYTES = 97;
const COORDINATE_BYTES = 32;
const UNCOMPRESSED = 0x04;

/** A private key in use. */
export interface Es256Signer {
  /** 65 bytes: 04 || x || y. */
  readonly publicKey: Uint8Array;
  /** 64 bytes. */
  sign(message: Uint8Array): Uint8Array;
}

/** What adapters provide. */
export interface Es256 {
  /** The key of a 32-byte secret; undefined when it is no scalar of the curve, which happens once in 2^32. */
  signer(secret: Uint8Array): Es256Signer | undefined;
  /**
   * True only for a valid signature by a point of the curve, which the key's length tells (P-256 or P-384); false for anything
   * else. Never throws.
   */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
}

/** The coordinates of an uncompressed point. */
export function coordinatesOf(publicKey: Uint8Array): {
  readonly x: Uint8Array;
  readonly y: Uint8Array;
} {
  const middle = (publicKey.length + 1) / 2;
  return { x: publicKey.subarray(1, middle), y: publicKey.subarray(middle) };
}

/** Whether bytes have the form of an uncompressed point; whether they are on the curve, verifying says. */
export function isP256PublicKey(bytes: Uint8Array): boolean {
  return bytes.length === P256_PUBLIC_KEY_BYTES && bytes[0] === UNCOMPRESSED;
}

/** The same for P-384. */
export function isP384PublicKey(bytes: Uint8Array): boolean {
  return bytes.length === P384_PUBLIC_KEY_BYTES && bytes[0] === UNCOMPRESSED;
}

/** The uncompressed point of two coordinates; undefined when one has not so many bytes. */
export function pointOf(
  x: Uint8Array | undefined,
  y: Uint8Array | undefined,
  coordinateBytes: number = COORDINATE_BYTES,
): Uint8Array | undefined {
  if (x?.length !== coordinateBytes || y?.length !== coordinateBytes) return undefined;
  return concatBytes(Uint8Array.of(UNCOMPRESSED), x, y);
}

/** X.509's form of a signature: SEQUENCE { INTEGER r, INTEGER s } in DER (RFC 3279 section 2.2.3). */
export function signatureToDer(signature: Uint8Array): Uint8Array {
  const integers = concatBytes(
    derInteger(signature.subarray(0, COORDINATE_BYTES)),
    derInteger(signature.subarray(COORDINATE_BYTES)),
  );
  return concatBytes(Uint8Array.of(0x30, integers.length), integers);
}

/** `r || s` of X.509's form; undefined for anything that {@link signatureToDer} does not write. */
export function signatureFromDer(der: Uint8Array): Uint8Array | undefined {
  if (der[0] !== 0x30 || der[1] !== der.length - 2) return undefined;
  const first = readInteger(der, 2);
  const second = first && readInteger(der, first.end);
  if (second?.end !== der.length) return undefined;
  return concatBytes(first?.value ?? new Uint8Array(0), second.value);
}

function derInteger(value: Uint8Array): Uint8Array {
  let start = 0;
  while (start < value.length - 1 && value[start] === 0) start++;
  const digits = value.subarray(start);
  const sign = (digits[0] ?? 0) >= 0x80 ? Uint8Array.of(0) : new Uint8Array(0);
  return concatBytes(Uint8Array.of(0x02, sign.length + digits.length), sign, digits);
}

/** A positive integer of at most 256 bits in its shortest form. */
function readInteger(
  der: Uint8Array,
  at: number,
): { readonly value: Uint8Array; readonly end: number } | undefined {
  const length = der[at + 1] ?? 0;
  const end = at + 2 + length;
  if (der[at] !== 0x02 || length < 1 || length > COORDINATE_BYTES + 1 || end > der.length)
    return undefined;
  const content = der.subarray(at + 2, end);
  const [head = 0x80, next = 0] = content;
  if (head >= 0x80 || (head === 0 && length > 1 && next < 0x80)) return undefined;
  const digits = head === 0 ? content.subarray(1) : content;
  if (digits.length > COORDINATE_BYTES) return undefined;
  const value = new Uint8Array(COORDINATE_BYTES);
  value.set(digits, COORDINATE_BYTES - digits.length);
  return { value, end };
}
