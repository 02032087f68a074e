// Composite signatures: both halves count.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  COMPOSITE_SIGNATURE_BYTES,
  compositeSign,
  compositeVerify,
} from "../../../src/crypto/index.ts";
import { concatBytes, utf8Bytes } from "../../../src/foundation/index.ts";
import { engines, flipBit, none } from "./support.ts";

const message = utf8Bytes("message");
const context = utf8Bytes("context");
const seed = new Uint8Array(32).fill(4);

for (const engine of engines) {
  const signer = { mldsa65: engine.mlDsa65.signer(seed), ed25519: engine.ed25519.signer(seed) };
  const keys = { mldsa65: signer.mldsa65.publicKey, ed25519: signer.ed25519.publicKey };
  const verify = (m: Uint8Array, c: Uint8Array, s: Uint8Array): boolean =>
    compositeVerify(engine, keys, m, c, s);

  test(`${engine.name}: a composite signature has 3373 bytes and fails when either half is changed`, () => {
    const signature = compositeSign(signer, engine, message, context);
    assert.equal(signature.length, 3373);
    assert.equal(signature.length, COMPOSITE_SIGNATURE_BYTES);
    assert.ok(verify(message, context, signature));
    for (const at of [0, 3308, 3309, 3372]) {
      assert.ok(!verify(message, context, flipBit(signature, at)), `byte ${at}`);
    }
    assert.ok(!verify(flipBit(message), context, signature));
    assert.ok(!verify(message, flipBit(context), signature));
    assert.ok(!verify(message, context, signature.subarray(1)));
    assert.ok(!verify(message, context, concatBytes(signature, Uint8Array.of(0))));
  });

  test(`${engine.name}: halves of two signers do not mix`, () => {
    const other = {
      mldsa65: engine.mlDsa65.signer(flipBit(seed)),
      ed25519: engine.ed25519.signer(flipBit(seed)),
    };
    const mixes = [
      { ...signer, ed25519: other.ed25519 },
      { ...signer, mldsa65: other.mldsa65 },
    ];
    for (const mix of mixes) {
      assert.ok(!verify(message, context, compositeSign(mix, engine, message, context)));
    }
  });

  test(`${engine.name}: contexts of 0 and 255 bytes work, 256 are refused`, () => {
    for (const length of [0, 255]) {
      const own = new Uint8Array(length);
      assert.ok(verify(message, own, compositeSign(signer, engine, message, own)));
    }
    const long = new Uint8Array(256);
    assert.throws(() => compositeSign(signer, engine, message, long), {
      code: "crypto/bad-context",
    });
    assert.ok(!verify(message, long, compositeSign(signer, engine, message, none)));
  });

  test(`${engine.name}: a half lifted out of a composite is no signature of the message`, () => {
    const signature = compositeSign(signer, engine, message, none);
    const [pq, classical] = [signature.subarray(0, 3309), signature.subarray(3309)] as const;
    assert.ok(!engine.mlDsa65.verify(keys.mldsa65, message, pq, none));
    assert.ok(!engine.ed25519.verify(keys.ed25519, message, classical));
  });
}
