// What the conformance tests share: the engines under test, the published vectors and the accumulated tests' streams.

import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { createNativeEngine } from "../../../src/adapters/crypto/native.ts";
import { systemRandom } from "../../../src/adapters/random.ts";
import { createWasmEngine } from "../../../src/adapters/wasm/engine.ts";
import { type CryptoEngine, createNobleEngine } from "../../../src/crypto/index.ts";

const directory = new URL("../../../../shared/vectors/", import.meta.url);

/** For `test(..., { skip })`: false when the vectors are there, else the reason. */
export const skipWithoutVectors: string | false = existsSync(directory)
  ? false
  : "the published vectors (../shared/vectors) are absent";

export const nativeEngine = createNativeEngine();
export const nobleEngine = createNobleEngine(systemRandom);
export const engines: readonly CryptoEngine[] = [
  nativeEngine,
  nobleEngine,
  createWasmEngine({ random: systemRandom }),
];

/** A vector file. Its shape is asserted by the reader without a check: what does not fit fails the test. */
export function readVectors(path: string): unknown {
  return JSON.parse(readFileSync(new URL(path, directory), "utf8"));
}

/** Lines of a gzipped text file. */
export function readGzipLines(path: string): string[] {
  const text = gunzipSync(readFileSync(new URL(path, directory))).toString("utf8");
  return text.split("\n").filter((line) => line !== "");
}

/** Counts cases by what became of them, for one line in the test's output. */
export class Tally {
  #run = 0;
  readonly #skipped = new Map<string, number>();

  ran(): void {
    this.#run++;
  }

  skipped(reason: string): void {
    this.#skipped.set(reason, (this.#skipped.get(reason) ?? 0) + 1);
  }

  get runCount(): number {
    return this.#run;
  }

  toString(): string {
    const skipped = [...this.#skipped].map(([reason, count]) => `${count} skipped: ${reason}`);
    return [`${this.#run} cases run`, ...skipped].join("; ");
  }
}

/** The first bytes of SHAKE-128 over nothing, taken piece by piece. */
export function shakeStream(bytesMax: number): (length: number) => Uint8Array {
  const stream = createHash("shake128", { outputLength: bytesMax }).digest();
  let offset = 0;
  return (length) => {
    offset += length;
    if (offset > bytesMax) throw new RangeError("the stream is too short");
    return new Uint8Array(stream.subarray(offset - length, offset));
  };
}
