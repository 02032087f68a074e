// Nanoseconds a call of the raw wasm kernels, beside node:crypto and noble doing the same in the same run.
// Run: node --import tsx bench/wasm-raw.ts [seconds a row]

import { createHash, createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import { ml_dsa65 } from "@noble/post-quantum/ml-dsa.js";
import { Kernels, MlDsaKernels } from "../test/vectors/wasm/kernels.ts";

const seconds = Number(process.argv[2] ?? 0.5);
const message = new Uint8Array(256).fill(7);

type Call = (round: number) => unknown;

/** A call in batches of about 5 ms; `per` is the number of operations a call. */
class Row {
  readonly engine: string;
  readonly #call: Call;
  readonly #per: number;
  readonly #samples: number[] = [];
  #batch = 1;
  #round = 0;

  constructor(engine: string, call: Call, per = 1) {
    this.engine = engine;
    this.#call = call;
    this.#per = per;
    // V8 compiles hot wasm a second time in the background: let it.
    for (const end = performance.now() + 200; performance.now() < end; ) {
      if (this.#run() < 4) this.#batch *= 2;
    }
  }

  #run(): number {
    const start = performance.now();
    for (let i = 0; i < this.#batch; i++) this.#call(this.#round++);
    return performance.now() - start;
  }

  sample(): void {
    this.#samples.push((this.#run() * 1e6) / this.#batch / this.#per);
  }

  /** The q-quantile of the samples: 0.5 the median, 0 the fastest. */
  ns(q: number): number {
    const sorted = Float64Array.from(this.#samples).sort();
    return sorted[Math.floor(q * (sorted.length - 1))] ?? Number.NaN;
  }
}

/** Measures rows in turn, batch by batch, so that a busy machine slows all of them alike; prints the median and the fastest. */
function compare(operation: string, ...rows: readonly Row[]): void {
  for (const end = performance.now() + seconds * 1000 * rows.length; performance.now() < end; ) {
    for (const row of rows) row.sample();
  }
  const native = rows.find(({ engine }) => engine === "node:crypto");
  const head = (text: string): string => text.padEnd(18);
  for (const row of rows) {
    const cells = [0.5, 0].map((q) => {
      const ratio = native === undefined ? "" : ` ${(native.ns(q) / row.ns(q)).toFixed(2)}x`;
      return `${row.ns(q).toFixed(0)} ns${ratio}`.padStart(20);
    });
    console.log(`${head(operation)}${head(row.engine)}${cells.join("")}`);
  }
}

const kernels = await Kernels.load();
const mlDsa = new MlDsaKernels(kernels);
const [slot, keySlot] = [mlDsa.signingKey, mlDsa.verificationKey];
const seed = kernels.reserve(32);
const state = kernels.reserve(400);

const pair = generateKeyPairSync("ml-dsa-65");
const raw = createPublicKey(pair.privateKey).export({ format: "der", type: "spki" });
const nobleSeed = new Uint8Array(32).fill(3);
const noble = ml_dsa65.keygen(nobleSeed);
const nativeSignature = sign(null, message, pair.privateKey);
const nobleSignature = ml_dsa65.sign(message, noble.secretKey);
const hedge = (round: number): Uint8Array => {
  const bytes = new Uint8Array(32);
  new DataView(bytes.buffer).setUint32(0, round);
  return bytes;
};

// The kernels' signature and mu stay in place for the rows that follow.
mlDsa.fromSeed(nobleSeed);
mlDsa.fromPublicKey(noble.publicKey);
const signature = mlDsa.sign(message);
if (!mlDsa.verify(message, signature)) throw new Error("The kernels refuse their own signature.");
kernels.write(seed, nobleSeed);
const [mu, random, scratch] = [mlDsa.mu, mlDsa.random, kernels.reserve(3312)];
const BATCH = 32;
const jobs = kernels.reserve(16 * BATCH);
for (let i = 0; i < BATCH; i++) {
  kernels.words(jobs, 4 * BATCH).set([keySlot, mu, mlDsa.signature, 0], 4 * i);
}
const call = (name: string) => kernels.raw(name);
const [verifyRaw, verifyBatch, signRaw] = [
  call("mlDsaVerify"),
  call("mlDsaVerifyBatch"),
  call("mlDsaSign"),
];
const [prepareVerification, prepareSigning] = [
  call("mlDsaPrepareVerificationKey"),
  call("mlDsaPrepareSigningKey"),
];
const muRaw = call("mlDsaMu");
const [permute, permuteTwo, shake] = [call("keccakF1600"), call("keccakF1600x2"), call("shake256")];
const text = kernels.reserve(message.length);
kernels.write(text, message);
const input = kernels.read(slot, 16_384);
const tr = keySlot + kernels.constant("ML_DSA_VERIFICATION_KEY_TR");
const digestMessage = () => muRaw(mu, tr, text, 0, text, message.length);

console.log(
  `${"".padEnd(36)}${"median".padStart(20)}${"fastest".padStart(20)}  (x: node:crypto's time)`,
);
compare(
  "keccak-f1600",
  new Row("wasm", () => permute(state)),
  new Row("wasm, of two", () => permuteTwo(state), 2),
);
compare(
  "shake256 16 KiB",
  new Row("node:crypto", () => createHash("shake256", { outputLength: 64 }).update(input).digest()),
  new Row("wasm", () => shake(scratch, 64, slot, input.length)),
);
// mu of the 256-byte message is part of every row; signing changes the hedge each time, so rounds average out.
compare(
  "verify, prepared",
  new Row("node:crypto", () => verify(null, message, pair.publicKey, nativeSignature)),
  new Row("noble", () => ml_dsa65.verify(nobleSignature, message, noble.publicKey)),
  new Row("wasm", () => {
    digestMessage();
    return verifyRaw(keySlot, mu, mlDsa.signature);
  }),
  new Row("wasm, batch", () => verifyBatch(jobs, BATCH), BATCH),
);
compare(
  "verify, cold",
  new Row("node:crypto", () => {
    const key = createPublicKey({ key: raw, format: "der", type: "spki" });
    return verify(null, message, key, nativeSignature);
  }),
  new Row("wasm", () => {
    prepareVerification(keySlot, mlDsa.publicKey);
    digestMessage();
    return verifyRaw(keySlot, mu, mlDsa.signature);
  }),
);
compare(
  "sign, prepared",
  new Row("node:crypto", () => sign(null, message, pair.privateKey)),
  new Row("noble", (round) =>
    ml_dsa65.sign(message, noble.secretKey, { extraEntropy: hedge(round) }),
  ),
  new Row("wasm", (round) => {
    kernels.words(random, 8)[0] = round;
    digestMessage();
    return signRaw(slot, mu, random, scratch);
  }),
);
compare(
  "keygen",
  new Row("node:crypto", () => generateKeyPairSync("ml-dsa-65")),
  new Row("noble", () => ml_dsa65.keygen(nobleSeed)),
  new Row("wasm", () => prepareSigning(slot, seed, mlDsa.publicKey, 0)),
);
