// Milliseconds of each operation of ML-DSA-65, ML-KEM-768, Ed25519 and the composite, every engine in one run.

import { systemRandom } from "../src/adapters/random.ts";
import { createNativeEngine } from "../src/adapters/crypto/native.ts";
import {
  type CryptoEngine,
  compositeSign,
  compositeVerify,
  createNobleEngine,
  HashChain,
  selfTest,
  verifyLink,
} from "../src/crypto/index.ts";
import { utf8Bytes } from "../src/foundation/index.ts";
import { type BenchOptions, type BenchResult, type BenchSuite, measureMs } from "./measure.ts";

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

/** A bench of refusals would measure the wrong thing. */
function must(valid: boolean): void {
  if (!valid) throw new Error("a valid signature or link was refused");
}

/** Rows `crypto/<engine>/<algorithm>/<operation>`. */
export const suite: BenchSuite = async (
  report: (row: BenchResult) => void,
  options: BenchOptions,
) => {
  for (const engine of [createNativeEngine(), createNobleEngine(systemRandom)]) {
    const operations = { ...signatures(engine), ...kem(engine), ...chain(engine) };
    for (const [name, call] of Object.entries(operations)) {
      report(await measureMs(`crypto/${engine.name}/${name}`, call, options));
    }
  }
};
