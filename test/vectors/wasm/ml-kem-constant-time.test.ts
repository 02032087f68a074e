// Secrets steer neither control flow nor addresses: the instrumented module's traces are equal for different secrets.
// What a processor makes of equal traces is the business of the timing bench.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { type Trace, TracedModule } from "./traced.ts";

const module = await TracedModule.load(`
  export * from "./ml-kem";
  export * from "./sha256";
  export { sampleNoises } from "./ml-kem/hashes";
  export { completeKey } from "./ml-kem/pke";
  export { NOISE } from "./ml-kem/scratch";
`);
const PREPARED_BYTES = module.constant("ML_KEM_PREPARED_BYTES");
const [seed, ek, dk, prepared] = [64, 1184, 2400, PREPARED_BYTES].map((n) => module.reserve(n)) as [
  number,
  number,
  number,
  number,
];
const [m, ct, secret] = [32, 1088, 32].map((length) => module.reserve(length)) as [
  number,
  number,
  number,
];

function random(length: number): Uint8Array {
  return new Uint8Array(randomBytes(length));
}

/** All runs gave one trace, and not an empty one. */
function assertSame(traces: readonly Trace[]): void {
  const [first] = traces;
  assert.ok(first !== undefined && first.events > 100 && traces.length > 1);
  for (const trace of traces) assert.deepEqual(trace, first);
}

function times<T>(count: number, make: (round: number) => T): T[] {
  return Array.from({ length: count }, (_, round) => make(round));
}

function newKey(): void {
  module.write(seed, random(64));
  module.trace("mlKem768Keygen", ek, dk, prepared, seed);
}

test("decapsulation takes one path for all keys, and for accepted and rejected ciphertexts", () => {
  const traces = times(12, (round) => {
    newKey();
    module.write(m, random(32));
    module.trace("mlKem768Encapsulate", ct, secret, ek, m);
    const made = module.read(secret, 32);
    if (round % 3 === 1) module.write(ct + 500, random(1));
    if (round % 3 === 2) module.write(ct, random(1088));
    const trace = module.trace("mlKem768Decapsulate", secret, prepared, ct);
    if (round % 3 === 0) assert.deepEqual(module.read(secret, 32), made);
    return trace;
  });
  assertSame(traces);
});

test("encapsulation to one key takes one path for all messages", () => {
  newKey();
  const encapsulate = (): Trace => {
    module.write(m, random(32));
    return module.trace("mlKem768Encapsulate", ct, secret, ek, m);
  };
  const traces = times(8, encapsulate);
  assertSame(traces);
  // The tracer is not blind: the public matrix of another key is sampled along another path.
  newKey();
  assert.notEqual(encapsulate().digest, traces[0]?.digest);
});

test("preparing takes one path for all secrets beside one public key", () => {
  newKey();
  const traces = times(6, () => {
    module.write(dk, random(1152));
    module.write(dk + 2368, random(32));
    return module.trace("mlKem768PrepareDecapsulationKey", prepared, dk);
  });
  assertSame(traces);
});

test("key generation's secret parts, noise and the rest, take one path", () => {
  const noise = module.constant("NOISE");
  const sigma = module.reserve(32);
  newKey();
  const sampled = times(6, () => {
    module.write(sigma, random(32));
    return module.trace("sampleNoises", sigma, 0, 7);
  });
  assertSame(sampled);
  const completed = times(6, () => {
    const small = Int16Array.from({ length: 6 * 256 }, () => ((randomBytes(1)[0] ?? 0) % 5) - 2);
    module.write(noise, new Uint8Array(small.buffer));
    return module.trace("completeKey", prepared, ek, dk);
  });
  assertSame(completed);
});

test("hashing takes one path for all messages of a length", () => {
  const input = module.reserve(8 * 112 + 16);
  const output = module.reserve(8 * 32);
  const matches = module.reserve(8);
  for (const call of [
    () => module.trace("sha256", output, input, 100),
    () => module.trace("sha256Batch", output, input, 112, 100, 7),
    () => module.trace("sha256BatchMatches", matches, output, input, 112, 100, 7),
  ]) {
    const traces = times(4, () => {
      module.write(input, random(8 * 112));
      return call();
    });
    assertSame(traces);
  }
});
