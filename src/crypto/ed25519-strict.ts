// Which Ed25519 signatures count. RFC 8032 section 5.1.7 leaves room (cofactored or not), and libraries differ
// on keys of small order and on non-canonical encodings ("Taming the many EdDSAs", Chalkias, Garillot,
// Nikolaenko 2020). Nodes that run different engines must agree, so all engines follow the strictest common rule:
// canonical A, A not of small order, s < L, and [s]B - [k]A encodes to R byte for byte (no cofactor).

import { ed25519 } from "@noble/curves/ed25519.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { concatBytes, equalBytes, fromHex, toHex } from "../foundation/index.ts";
import { ED25519 } from "./engine.ts";

/** y coordinates of the eight points whose order divides 8, little-endian, sign bit cleared. */
const SMALL_ORDER_Y: readonly Uint8Array[] = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
].map(fromHex);

/** True for 32 bytes whose y is below 2^255 - 19 and does not belong to a point of small order. */
export function isStrictEd25519Key(publicKey: Uint8Array): boolean {
  if (publicKey.length !== ED25519.publicKeyBytes) return false;
  const y = new Uint8Array(publicKey);
  y[31] = (y[31] ?? 0) & 0x7f;
  return isBelowFieldPrime(y) && !SMALL_ORDER_Y.some((weak) => equalBytes(weak, y));
}

/** y < 2^255 - 19, for little-endian y below 2^255: only the 19 values from ed ff .. ff 7f upward are not. */
function isBelowFieldPrime(y: Uint8Array): boolean {
  if (y[31] !== 0x7f || (y[0] ?? 0) < 0xed) return true;
  for (let i = 1; i < 31; i++) if (y[i] !== 0xff) return true;
  return false;
}

/**
 * The verification equation without cofactor, for a key that passed {@link isStrictEd25519Key} and a
 * signature of 64 bytes. Public data only, so variable time is harmless.
 */
export function verifyEd25519Strict(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { Point } = ed25519;
  const r = signature.subarray(0, 32);
  const s = littleEndian(signature.subarray(32));
  if (s >= Point.Fn.ORDER) return false;
  try {
    const a = Point.fromBytes(publicKey);
    const k = littleEndian(sha512(concatBytes(r, publicKey, message))) % Point.Fn.ORDER;
    const expected = Point.BASE.multiplyUnsafe(s).subtract(a.multiplyUnsafe(k));
    return equalBytes(expected.toBytes(), r);
  } catch {
    return false; // the bytes are no point of the curve
  }
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes.slice().reverse())}`);
}
