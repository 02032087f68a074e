// The corners where Ed25519 libraries differ: every engine must give the strict answer.

import { ed25519 as curve } from "@noble/curves/ed25519.js";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { isStrictEd25519Key } from "../../../src/crypto/index.ts";
import { concatBytes, fromHex, utf8Bytes } from "../../../src/foundation/index.ts";
import { engines } from "./support.ts";

const { Point } = curve;
const torsion = Point.fromHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05");
const order = Point.Fn.ORDER;

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);
}

function scalarBytes(value: bigint): Uint8Array {
  return fromHex(value.toString(16).padStart(64, "0")).reverse();
}

/** k = SHA-512(R || A || M) mod L. */
function challenge(r: Uint8Array, a: Uint8Array, message: Uint8Array): bigint {
  const digest = createHash("sha512").update(r).update(a).update(message).digest();
  return littleEndian(digest) % order;
}

/** A signature that satisfies the cofactored equation, with torsion mixed into A and R. */
function mixedSignature(aTorsion: number, rTorsion: number, message: Uint8Array) {
  const a = 0x1234567890abcdefn;
  const r = 0xfedcba0987654321n;
  const multiple = (n: number) => (n === 0 ? Point.ZERO : torsion.multiplyUnsafe(BigInt(n)));
  const key = Point.BASE.multiply(a).add(multiple(aTorsion)).toBytes();
  const rBytes = Point.BASE.multiply(r).add(multiple(rTorsion)).toBytes();
  const k = challenge(rBytes, key, message);
  const s = (r + k * a) % order;
  // [s]B - [k]A = R exactly when the torsion of R is minus k times that of A.
  const exact = (BigInt(rTorsion) + k * BigInt(aTorsion)) % 8n === 0n;
  return { key, signature: concatBytes(rBytes, scalarBytes(s)), exact };
}

test("a signature is valid only under the equation without cofactor, whatever the torsion of A and R", () => {
  const seen = new Set<boolean>();
  for (let i = 0; i < 64; i++) {
    const message = utf8Bytes(`message ${i}`);
    const { key, signature, exact } = mixedSignature(i % 8, i >> 3, message);
    seen.add(exact);
    for (const { name, ed25519 } of engines) {
      const valid = ed25519.verify(key, message, signature);
      assert.equal(valid, exact, `${name}: torsion ${i % 8} of A, ${i >> 3} of R`);
    }
  }
  assert.equal(seen.size, 2, "both answers occur");
});

test("keys of small order are refused although the equation holds", () => {
  let forgeries = 0;
  for (let n = 0; n < 8; n++) {
    const weak = n === 0 ? Point.ZERO : torsion.multiplyUnsafe(BigInt(n));
    const key = weak.toBytes();
    assert.equal(isStrictEd25519Key(key), false);
    // For A = n·T and a message with 8 | k·n, any R = [s]B verifies without knowing a secret.
    for (let i = 0; i < 16; i++) {
      const message = utf8Bytes(`forged ${i}`);
      const signature = concatBytes(Point.BASE.multiply(5n).toBytes(), scalarBytes(5n));
      // The lenient rule of ZIP 215 shows that these are forgeries and not mere noise.
      if (curve.verify(signature, message, key, { zip215: true })) forgeries++;
      for (const { ed25519 } of engines)
        assert.equal(ed25519.verify(key, message, signature), false);
    }
  }
  assert.equal(forgeries, 8 * 16);
});

test("a key's y must be below p: p - 2 may be a key, p and above are none", () => {
  const p = 2n ** 255n - 19n;
  assert.equal(isStrictEd25519Key(scalarBytes(p - 2n)), true);
  for (let y = p; y < 2n ** 255n; y++) {
    const key = scalarBytes(y);
    assert.equal(isStrictEd25519Key(key), false);
    key[31] = 0xff; // with the sign bit
    assert.equal(isStrictEd25519Key(key), false);
  }
});

test("s must be below the group order", () => {
  const message = utf8Bytes("malleable");
  for (const { ed25519 } of engines) {
    const signer = ed25519.signer(new Uint8Array(32).fill(3));
    const signature = signer.sign(message);
    const raised = littleEndian(signature.subarray(32)) + order;
    const malleated = concatBytes(signature.subarray(0, 32), scalarBytes(raised));
    assert.equal(ed25519.verify(signer.publicKey, message, signature), true);
    assert.equal(ed25519.verify(signer.publicKey, message, malleated), false);
  }
});
