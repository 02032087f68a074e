// No secret stays in wasm memory longer than the key or the call it belongs to.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { systemRandom } from "../../../../src/adapters/random.ts";
import type { Kernels } from "../../../../src/adapters/wasm/kernels.ts";
import { createNobleEngine } from "../../../../src/crypto/index.ts";
import { openEngine } from "./support.ts";

const noble = createNobleEngine(systemRandom);
const context = new Uint8Array(8).fill(3);

/** Where `secret` begins in memory, or -1. */
const find = (kernels: Kernels, secret: Uint8Array): number =>
  Buffer.from(kernels.memory.buffer).indexOf(secret);

/** How many of the 16-byte pieces of `secret` are somewhere in memory; pieces with few different bytes prove nothing and are left out. */
function traces(kernels: Kernels, secret: Uint8Array): number {
  let found = 0;
  for (let at = 0; at + 16 <= secret.length; at += 16) {
    const piece = secret.subarray(at, at + 16);
    if (new Set(piece).size >= 6 && find(kernels, piece) >= 0) found++;
  }
  return found;
}

/** s1, s2 and t0 in the NTT domain, and K, of the only signing key, which is found by its tr (FIPS 204 algorithm 6). */
function preparedSigningSecrets(kernels: Kernels, publicKey: Uint8Array): Uint8Array {
  const tr = createHash("shake256", { outputLength: 64 }).update(publicKey).digest();
  const offset = kernels.exports.ML_DSA_SIGNING_KEY_TR.value;
  const slot = find(kernels, tr) - offset;
  assert.ok(slot >= kernels.exports.heapBase());
  return kernels.read(slot + 30 * 1024, offset - 30 * 1024);
}

test("a destroyed signer leaves no seed, no K and no secret polynomial", () => {
  const { engine, kernels } = openEngine();
  const seed = systemRandom.bytes(32);
  const signer = engine.mlDsa65.signer(seed);
  assert.equal(traces(kernels, seed), 0, "the seed is gone as soon as the key is prepared");
  signer.sign(new Uint8Array(100), context);
  const secrets = preparedSigningSecrets(kernels, signer.publicKey);
  assert.ok(traces(kernels, secrets) > 1000, "a live key is found");
  signer.destroy();
  assert.equal(traces(kernels, secrets), 0);
});

test("an evicted signing key is wiped, and so is the one that took its slot", () => {
  const { engine, kernels } = openEngine({ signingKeysMax: 1 });
  const one = engine.mlDsa65.signer(systemRandom.bytes(32));
  const first = preparedSigningSecrets(kernels, one.publicKey);
  const two = engine.mlDsa65.signer(systemRandom.bytes(32));
  const second = preparedSigningSecrets(kernels, two.publicKey);
  assert.equal(traces(kernels, first), 0);
  one.sign(context, context);
  assert.equal(traces(kernels, second), 0);
  one.destroy();
  two.destroy();
  assert.equal(traces(kernels, first) + traces(kernels, second), 0);
});

test("neither the randomizer nor the message stays after signing", () => {
  const { engine, kernels } = openEngine();
  const signer = engine.mlDsa65.signer(systemRandom.bytes(32));
  const randomizer = systemRandom.bytes(32);
  for (const length of [64, 16_384, 40_000]) {
    const message = systemRandom.bytes(length);
    signer.sign(message, context, randomizer);
    assert.equal(traces(kernels, message), 0, `${length} bytes`);
  }
  assert.equal(traces(kernels, randomizer), 0);
});

test("a destroyed decapsulation key leaves nothing of itself, and decapsulation no shared secret", () => {
  const { engine, kernels } = openEngine();
  const seed = systemRandom.bytes(64);
  const pair = engine.mlKem768.generate(seed);
  assert.equal(
    traces(kernels, seed.subarray(0, 32)),
    0,
    "d is gone as soon as the key is prepared",
  );
  const { ciphertext, sharedSecret } = noble.mlKem768.encapsulate(pair.encapsulationKey);
  assert.deepEqual(pair.decapsulate(ciphertext), sharedSecret);
  assert.equal(traces(kernels, sharedSecret), 0);
  // z lies at the end of the prepared key.
  const z = find(kernels, seed.subarray(32));
  const slotBytes = kernels.exports.ML_KEM_PREPARED_BYTES.value;
  const prepared = kernels.read(z + 32 - slotBytes, slotBytes);
  assert.ok(traces(kernels, prepared) > 400, "a live key is found");
  pair.destroy();
  assert.equal(traces(kernels, prepared), 0);
  assert.equal(traces(kernels, seed), 0);
});

test("encapsulation leaves neither m nor the shared secret", () => {
  const { engine, kernels } = openEngine();
  const m = systemRandom.bytes(32);
  const { encapsulationKey } = noble.mlKem768.generate();
  const { sharedSecret } = engine.mlKem768.encapsulate(encapsulationKey, m);
  assert.equal(traces(kernels, m) + traces(kernels, sharedSecret), 0);
  const bad = encapsulationKey.slice().fill(0xff, 0, 3);
  assert.throws(() => engine.mlKem768.encapsulate(bad, m), { code: "crypto/bad-key" });
  assert.equal(traces(kernels, m), 0, "a refused key included");
});

test("hashing leaves neither the message nor the digest", () => {
  const { engine, kernels } = openEngine();
  for (const length of [32, 119]) {
    const message = systemRandom.bytes(length);
    const digest = engine.sha256(message);
    assert.equal(traces(kernels, message) + traces(kernels, digest), 0, `${length} bytes`);
  }
});
