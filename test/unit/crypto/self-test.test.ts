// The self-test passes good engines and catches a fault in any single operation.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type CryptoEngine,
  cryptoMetrics,
  type Ed25519Signer,
  type KemKeyPair,
  type MlDsaSigner,
  pairwiseCheck,
  selfTest,
} from "../../../src/crypto/index.ts";
import { isMeshError } from "../../../src/foundation/index.ts";
import { engines, flipBit } from "./support.ts";

const good = engines[0] ?? assert.fail("there is an engine");
const { mlKem768, mlDsa65, ed25519 } = good;

/** The engine with other KEM operations. */
const withKem = (change: Partial<CryptoEngine["mlKem768"]>): CryptoEngine => ({
  ...good,
  mlKem768: { ...mlKem768, ...change },
});
/** The engine whose KEM pairs are changed. */
const withPair = (change: (pair: KemKeyPair) => Partial<KemKeyPair>): CryptoEngine =>
  withKem({
    generate: (seed) => {
      const pair = mlKem768.generate(seed);
      return { ...pair, ...change(pair) };
    },
  });
const withMlDsa = (change: Partial<CryptoEngine["mlDsa65"]>): CryptoEngine => ({
  ...good,
  mlDsa65: { ...mlDsa65, ...change },
});
const withMlDsaSigner = (change: (signer: MlDsaSigner) => Partial<MlDsaSigner>): CryptoEngine =>
  withMlDsa({
    signer: (seed) => {
      const signer = mlDsa65.signer(seed);
      return { ...signer, ...change(signer) };
    },
  });
const withEd25519 = (change: Partial<CryptoEngine["ed25519"]>): CryptoEngine => ({
  ...good,
  ed25519: { ...ed25519, ...change },
});
const withEd25519Signer = (change: (s: Ed25519Signer) => Partial<Ed25519Signer>): CryptoEngine =>
  withEd25519({
    signer: (seed) => {
      const signer = ed25519.signer(seed);
      return { ...signer, ...change(signer) };
    },
  });

const fixedSeed = new Uint8Array(64).fill(9);
const stuckPair = mlKem768.generate(fixedSeed);
const constantSecret = new Uint8Array(32).fill(1);

const faults: Readonly<Record<string, readonly [algorithm: string, engine: CryptoEngine]>> = {
  "sha256 wrong": ["sha-256", { ...good, sha256: (data) => flipBit(good.sha256(data)) }],
  "sha256 of a batch wrong": [
    "sha-256",
    { ...good, sha256Batch: (messages, count) => flipBit(good.sha256Batch(messages, count), 32) },
  ],
  "sha512 wrong": ["sha-512", { ...good, sha512: (data) => flipBit(good.sha512(data)) }],
  "ml-dsa: a batch with one answer for all": [
    "ml-dsa-65",
    withMlDsa({ verifyBatch: (jobs) => jobs.map(() => true) }),
  ],
  "kem: key wrong": [
    "ml-kem-768",
    withPair((pair) => ({ encapsulationKey: flipBit(pair.encapsulationKey) })),
  ],
  "kem: generate ignores the seed": [
    "ml-kem-768",
    withKem({ generate: () => mlKem768.generate() }),
  ],
  "kem: fresh keys are stuck": [
    "ml-kem-768",
    withKem({ generate: (seed) => mlKem768.generate(seed ?? fixedSeed) }),
  ],
  "kem: decapsulation wrong": [
    "ml-kem-768",
    withPair((pair) => ({ decapsulate: (c) => flipBit(pair.decapsulate(c)) })),
  ],
  "kem: decapsulation constant": [
    "ml-kem-768",
    withPair(() => ({ decapsulate: () => constantSecret })),
  ],
  "kem: no implicit rejection": [
    "ml-kem-768",
    withPair((pair) => {
      let accepted: Uint8Array | undefined; // the first secret, given for every ciphertext after
      return { decapsulate: (c) => (accepted ??= pair.decapsulate(c)) };
    }),
  ],
  "kem: rejection throws": [
    "ml-kem-768",
    withPair((pair) => {
      let calls = 0;
      return {
        decapsulate: (c) => {
          if (++calls === 2) throw new Error("wrong ciphertext");
          return pair.decapsulate(c);
        },
      };
    }),
  ],
  "kem: encapsulated secret wrong": [
    "ml-kem-768",
    withKem({
      encapsulate: (key) => {
        const made = mlKem768.encapsulate(key);
        return { ...made, sharedSecret: flipBit(made.sharedSecret) };
      },
    }),
  ],
  "kem: no modulus check": [
    "ml-kem-768",
    withKem({
      encapsulate: (key) => {
        try {
          return mlKem768.encapsulate(key);
        } catch {
          return mlKem768.encapsulate(stuckPair.encapsulationKey);
        }
      },
    }),
  ],
  "kem: encapsulation is stuck": [
    "ml-kem-768",
    (() => {
      const made = new Map<string, ReturnType<typeof mlKem768.encapsulate>>();
      return withKem({
        encapsulate: (key) => {
          const id = Buffer.from(key).toString("hex");
          const held = made.get(id) ?? mlKem768.encapsulate(key);
          made.set(id, held);
          return held;
        },
      });
    })(),
  ],
  "ml-dsa: key wrong": [
    "ml-dsa-65",
    withMlDsaSigner((signer) => ({ publicKey: flipBit(signer.publicKey, 1951) })),
  ],
  "ml-dsa: signature wrong": [
    "ml-dsa-65",
    withMlDsaSigner((signer) => ({ sign: (m, c) => flipBit(signer.sign(m, c), 100) })),
  ],
  "ml-dsa: signer ignores the context": [
    "ml-dsa-65",
    withMlDsaSigner((signer) => ({ sign: (m) => signer.sign(m, new Uint8Array(0)) })),
  ],
  "ml-dsa: signing is not hedged": [
    "ml-dsa-65",
    withMlDsaSigner((signer) => {
      let held: Uint8Array | undefined;
      return { sign: (m, c) => (held ??= signer.sign(m, c)) };
    }),
  ],
  "ml-dsa: deterministic signature wrong": [
    "ml-dsa-65",
    withMlDsaSigner((signer) => ({ sign: (m, c) => signer.sign(m, c) })),
  ],
  "ml-dsa: verify always true": ["ml-dsa-65", withMlDsa({ verify: () => true })],
  "ml-dsa: verify always false": ["ml-dsa-65", withMlDsa({ verify: () => false })],
  "ml-dsa: verify throws": [
    "ml-dsa-65",
    withMlDsa({
      verify: () => {
        throw new TypeError("broken");
      },
    }),
  ],
  "ed25519: key wrong": [
    "ed25519",
    withEd25519Signer((signer) => ({ publicKey: flipBit(signer.publicKey) })),
  ],
  "ed25519: signature wrong": [
    "ed25519",
    withEd25519Signer((signer) => ({ sign: (m) => flipBit(signer.sign(m)) })),
  ],
  "ed25519: verify always true": ["ed25519", withEd25519({ verify: () => true })],
  "ed25519: verify always false": ["ed25519", withEd25519({ verify: () => false })],
};

for (const engine of engines) {
  test(`${engine.name} passes its self-test and is then reported as in use`, () => {
    const moved: unknown[] = [];
    const meter = {
      count: () => assert.fail("nothing is counted"),
      observe: () => assert.fail("nothing is observed"),
      set: (...call: unknown[]) => moved.push(call),
    };
    selfTest(engine, meter);
    assert.deepEqual(moved, [["meshd_crypto_engine_info", 1, { engine: engine.name }]]);
    assert.ok(cryptoMetrics.some(({ name }) => name === "meshd_crypto_engine_info"));
  });
}

for (const [fault, [algorithm, engine]] of Object.entries(faults)) {
  test(`the self-test catches: ${fault}`, () => {
    assert.throws(
      () => {
        selfTest(engine, { count() {}, observe() {}, set: () => assert.fail("must not pass") });
      },
      (error) => {
        assert.ok(isMeshError(error, "crypto/self-test-failed"));
        assert.equal(error.details["algorithm"], algorithm, error.message);
        assert.equal(error.details["engine"], "native");
        return true;
      },
    );
  });
}

test("the composite test catches an engine that answers wrongly only for the composite label", () => {
  const label = "COMPSIG-MLDSA65-Ed25519-SHA512";
  const engine = withMlDsa({
    verify: (key, message, signature, context) =>
      Buffer.from(context).toString() === label || mlDsa65.verify(key, message, signature, context),
  });
  assert.throws(
    () => {
      selfTest(engine);
    },
    {
      code: "crypto/self-test-failed",
      details: {
        engine: "native",
        algorithm: "composite",
        check: "changed ML-DSA half is refused",
      },
    },
  );
});

test("pairwise consistency passes matching halves and refuses mixed ones", () => {
  const seed = new Uint8Array(32);
  const keys = {
    mlKem768: mlKem768.generate(),
    mlDsa65: mlDsa65.signer(seed),
    ed25519: ed25519.signer(seed),
  };
  pairwiseCheck(good, keys);
  pairwiseCheck(good, {});
  const other = new Uint8Array(32).fill(1);
  const failed = { code: "crypto/self-test-failed" };
  const mixed = [
    { mlKem768: { ...keys.mlKem768, encapsulationKey: stuckPair.encapsulationKey } },
    { mlDsa65: { ...keys.mlDsa65, publicKey: mlDsa65.signer(other).publicKey } },
    { ed25519: { ...keys.ed25519, publicKey: ed25519.signer(other).publicKey } },
  ];
  for (const pair of mixed) {
    assert.throws(() => {
      pairwiseCheck(good, pair);
    }, failed);
  }
});
