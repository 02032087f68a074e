// What one engine makes, the other takes, in both directions and on arbitrary inputs.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createNativeEngine } from "../../../src/adapters/crypto/native.ts";
import { systemRandom } from "../../../src/adapters/random.ts";
import { createWasmEngine } from "../../../src/adapters/wasm/engine.ts";
import { compositeSign, compositeVerify, createNobleEngine } from "../../../src/crypto/index.ts";
import { equalBytes, toHex } from "../../../src/foundation/index.ts";

const native = createNativeEngine();
const noble = createNobleEngine(systemRandom);
const wasm = createWasmEngine({ random: systemRandom });
const engines = [native, noble, wasm] as const;
const pairs = engines.flatMap((one) =>
  engines.filter((other) => other !== one).map((other) => [one, other] as const),
);

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const message = fc.uint8Array({ maxLength: 300 });
const context = fc.uint8Array({ maxLength: 255 });
const runs = { numRuns: 15 }; // fast-check prints the seed of a failure

for (const [one, other] of pairs) {
  const title = `${one.name} and ${other.name}`;

  test(`${title}: a secret encapsulated by one is decapsulated by the other`, () => {
    fc.assert(
      fc.property(bytes(64), (seed) => {
        const pair = one.mlKem768.generate(seed);
        const same = other.mlKem768.generate(seed);
        assert.equal(toHex(pair.encapsulationKey), toHex(same.encapsulationKey));
        const { ciphertext, sharedSecret } = other.mlKem768.encapsulate(pair.encapsulationKey);
        assert.ok(equalBytes(pair.decapsulate(ciphertext), sharedSecret));
        assert.ok(equalBytes(same.decapsulate(ciphertext), sharedSecret));
      }),
      runs,
    );
  });

  test(`${title}: a signature of one verifies at the other, with its own context alone`, () => {
    fc.assert(
      fc.property(bytes(32), message, context, (seed, text, own) => {
        const signer = one.mlDsa65.signer(seed);
        const signature = signer.sign(text, own);
        assert.ok(other.mlDsa65.verify(signer.publicKey, text, signature, own));
        const longer = new Uint8Array(own.length + 1);
        longer.set(own);
        assert.ok(!other.mlDsa65.verify(signer.publicKey, text, signature, longer));
      }),
      runs,
    );
  });

  test(`${title}: composite signatures cross over`, () => {
    fc.assert(
      fc.property(bytes(32), message, context, (seed, text, own) => {
        const signer = { mldsa65: one.mlDsa65.signer(seed), ed25519: one.ed25519.signer(seed) };
        const keys = { mldsa65: signer.mldsa65.publicKey, ed25519: signer.ed25519.publicKey };
        const signature = compositeSign(signer, one, text, own);
        assert.ok(compositeVerify(other, keys, text, own, signature));
      }),
      runs,
    );
  });
}

test("all engines make the same Ed25519 signature and the same digests", () => {
  fc.assert(
    fc.property(bytes(32), message, (seed, text) => {
      const a = native.ed25519.signer(seed);
      for (const other of [noble, wasm]) {
        const b = other.ed25519.signer(seed);
        assert.deepEqual(a.publicKey, b.publicKey);
        assert.deepEqual(a.sign(text), b.sign(text));
        assert.deepEqual(native.sha256(text), other.sha256(text));
        assert.deepEqual(native.sha512(text), other.sha512(text));
      }
    }),
    { numRuns: 50 },
  );
});

test("all engines give the same rejection secret for an arbitrary ciphertext", () => {
  fc.assert(
    fc.property(bytes(64), bytes(1088), (seed, ciphertext) => {
      const a = native.mlKem768.generate(seed).decapsulate(ciphertext);
      for (const other of [noble, wasm]) {
        assert.deepEqual(a, other.mlKem768.generate(seed).decapsulate(ciphertext));
      }
    }),
    { numRuns: 30 },
  );
});

test("all engines give the same verdict on an ML-DSA signature with a changed byte", () => {
  const signer = native.mlDsa65.signer(new Uint8Array(32));
  const text = new Uint8Array(3);
  const signature = signer.sign(text, text);
  const place = fc.nat(signature.length - 1);
  fc.assert(
    fc.property(place, fc.integer({ min: 1, max: 255 }), (at, difference) => {
      const changed = signature.slice();
      changed[at] = (changed[at] ?? 0) ^ difference;
      for (const engine of engines) {
        assert.equal(engine.mlDsa65.verify(signer.publicKey, text, changed, text), false);
      }
    }),
    { numRuns: 60 },
  );
});

test("verification of arbitrary bytes is false and never throws", () => {
  const junk = fc.uint8Array({ maxLength: 3400 });
  fc.assert(
    fc.property(junk, message, junk, fc.uint8Array({ maxLength: 300 }), (key, text, sig, own) => {
      for (const engine of engines) {
        assert.equal(engine.mlDsa65.verify(key, text, sig, own), false);
        assert.equal(engine.ed25519.verify(key, text, sig), false);
        const keys = { mldsa65: key, ed25519: key };
        assert.equal(compositeVerify(engine, keys, text, own, sig), false);
      }
    }),
    { numRuns: 100 },
  );
});

test("all engines agree on Ed25519 keys and signatures of the right lengths", () => {
  fc.assert(
    fc.property(bytes(32), message, bytes(64), (key, text, signature) => {
      const verdict = native.ed25519.verify(key, text, signature);
      for (const { ed25519 } of [noble, wasm]) {
        assert.equal(ed25519.verify(key, text, signature), verdict);
      }
    }),
    { numRuns: 60 },
  );
});
