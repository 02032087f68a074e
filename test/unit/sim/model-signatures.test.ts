// The model of a signature scheme keeps what it promises: only a signer signs, and every bit counts.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { ML_DSA_65 } from "../../../src/crypto/index.ts";
import { isMeshError, utf8Bytes } from "../../../src/foundation/index.ts";
import { createModelSignatures, verifyOnce } from "../../../src/sim/model-signatures.ts";

const sha256 = (data: Uint8Array): Uint8Array => createHash("sha256").update(data).digest();
const SEED = new Uint8Array(32).fill(1);
const MESSAGE = utf8Bytes("message");
const CONTEXT = utf8Bytes("context");

test("a signature has the real sizes, verifies, and is the same every time", () => {
  const model = createModelSignatures(sha256);
  const signer = model.signer(SEED);
  const signature = signer.sign(MESSAGE, CONTEXT);
  assert.equal(signer.publicKey.length, ML_DSA_65.publicKeyBytes);
  assert.equal(signature.length, ML_DSA_65.signatureBytes);
  assert.deepEqual(signer.sign(MESSAGE, CONTEXT), signature);
  assert.equal(model.verify(signer.publicKey, MESSAGE, signature, CONTEXT), true);
});

test("another message, context, key, or any flipped byte does not verify", () => {
  const model = createModelSignatures(sha256);
  const { publicKey } = model.signer(SEED);
  const signature = model.signer(SEED).sign(MESSAGE, CONTEXT);
  const other = model.signer(new Uint8Array(32).fill(2)).publicKey;
  assert.equal(model.verify(publicKey, utf8Bytes("massage"), signature, CONTEXT), false);
  assert.equal(model.verify(publicKey, MESSAGE, signature, utf8Bytes("contexts")), false);
  assert.equal(model.verify(other, MESSAGE, signature, CONTEXT), false);
  for (const at of [0, 31, 32, ML_DSA_65.signatureBytes - 1]) {
    const changed = signature.slice();
    changed[at] = changed[at]! ^ 1;
    assert.equal(model.verify(publicKey, MESSAGE, changed, CONTEXT), false, `byte ${at}`);
  }
  assert.equal(model.verify(publicKey, MESSAGE, signature.subarray(1), CONTEXT), false);
});

test("a key that the model never made has no signatures", () => {
  const signature = createModelSignatures(sha256).signer(SEED).sign(MESSAGE, CONTEXT);
  const { publicKey } = createModelSignatures(sha256).signer(SEED);
  const empty = createModelSignatures(sha256);
  assert.equal(empty.verify(publicKey, MESSAGE, signature, CONTEXT), false);
});

test("a destroyed signer, a short seed and a long context are refused", () => {
  const model = createModelSignatures(sha256);
  const signer = model.signer(SEED);
  assert.throws(
    () => signer.sign(MESSAGE, new Uint8Array(256)),
    (error) => isMeshError(error, "crypto/bad-context"),
  );
  assert.ok(signer.sign(MESSAGE, new Uint8Array(255)));
  signer.destroy();
  assert.throws(
    () => signer.sign(MESSAGE, CONTEXT),
    (error) => isMeshError(error, "crypto/destroyed"),
  );
  assert.throws(
    () => model.signer(new Uint8Array(31)),
    (error) => isMeshError(error, "crypto/bad-length"),
  );
});

test("what was verified once is not verified again, but with another key, message or context it is", () => {
  let verified = 0;
  const model = createModelSignatures(sha256);
  const once = verifyOnce({
    ...model,
    verify: (...claim) => {
      verified++;
      return model.verify(...claim);
    },
  });
  const [signer, other] = [
    once.signer(new Uint8Array(32).fill(1)),
    once.signer(new Uint8Array(32)),
  ];
  const [message, context] = [Uint8Array.of(1, 2, 3), Uint8Array.of(9)];
  const signature = signer.sign(message, context);
  for (let i = 0; i < 3; i++) {
    assert.equal(once.verify(signer.publicKey, message, signature, context), true);
  }
  assert.equal(verified, 1);
  assert.equal(once.verify(other.publicKey, message, signature, context), false);
  assert.equal(once.verify(signer.publicKey, Uint8Array.of(1, 2, 4), signature, context), false);
  assert.equal(once.verify(signer.publicKey, message, signature, Uint8Array.of(8)), false);
  assert.equal(once.verify(signer.publicKey, message, signature, context), true);
});
