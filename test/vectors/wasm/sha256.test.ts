// The wasm SHA-256 over its raw exports, against node:crypto: every short length, alone and in batches.

import assert from "node:assert/strict";
import { hash, randomBytes } from "node:crypto";
import { test } from "node:test";
import { loadParts, reserveUnaligned } from "./raw-kem.ts";

const kernels = await loadParts('export * from "./sha256";');
const sha256 = kernels.raw("sha256");
const sha256Batch = kernels.raw("sha256Batch");
const sha256BatchMatches = kernels.raw("sha256BatchMatches");
const LENGTH_MAX = kernels.constant("SHA256_BATCH_BYTES_MAX");
const COUNT_MAX = 70;
const STRIDE = 128;

const input = reserveUnaligned(kernels, COUNT_MAX * STRIDE + 16);
const output = reserveUnaligned(kernels, COUNT_MAX * 32 + 1);
const matches = reserveUnaligned(kernels, COUNT_MAX + 1);

function digestOf(data: Uint8Array): Uint8Array {
  return new Uint8Array(hash("sha256", data, "buffer"));
}

test("one message of every length from 0 to 200, and some longer ones", () => {
  for (const length of [...Array(201).keys(), 255, 256, 1000, 4096, 8000]) {
    const message = randomBytes(length);
    kernels.write(input, message);
    sha256(output, input, length);
    assert.deepEqual(kernels.read(output, 32), digestOf(message), `length ${length}`);
  }
});

test("the published digests of nothing and of abc", () => {
  kernels.write(input, new TextEncoder().encode("abc"));
  sha256(output, input, 3);
  const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  assert.equal(Buffer.from(kernels.read(output, 32)).toString("hex"), abc);
  sha256(output, input, 0);
  const nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  assert.equal(Buffer.from(kernels.read(output, 32)).toString("hex"), nothing);
});

test("batches of every length and of counts around multiples of four; nothing is written past the last digest", () => {
  for (let length = 0; length <= LENGTH_MAX; length++) {
    for (const count of [1, 2, 3, 4, 5, 7, 8, COUNT_MAX]) {
      const messages = randomBytes(count * STRIDE);
      kernels.write(input, messages);
      kernels.write(output + 32 * count, Uint8Array.of(0xa5));
      sha256Batch(output, input, STRIDE, length, count);
      for (let i = 0; i < count; i++) {
        const message = messages.subarray(i * STRIDE, i * STRIDE + length);
        const digest = kernels.read(output + 32 * i, 32);
        assert.deepEqual(digest, digestOf(message), `length ${length}, message ${i} of ${count}`);
      }
      assert.equal(kernels.read(output + 32 * count, 1)[0], 0xa5);
    }
  }
});

test("a stride may be the length itself, and an empty batch does nothing", () => {
  const messages = randomBytes(9 * 61);
  kernels.write(input, messages);
  sha256Batch(output, input, 61, 61, 9);
  for (let i = 0; i < 9; i++) {
    assert.deepEqual(
      kernels.read(output + 32 * i, 32),
      digestOf(messages.subarray(61 * i, 61 * i + 61)),
    );
  }
  const before = kernels.read(output, 64);
  sha256Batch(output, input, 61, 61, 0);
  assert.deepEqual(kernels.read(output, 64), before);
});

test("the comparing form tells apart a right digest and one with any single bit wrong", () => {
  const count = 7;
  const length = 100;
  const messages = randomBytes(count * STRIDE);
  kernels.write(input, messages);
  const expected = Array.from({ length: count }, (_, i) =>
    digestOf(messages.subarray(i * STRIDE, i * STRIDE + length)),
  );
  for (let bit = -1; bit < 256; bit++) {
    const wrong = ((bit % count) + count) % count;
    for (const [i, digest] of expected.entries()) {
      const claimed = digest.slice();
      if (bit >= 0 && i === wrong) claimed[bit >> 3] = (claimed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      kernels.write(output + 32 * i, claimed);
    }
    kernels.write(matches, new Uint8Array(count + 1).fill(0xa5));
    sha256BatchMatches(matches, output, input, STRIDE, length, count);
    const answers = expected.map((_, i) => (bit >= 0 && i === wrong ? 0 : 1));
    assert.deepEqual([...kernels.read(matches, count + 1)], [...answers, 0xa5], `bit ${bit}`);
  }
});

test(`a batch of messages of ${LENGTH_MAX + 1} bytes traps before anything is written`, () => {
  const before = kernels.read(output, 32);
  assert.throws(() => sha256Batch(output, input, STRIDE, LENGTH_MAX + 1, 1), {
    name: "RuntimeError",
  });
  assert.deepEqual(kernels.read(output, 32), before);
});

test("no message and no digest stays in the module's own memory", () => {
  const messages = randomBytes(4 * STRIDE);
  kernels.write(input, messages);
  sha256(output, input, 119);
  sha256Batch(output, input, STRIDE, 119, 4);
  sha256BatchMatches(matches, output, input, STRIDE, 119, 4);
  const own = Buffer.from(kernels.read(0, kernels.call("heapBase")));
  for (const secret of [
    messages.subarray(0, 8),
    messages.subarray(104, 112),
    kernels.read(output, 8),
  ]) {
    assert.equal(own.indexOf(secret), -1);
    assert.equal(own.indexOf(Buffer.from(secret).swap32()), -1);
  }
});
