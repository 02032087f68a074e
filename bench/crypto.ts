// Milliseconds of each operation of ML-DSA-65, ML-KEM-768, Ed25519 and the composite, every engine in one run.

import { systemRandom } from "../src/adapters/random.ts";
import { createNativeEngine } from "../src/adapters/crypto/native.ts";
import { createWasmEngine } from "../src/adapters/wasm/engine.ts";
import { VerificationPool } from "../src/adapters/wasm/verification-pool.ts";
import {
  type CryptoEngine,
  compositeSign,
  compositeVerify,
  createNobleEngine,
  HashChain,
  type MlDsaVerification,
  selfTest,
  verifyLink,
  verifyLinks,
} from "../src/crypto/index.ts";
import { utf8Bytes } from "../src/foundation/index.ts";
import { peerOperations } from "./crypto-peer.ts";
import {
  type BenchOptions,
  type BenchResult,
  type BenchSuite,
  measureMs,
  measureRate,
} from "./measure.ts";

const context = utf8Bytes("bench");
const message = systemRandom.bytes(256);

type Operations = Readonly<Record<string, () => unknown>>;

function signatures(engine: CryptoEngine): Operations {
  const seed = systemRandom.bytes(32);
  const mldsa65 = engine.mlDsa65.signer(seed);
  const ed25519 = engine.ed25519.signer(seed);
  const postQuantum = mldsa65.sign(message, context);
  const classical = ed25519.sign(message);
  const signer = { mldsa65, ed25519 };
  const publicKey = { mldsa65: mldsa65.publicKey, ed25519: ed25519.publicKey };
  const both = compositeSign(signer, engine, message, context);
  return {
    "ml-dsa-65/keygen": () => engine.mlDsa65.signer(systemRandom.bytes(32)),
    "ml-dsa-65/sign": () => mldsa65.sign(message, context),
    "ml-dsa-65/verify": () =>
      must(engine.mlDsa65.verify(mldsa65.publicKey, message, postQuantum, context)),
    "ed25519/sign": () => ed25519.sign(message),
    "ed25519/verify": () => must(engine.ed25519.verify(ed25519.publicKey, message, classical)),
    "composite/sign": () => compositeSign(signer, engine, message, context),
    "composite/verify": () => must(compositeVerify(engine, publicKey, message, context, both)),
  };
}

function kem(engine: CryptoEngine): Operations {
  const pair = engine.mlKem768.generate();
  const { ciphertext } = engine.mlKem768.encapsulate(pair.encapsulationKey);
  return {
    "ml-kem-768/keygen": () => engine.mlKem768.generate(),
    "ml-kem-768/encaps": () => engine.mlKem768.encapsulate(pair.encapsulationKey),
    "ml-kem-768/decaps": () => pair.decapsulate(ciphertext),
  };
}

function chain(engine: CryptoEngine): Operations {
  const seed = systemRandom.bytes(32);
  const owner = systemRandom.bytes(40);
  const made = new HashChain(engine, { seed, length: 256, context: owner });
  const claim = { engine, context: owner, lastLink: made.anchor, lastIndex: 0, stepsMax: 1 };
  const link = made.link(1);
  return {
    "hash-chain-256/make": () => new HashChain(engine, { seed, length: 256, context: owner }),
    "hash-chain/verify-1": () => must(verifyLink({ ...claim, link, index: 1 }).ok),
    "self-test": () => {
      selfTest(engine);
    },
  };
}

/** Verification by an engine that holds one key at a time, of two keys by turns: every key is met as if for the first time. */
function coldVerification({ mlDsa65 }: CryptoEngine): Operations {
  const signed = [1, 2].map((n) => {
    const signer = mlDsa65.signer(new Uint8Array(32).fill(n));
    return { key: signer.publicKey, signature: signer.sign(message, context) };
  });
  let turn = 0;
  return {
    "ml-dsa-65/verify-cold": () => {
      const { key, signature } = signed[turn++ & 1]!;
      must(mlDsa65.verify(key, message, signature, context));
    },
  };
}

/** The rows in which the engine wasm has its keys prepared, by names that say so. */
function prepared(operations: Operations): Operations {
  const row = (name: string): (() => unknown) => operations[name]!;
  return {
    "ml-dsa-65/verify-prepared": row("ml-dsa-65/verify"),
    "ml-dsa-65/sign-prepared": row("ml-dsa-65/sign"),
  };
}

/** Operations a second of what comes in batches, with how many one call does. */
interface Batch {
  readonly size: number;
  readonly call: () => void;
}

/** A signature of each of 32 peers. */
function signedJobs(engine: CryptoEngine): MlDsaVerification[] {
  return Array.from({ length: 32 }, () => {
    const signer = engine.mlDsa65.signer(systemRandom.bytes(32));
    const signature = signer.sign(message, context);
    return { publicKey: signer.publicKey, message, signature, context };
  });
}

/** Verification of signatures of 32 peers, and of one step of the chains of 256. */
function batches(engine: CryptoEngine): Readonly<Record<string, Batch>> {
  const jobs = signedJobs(engine);
  const claims = Array.from({ length: 256 }, () => {
    const owner = systemRandom.bytes(40);
    const made = new HashChain(engine, {
      seed: systemRandom.bytes(32),
      length: 64,
      context: owner,
    });
    const [lastLink, link] = [made.anchor, made.link(1)];
    return { context: owner, lastLink, lastIndex: 0, link, index: 1, stepsMax: 1 };
  });
  return {
    "ml-dsa-65/verify-batch-prepared": {
      size: jobs.length,
      call: () => {
        must(engine.mlDsa65.verifyBatch(jobs).every(Boolean));
      },
    },
    "hash-chain/verify-batch": {
      size: claims.length,
      call: () => {
        must(verifyLinks(engine, claims).every(({ ok }) => ok));
      },
    },
  };
}

/** Verification in threads, 16 calls of 32 signatures at a time: signatures a second in all. */
async function poolRate(engine: CryptoEngine, options: BenchOptions): Promise<BenchResult> {
  const pool = new VerificationPool();
  const jobs = signedJobs(engine);
  const round = async (): Promise<void> => {
    const calls = Array.from({ length: 16 }, () => pool.verify(jobs));
    must((await Promise.all(calls)).flat().every(Boolean));
  };
  await round();
  const row = await measureMs("crypto/wasm/ml-dsa-65/verify-pool", round, options);
  await pool.stop();
  const rate = (ms: number): number => (16 * jobs.length * 1000) / ms;
  const { value, p50, p95, p99 } = row;
  const rates = { value: rate(value), p50: rate(p50), p95: rate(p95), p99: rate(p99) };
  return { ...row, ...rates, unit: "ops/s" };
}

/** A call's rate as that of the operations in it. */
function times(row: BenchResult, size: number): BenchResult {
  const { value, p50, p95, p99, n } = row;
  const all = { value: value * size, p50: p50 * size, p95: p95 * size, p99: p99 * size };
  return { ...row, ...all, n: n * size };
}

/** A bench of refusals would measure the wrong thing. */
function must(valid: boolean): void {
  if (!valid) throw new Error("a valid signature or link was refused");
}

/** Rows `crypto/<engine>/<algorithm>/<operation>`. */
export const suite: BenchSuite = async (
  report: (row: BenchResult) => void,
  options: BenchOptions,
) => {
  const random = systemRandom;
  const engines = [
    { engine: createNativeEngine(), cold: createNativeEngine({ publicKeysMax: 1 }) },
    { engine: createNobleEngine(random), cold: createNobleEngine(random) },
    {
      engine: createWasmEngine({ random }),
      cold: createWasmEngine({ random }, { verificationKeysMax: 1 }),
    },
  ];
  for (const { engine, cold } of engines) {
    const operations = { ...signatures(engine), ...kem(engine), ...chain(engine) };
    const more = engine.name === "wasm" ? prepared(operations) : {};
    for (const [name, call] of Object.entries({
      ...operations,
      ...more,
      ...coldVerification(cold),
    })) {
      report(await measureMs(`crypto/${engine.name}/${name}`, call, options));
    }
    for (const [name, { size, call }] of Object.entries(batches(engine))) {
      report(times(measureRate(`crypto/${engine.name}/${name}`, call, options), size));
    }
    if (engine.name === "wasm") report(await poolRate(engine, options));
  }
  for (const [name, call] of Object.entries(await peerOperations(message))) {
    report(await measureMs(`crypto/peer/liboqs-wasm/${name}`, call, options));
  }
};
