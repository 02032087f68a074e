// The engines under test, native first, and an engine with one fault.

import { createNativeEngine } from "../../../src/adapters/crypto/native.ts";
import { systemRandom } from "../../../src/adapters/random.ts";
import { createWasmEngine } from "../../../src/adapters/wasm/engine.ts";
import { type CryptoEngine, createNobleEngine } from "../../../src/crypto/index.ts";

export const engines: readonly CryptoEngine[] = [
  createNativeEngine(),
  createNobleEngine(systemRandom),
  createWasmEngine({ random: systemRandom }),
];

export const none = new Uint8Array(0);

/** The bytes with one bit of byte `at` flipped. */
export function flipBit(bytes: Uint8Array, at = 0): Uint8Array {
  const flipped = bytes.slice();
  flipped[at] = (flipped[at] ?? 0) ^ 1;
  return flipped;
}
