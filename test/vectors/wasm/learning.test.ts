// Every learning kernel gives its golden digest, and so does its twin in TypeScript. arm64.test.ts runs this file on the other architecture.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DIGESTS, kernelDigests, plainTwins, wasmKernels } from "./learning-digests.ts";

const wasm = kernelDigests(wasmKernels());
const plain = kernelDigests(plainTwins);

for (const [name, digest] of Object.entries(DIGESTS)) {
  test(`${name} has its golden digest, in wasm and in TypeScript`, () => {
    assert.equal(wasm[name], digest);
    assert.equal(plain[name], digest);
  });
}

test("every kernel has a golden digest", () => {
  assert.deepEqual(Object.keys(wasm), Object.keys(DIGESTS));
});
