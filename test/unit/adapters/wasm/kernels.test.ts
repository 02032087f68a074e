// The kernels are loaded only when they are the ones that were built, and the engine copies inputs of any length in and out rightly.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { createNativeEngine } from "../../../../src/adapters/crypto/native.ts";
import { systemRandom } from "../../../../src/adapters/random.ts";
import { loadKernels } from "../../../../src/adapters/wasm/kernels.ts";
import { kernelsBase64, kernelsSha256 } from "../../../../src/adapters/wasm/module.ts";
import { createWasmSha256 } from "../../../../src/adapters/wasm/sha256.ts";
import { openEngine } from "./support.ts";

const native = createNativeEngine();

test("kernels with one changed bit are refused before they are compiled", () => {
  const changed = Buffer.from(kernelsBase64, "base64");
  changed[changed.length >> 1]! ^= 1;
  const base64 = changed.toString("base64");
  const failed = { code: "crypto/self-test-failed" };
  assert.throws(() => loadKernels({ base64, sha256: kernelsSha256 }), failed);
  const wrongDigest = kernelsSha256.replace(/^./, (digit) => (digit === "0" ? "1" : "0"));
  assert.throws(() => loadKernels({ base64: kernelsBase64, sha256: wrongDigest }), failed);
});

test("a host that cannot compile the kernels, or has no WebAssembly, does not offer the engine", () => {
  const unavailable = { code: "crypto/engine-unavailable" };
  // The start of a module, then a section of a kind that does not exist: what an unknown instruction set looks like.
  const foreign = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 99, 0]);
  const sha256 = createHash("sha256").update(foreign).digest("hex");
  assert.throws(() => loadKernels({ base64: foreign.toString("base64"), sha256 }), unavailable);
  const held = Object.getOwnPropertyDescriptor(globalThis, "WebAssembly")!;
  Object.defineProperty(globalThis, "WebAssembly", { value: undefined, configurable: true });
  try {
    assert.throws(() => loadKernels(), unavailable);
  } finally {
    Object.defineProperty(globalThis, "WebAssembly", held);
  }
});

test("memory grows by what is asked, in zeroed and aligned pieces that do not overlap", () => {
  const kernels = loadKernels();
  const lengths = [1, 16, 17, 70_000, 3];
  const addresses = lengths.map((length) => {
    const address = kernels.reserve(length);
    assert.equal(address % 16, 0);
    assert.deepEqual(kernels.read(address, length), new Uint8Array(length));
    kernels.write(address, new Uint8Array(length).fill(length & 0xff));
    return address;
  });
  for (const [i, length] of lengths.entries()) {
    const expected = new Uint8Array(length).fill(length & 0xff);
    assert.deepEqual(kernels.read(addresses[i]!, length), expected);
  }
});

test("memory beyond the module's maximum is refused, and what was there stays usable", () => {
  const kernels = loadKernels();
  const before = kernels.memory.length;
  assert.throws(() => kernels.reserve(257 * 1024 * 1024), RangeError);
  assert.equal(kernels.memory.length, before);
  kernels.write(kernels.reserve(16), new Uint8Array(16));
});

test("messages around the size of a piece sign and verify as OpenSSL has it", () => {
  const { engine } = openEngine();
  const seed = systemRandom.bytes(32);
  const signer = engine.mlDsa65.signer(seed);
  const other = native.mlDsa65.signer(seed);
  for (const length of [0, 1, 16_383, 16_384, 16_385, 32_768, 50_001]) {
    const message = systemRandom.bytes(length);
    const context = systemRandom.bytes(length % 256);
    const { publicKey } = signer;
    const made = signer.sign(message, context);
    assert.ok(native.mlDsa65.verify(publicKey, message, made, context), `${length} bytes`);
    const taken = other.sign(message, context);
    assert.ok(engine.mlDsa65.verify(publicKey, message, taken, context), `${length} bytes`);
    if (length === 0) continue;
    const changed = message.slice();
    changed[length - 1]! ^= 1;
    assert.ok(!engine.mlDsa65.verify(publicKey, changed, taken, context), `${length} bytes`);
  }
});

test("digests agree with OpenSSL's on both sides of where the engine changes over", () => {
  const { engine } = openEngine();
  for (const length of [0, 1, 55, 56, 63, 64, 65, 118, 119, 120, 121, 1000]) {
    const data = systemRandom.bytes(length);
    assert.deepEqual(engine.sha256(data), native.sha256(data), `${length} bytes`);
  }
});

test("SHA-256 of up to two blocks stays in the kernels, of more it goes to OpenSSL", () => {
  const long: number[] = [];
  const sha256 = createWasmSha256(loadKernels(), (data) => {
    long.push(data.length);
    return data;
  });
  for (const length of [0, 119, 120]) sha256(new Uint8Array(length));
  assert.deepEqual(long, [120]);
});

test("views into larger buffers are taken from where they begin", () => {
  const { engine } = openEngine();
  const seed = systemRandom.bytes(32);
  const padded = (bytes: Uint8Array): Uint8Array => {
    const buffer = systemRandom.bytes(bytes.length + 20);
    buffer.set(bytes, 7);
    return buffer.subarray(7, 7 + bytes.length);
  };
  const signer = engine.mlDsa65.signer(padded(seed));
  const message = systemRandom.bytes(70);
  const context = systemRandom.bytes(9);
  const signature = signer.sign(padded(message), padded(context));
  const key = padded(signer.publicKey);
  assert.ok(engine.mlDsa65.verify(key, padded(message), Buffer.from(signature), padded(context)));
  assert.deepEqual(engine.sha256(padded(message)), native.sha256(message));
});
