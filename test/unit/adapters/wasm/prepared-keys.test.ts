// Sets of prepared keys are bounded, count what happens, and never fail: what they do not hold is prepared again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PreparedKeys } from "../../../../src/adapters/wasm/prepared-keys.ts";
import { loadKernels } from "../../../../src/adapters/wasm/kernels.ts";
import { CountingMeter, openEngine } from "./support.ts";

const message = new Uint8Array(40).fill(1);
const context = new Uint8Array(0);
const seedOf = (n: number, length = 32): Uint8Array => new Uint8Array(length).fill(n);

/** A set of two slots, and the names of what was prepared. */
function smallSet() {
  const kernels = loadKernels();
  const meter = new CountingMeter();
  const options = { kind: "signing", slotBytes: 64, keysMax: 2 } as const;
  const keys = new PreparedKeys<string>({ kernels, meter }, options);
  const prepared: string[] = [];
  const get = (key: string): number =>
    keys.get(key, (slot) => {
      assert.deepEqual(kernels.read(slot, 64), new Uint8Array(64), "a slot comes empty");
      kernels.write(slot, new Uint8Array(64).fill(key.charCodeAt(0)));
      prepared.push(key);
    });
  return { kernels, meter, keys, prepared, get };
}

test("a set holds keysMax keys, then wipes the one used longest ago", () => {
  const { kernels, keys, meter, prepared, get } = smallSet();
  const a = get("a");
  const b = get("b");
  assert.equal(get("a"), a);
  assert.deepEqual(meter.take(), {
    "prepared_keys_total{signing,miss}": 2,
    "prepared_keys_total{signing,hit}": 1,
  });
  assert.equal(get("c"), b, "b was used longest ago");
  assert.equal(get("a"), a);
  assert.equal(keys.size, 2);
  assert.equal(get("b"), b);
  assert.deepEqual(prepared, ["a", "b", "c", "b"]);
  assert.equal(meter.take()["prepared_key_evictions_total{signing}"], 2);
  assert.deepEqual(kernels.read(a, 64), new Uint8Array(64).fill(97));
});

test("a released key's slot is wiped and serves the next key; releasing again does nothing", () => {
  const { kernels, keys, meter, get } = smallSet();
  const a = get("a");
  get("b");
  keys.release("a");
  keys.release("a");
  assert.deepEqual(kernels.read(a, 64), new Uint8Array(64));
  assert.equal(keys.size, 1);
  assert.equal(get("c"), a);
  assert.equal(meter.take()["prepared_key_evictions_total{signing}"], undefined);
  get("d"); // one slot a key: the second release did not free one twice
  assert.equal(meter.take()["prepared_key_evictions_total{signing}"], 1);
});

test("without memory to grow into, a set goes on with the slots it has", () => {
  const { kernels, keys, get } = smallSet();
  const a = get("a");
  kernels.reserve = () => {
    throw new RangeError("no memory");
  };
  assert.equal(get("b"), a);
  assert.equal(keys.size, 1);
});

test("verification prepares a key once, and more keys than slots still verify", () => {
  const { engine, meter } = openEngine({ verificationKeysMax: 2 });
  const signed = [1, 2, 3].map((n) => {
    const signer = engine.mlDsa65.signer(seedOf(n));
    return { key: signer.publicKey, signature: signer.sign(message, context) };
  });
  meter.take();
  const verify = (i: number): boolean => {
    const { key, signature } = signed[i]!;
    return engine.mlDsa65.verify(key.slice(), message, signature, context);
  };
  for (const i of [0, 1, 0, 1]) assert.ok(verify(i));
  assert.deepEqual(meter.take(), {
    "prepared_keys_total{verification,miss}": 2,
    "prepared_keys_total{verification,hit}": 2,
  });
  for (const i of [0, 1, 2]) assert.ok(verify(i));
  assert.equal(meter.take()["prepared_key_evictions_total{verification}"], 1);
  const crossed = engine.mlDsa65.verify(signed[0]!.key, message, signed[1]!.signature, context);
  assert.equal(crossed, false);
});

test("inputs of a wrong length touch no prepared key", () => {
  const { engine, meter } = openEngine();
  const { mlDsa65 } = engine;
  for (const [key, signature, own] of [
    [1951, 3309, 0],
    [1953, 3309, 0],
    [1952, 3308, 0],
    [1952, 3310, 0],
    [1952, 3309, 256],
  ] as const) {
    const [k, s, c] = [new Uint8Array(key), new Uint8Array(signature), new Uint8Array(own)];
    assert.equal(mlDsa65.verify(k, message, s, c), false);
  }
  assert.deepEqual(meter.take(), {});
});

test("a prepared verification key does not follow the caller's buffer", () => {
  const { engine } = openEngine();
  const signer = engine.mlDsa65.signer(seedOf(1));
  const signature = signer.sign(message, context);
  const key = signer.publicKey.slice();
  assert.ok(engine.mlDsa65.verify(key, message, signature, context));
  key.set(engine.mlDsa65.signer(seedOf(2)).publicKey);
  assert.ok(!engine.mlDsa65.verify(key, message, signature, context));
});

test("signers and key pairs beyond the slots work by turns, destroyed or forgotten", () => {
  const { engine, kernels, meter } = openEngine({ signingKeysMax: 2, decapsulationKeysMax: 2 });
  const bytes = kernels.memory.length;
  const signers = [1, 2, 3, 4].map((n) => engine.mlDsa65.signer(seedOf(n)));
  const pairs = [1, 2, 3, 4].map((n) => engine.mlKem768.generate(seedOf(n, 64)));
  for (let turn = 0; turn < 2; turn++) {
    for (const [i, signer] of signers.entries()) {
      const signature = signer.sign(message, context, new Uint8Array(32));
      assert.ok(engine.mlDsa65.verify(signer.publicKey, message, signature, context));
      const pair = pairs[i]!;
      const { ciphertext, sharedSecret } = engine.mlKem768.encapsulate(pair.encapsulationKey);
      assert.deepEqual(pair.decapsulate(ciphertext), sharedSecret);
    }
  }
  const counted = meter.take();
  assert.equal(counted["prepared_key_evictions_total{signing}"], 2 + 8);
  assert.equal(counted["prepared_key_evictions_total{decapsulation}"], 2 + 8);
  for (let n = 0; n < 50; n++) engine.mlDsa65.signer(seedOf(n));
  const slots = 2 * 48_224 + 2 * 7888 + 4 * 36_928;
  assert.ok(kernels.memory.length <= bytes + slots + 65_536);
});
