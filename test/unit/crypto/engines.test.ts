// The choice of an engine, the native engine's key cache and the system's ports.

import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../../src/adapters/clock.ts";
import { createNativeEngine } from "../../../src/adapters/crypto/native.ts";
import { PublicKeyCache } from "../../../src/adapters/crypto/public-key-cache.ts";
import { systemRandom } from "../../../src/adapters/random.ts";
import {
  type CryptoErrorCode,
  cryptoMetrics,
  type EngineName,
  selectEngine,
} from "../../../src/crypto/index.ts";
import { MeshError, toHex, utf8Bytes } from "../../../src/foundation/index.ts";
import { engines, none } from "./support.ts";

const candidates = engines.map((engine) => ({ name: engine.name, create: () => engine }));
const missing = (name: EngineName, code: CryptoErrorCode = "crypto/engine-unavailable") => ({
  name,
  create: () => {
    throw new MeshError<CryptoErrorCode>(code, "not on this host");
  },
});

test("auto takes the best candidate, a name takes that engine or none", () => {
  const [native, noble, wasm] = engines;
  assert.equal(selectEngine("auto", candidates), native);
  assert.equal(selectEngine("native", candidates), native);
  assert.equal(selectEngine("noble", candidates), noble);
  assert.equal(selectEngine("wasm", candidates), wasm);
  for (const [choice, offered] of [
    ["native", candidates.slice(1)],
    ["wasm", [missing("wasm"), ...candidates.slice(0, 2)]],
    ["auto", []],
    ["auto", [missing("wasm"), missing("native")]],
  ] as const) {
    assert.throws(() => selectEngine(choice, offered), { code: "crypto/engine-unavailable" });
  }
});

test("auto goes on past an engine that the host lacks, but not past a broken one", () => {
  const [native] = engines;
  assert.equal(selectEngine("auto", [missing("wasm"), ...candidates]), native);
  const broken = missing("wasm", "crypto/self-test-failed");
  assert.throws(() => selectEngine("auto", [broken, ...candidates]), {
    code: "crypto/self-test-failed",
  });
});

test("engines that are not chosen are not made", () => {
  const never = { name: "wasm", create: () => assert.fail("not chosen") } as const;
  assert.equal(selectEngine("native", [never, ...candidates]).name, "native");
  assert.equal(selectEngine("auto", [...candidates, never]).name, "native");
});

/** A meter that keeps what was counted, as `name:algorithm`. */
function countingMeter() {
  const counted: string[] = [];
  const declared = new Set(cryptoMetrics.map(({ name }) => name));
  return {
    counted,
    count(name: string, labels: Readonly<Record<string, string>> = {}) {
      assert.ok(declared.has(name), `${name} is declared`);
      counted.push(`${name.slice("meshd_crypto_public_key_".length)}:${labels["algorithm"] ?? ""}`);
    },
    set: () => undefined,
    observe: () => undefined,
  };
}

test("the key cache holds keysMax keys, then drops the one used longest ago", () => {
  const meter = countingMeter();
  const cache = new PublicKeyCache({ algorithm: "ed25519", keysMax: 2, meter });
  const [a, b, c] = [1, 2, 3].map(
    (n) => engines[0]?.ed25519.signer(new Uint8Array(32).fill(n)).publicKey,
  );
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  const imports = "imports_total:ed25519";
  cache.get(a);
  cache.get(b);
  assert.equal(cache.get(a.slice()), cache.get(a));
  assert.deepEqual(meter.counted, [imports, imports]);
  cache.get(c); // b was used longest ago
  assert.deepEqual(meter.counted.slice(2), [imports, "evictions_total:ed25519"]);
  assert.equal(cache.size, 2);
  cache.get(a);
  cache.get(c);
  assert.equal(meter.counted.length, 4);
  cache.get(b);
  assert.equal(meter.counted.length, 6);
});

test("keys that fail to import are not held", () => {
  const cache = new PublicKeyCache({ algorithm: "ml-dsa-65", keysMax: 2 });
  assert.throws(() => cache.get(new Uint8Array(1951)));
  assert.equal(cache.size, 0);
});

test("one import serves many verifications, and a cached key still refuses wrong signatures", () => {
  const meter = countingMeter();
  const { mlDsa65 } = createNativeEngine({ meter, publicKeysMax: 1 });
  const message = utf8Bytes("message");
  const [one, two] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)].map((seed) =>
    mlDsa65.signer(seed),
  );
  assert.ok(one !== undefined && two !== undefined);
  const signature = one.sign(message, none);
  for (let i = 0; i < 3; i++) assert.ok(mlDsa65.verify(one.publicKey, message, signature, none));
  assert.deepEqual(meter.counted, ["imports_total:ml-dsa-65"]);
  assert.ok(!mlDsa65.verify(one.publicKey, message, two.sign(message, none), none));
  assert.ok(!mlDsa65.verify(two.publicKey, message, signature, none));
  assert.ok(mlDsa65.verify(one.publicKey, message, signature, none));
});

test("a cached key does not follow the caller's buffer", () => {
  const { ed25519 } = createNativeEngine();
  const message = utf8Bytes("message");
  const signer = ed25519.signer(new Uint8Array(32).fill(1));
  const signature = signer.sign(message);
  const key = signer.publicKey.slice();
  assert.ok(ed25519.verify(key, message, signature));
  key.set(ed25519.signer(new Uint8Array(32).fill(2)).publicKey);
  assert.ok(!ed25519.verify(key, message, signature));
});

test("the system's randomness has the asked length, differs from draw to draw, and fractions lie in [0, 1)", () => {
  for (const length of [0, 1, 32, 70_000]) assert.equal(systemRandom.bytes(length).length, length);
  assert.notEqual(toHex(systemRandom.bytes(32)), toHex(systemRandom.bytes(32)));
  const fractions = Array.from({ length: 200 }, () => systemRandom.fraction());
  assert.ok(fractions.every((x) => x >= 0 && x < 1));
  assert.ok(new Set(fractions).size > 190);
});

test("the system's monotonic clock never goes back, and its wall clock is the system's", () => {
  const first = systemClock.now();
  const second = systemClock.now();
  assert.ok(second.monoMs >= first.monoMs);
  assert.ok(Math.abs(second.wallMs - Date.now()) < 60_000);
});
