// Counting changes no answer, and counts what ended well by engine and operation.

import assert from "node:assert/strict";
import { test } from "node:test";
import { countedEngine, cryptoMetrics } from "../../../src/crypto/index.ts";
import { engines, flipBit, none } from "./support.ts";

const declared = cryptoMetrics.find(({ name }) => name === "meshd_crypto_operations_total");

for (const engine of engines) {
  test(`${engine.name}: every operation on a key is counted once, and answers as before`, () => {
    const counts = new Map<string, number>();
    const counted = countedEngine(engine, {
      count(name, labels = {}, by = 1) {
        assert.equal(name, declared?.name);
        assert.equal(labels["engine"], engine.name);
        const operation = labels["operation"] ?? "";
        counts.set(operation, (counts.get(operation) ?? 0) + by);
      },
      set: () => assert.fail("no gauge is set"),
      observe: () => assert.fail("nothing is observed"),
    });
    const seed = new Uint8Array(32).fill(5);
    const pair = counted.mlKem768.generate(new Uint8Array(64));
    assert.deepEqual(
      pair.encapsulationKey,
      engine.mlKem768.generate(new Uint8Array(64)).encapsulationKey,
    );
    const { ciphertext, sharedSecret } = counted.mlKem768.encapsulate(pair.encapsulationKey);
    assert.deepEqual(pair.decapsulate(ciphertext), sharedSecret);
    const pq = counted.mlDsa65.signer(seed);
    const signature = pq.sign(none, none);
    assert.ok(counted.mlDsa65.verify(pq.publicKey, none, signature, none));
    const classical = counted.ed25519.signer(seed);
    const short = classical.sign(none);
    assert.ok(counted.ed25519.verify(classical.publicKey, none, short));
    assert.deepEqual([...counts.keys()].sort(), declared?.labels?.["operation"]?.toSorted());
    assert.deepEqual(new Set(counts.values()), new Set([1]));
    assert.ok(!counted.mlDsa65.verify(pq.publicKey, none, flipBit(signature), none));
    assert.equal(counts.get("ml-dsa-65/verify"), 2, "a signature that is not valid is counted too");
    const job = { publicKey: pq.publicKey, message: none, signature, context: none };
    assert.deepEqual(counted.mlDsa65.verifyBatch([job, job, job]), [true, true, true]);
    assert.equal(counts.get("ml-dsa-65/verify"), 5, "each signature of a batch is counted");
    assert.throws(() => counted.mlDsa65.signer(none), { code: "crypto/bad-length" });
    assert.equal(counts.get("ml-dsa-65/load"), 1, "a refusal is not");
    for (const key of [pair, pq, classical]) key.destroy();
    assert.throws(() => pq.sign(none, none), { code: "crypto/destroyed" });
    assert.throws(() => pair.decapsulate(ciphertext), { code: "crypto/destroyed" });
    assert.throws(() => classical.sign(none), { code: "crypto/destroyed" });
    assert.equal(counted.name, engine.name);
    assert.deepEqual(counted.sha256(none), engine.sha256(none));
  });
}
