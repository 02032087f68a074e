// Microseconds of the raw wasm ML-KEM-768 and SHA-256 kernels, beside node:crypto and noble doing the same in the same run.
// Run: node --import tsx bench/wasm-raw-kem.ts [seconds a row]
//
// "wasm" is the bare call on buffers already in wasm memory, "wasm with copies" what an engine adds: inputs copied in, outputs copied out.
// node:crypto gets its keys imported beforehand, which flatters it: the kernels start from encoded keys.

import {
  decapsulate as nativeDecapsulate,
  encapsulate as nativeEncapsulate,
  generateKeyPairSync,
  hash,
  randomBytes,
} from "node:crypto";
import { ml_kem768 } from "@noble/post-quantum/ml-kem.js";
import { accepted, loadParts, RawKem, SIZES } from "../test/vectors/wasm/raw-kem.ts";

const seconds = Number(process.argv[2] ?? 0.5);

interface Row {
  readonly engine: string;
  readonly call: () => unknown;
  /** Operations a call; 1 if absent. */
  readonly per?: number;
}

/** Microseconds an operation of a batch that takes about 4 ms. */
function sampler({ call, per = 1 }: Row): () => number {
  let batch = 1;
  const run = (): number => {
    const start = performance.now();
    for (let i = 0; i < batch; i++) call();
    return performance.now() - start;
  };
  for (const end = performance.now() + 100; performance.now() < end; ) call();
  while (run() < 4) batch *= 2;
  return () => (run() * 1000) / batch / per;
}

/** Rows measured in turn, batch by batch, so that a busy machine slows all of them alike; medians, and what the first row gains. */
function compare(operation: string, rows: readonly Row[]): void {
  const samplers = rows.map(sampler);
  const samples = rows.map((): number[] => []);
  for (const end = performance.now() + seconds * 1000 * rows.length; performance.now() < end; ) {
    for (const [i, sample] of samplers.entries()) samples[i]?.push(sample());
  }
  const medians = samples.map((all) => all.sort((a, b) => a - b)[all.length >> 1] ?? Number.NaN);
  for (const [i, row] of rows.entries()) {
    const us = medians[i] ?? Number.NaN;
    const ratio = us / (medians[0] ?? Number.NaN);
    const cells = [us.toFixed(3).padStart(10), "us", (1e6 / us).toFixed(0).padStart(9), "/s"];
    console.log(
      `${operation.padEnd(24)}${row.engine.padEnd(20)}${cells.join(" ")}  ${ratio.toFixed(2).padStart(6)}x`,
    );
  }
}

const kernels = await loadParts('export * from "./ml-kem";', 'export * from "./sha256";');
const kem = new RawKem(kernels);
const seed = new Uint8Array(randomBytes(SIZES.seed));
const m = new Uint8Array(randomBytes(SIZES.m));
const pair = accepted(kem.keygen(seed));
const { ct } = accepted(kem.encapsulate(pair.ek, m));

const seedAt = kernels.reserve(SIZES.seed);
const ekAt = kernels.reserve(SIZES.ek);
const dkAt = kernels.reserve(SIZES.dk);
const preparedAt = kernels.reserve(kernels.constant("ML_KEM_PREPARED_BYTES"));
const mAt = kernels.reserve(SIZES.m);
const ctAt = kernels.reserve(SIZES.ct);
const secretAt = kernels.reserve(SIZES.secret);
kernels.write(seedAt, seed);
kernels.write(mAt, m);
const keygen = kernels.raw("mlKem768Keygen");
const encapsulate = kernels.raw("mlKem768Encapsulate");
const decapsulate = kernels.raw("mlKem768Decapsulate");
const prepare = kernels.raw("mlKem768PrepareDecapsulationKey");
const native = generateKeyPairSync("ml-kem-768");
const sent = nativeEncapsulate(native.publicKey);
const noble = ml_kem768.keygen(seed);

compare("ml-kem-768/keygen", [
  { engine: "wasm", call: () => keygen(ekAt, dkAt, preparedAt, seedAt) },
  { engine: "wasm with copies", call: () => kem.keygen(seed) },
  { engine: "node:crypto", call: () => generateKeyPairSync("ml-kem-768") },
  { engine: "noble", call: () => ml_kem768.keygen(seed) },
]);
compare("ml-kem-768/encaps", [
  { engine: "wasm", call: () => encapsulate(ctAt, secretAt, ekAt, mAt) },
  { engine: "wasm with copies", call: () => kem.encapsulate(pair.ek, m) },
  { engine: "node:crypto", call: () => nativeEncapsulate(native.publicKey) },
  { engine: "noble", call: () => ml_kem768.encapsulate(noble.publicKey, m) },
]);
compare("ml-kem-768/decaps", [
  { engine: "wasm", call: () => decapsulate(secretAt, preparedAt, ctAt) },
  { engine: "wasm with copies", call: () => kem.decapsulate(ct) },
  { engine: "node:crypto", call: () => nativeDecapsulate(native.privateKey, sent.ciphertext) },
  { engine: "noble", call: () => ml_kem768.decapsulate(ct, noble.secretKey) },
]);
compare("ml-kem-768/prepare-dk", [{ engine: "wasm", call: () => prepare(preparedAt, dkAt) }]);

// A step of a chain whose context is a node id and an epoch: 23 + 1 + 40 + 4 + 32 bytes, two blocks.
const STEP_BYTES = 100;
const STRIDE = 112;
const COUNT = 256;
const steps = kernels.reserve(COUNT * STRIDE + 16);
const expected = kernels.reserve(COUNT * 32);
const matches = kernels.reserve(COUNT);
const sha256 = kernels.raw("sha256");
const batchMatches = kernels.raw("sha256BatchMatches");
kernels.write(steps, new Uint8Array(randomBytes(COUNT * STRIDE)));
kernels.call("sha256Batch", expected, steps, STRIDE, STEP_BYTES, COUNT);
const step = kernels.read(steps, STEP_BYTES);
for (const count of [COUNT, 16, 4, 1]) {
  compare(`chain step, batch ${count}`, [
    {
      engine: "wasm",
      per: count,
      call: () => batchMatches(matches, expected, steps, STRIDE, STEP_BYTES, count),
    },
    { engine: "node:crypto", call: () => hash("sha256", step, "buffer") },
  ]);
  if (kernels.read(matches, count).includes(0)) throw new Error("a right digest was refused");
}
compare("sha-256, 100 bytes", [
  { engine: "wasm", call: () => sha256(secretAt, steps, STEP_BYTES) },
  { engine: "node:crypto", call: () => hash("sha256", step, "buffer") },
]);
