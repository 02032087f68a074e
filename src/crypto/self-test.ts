// The start-up self-test in the manner of FIPS 140-3 (IG 10.3.A): a known answer for each algorithm, the refusals
// that security rests on, and a round trip with fresh keys. There is no way to go on after a failure.

import { concatBytes, equalBytes, isMeshError, MeshError, utf8Bytes } from "../foundation/index.ts";
import type { Meter } from "../ports/index.ts";
import { compositeSign, compositeVerify } from "./composite.ts";
import type {
  CryptoEngine,
  CryptoErrorCode,
  Ed25519Signer,
  KemKeyPair,
  MlDsaSigner,
} from "./engine.ts";
import { ED25519_ANSWERS, HASH_ANSWERS, KEM_ANSWERS, ML_DSA_ANSWERS } from "./self-test-vectors.ts";

/** What a self-test failure names. */
export type TestedAlgorithm =
  | "sha-256"
  | "sha-512"
  | "ml-kem-768"
  | "ml-dsa-65"
  | "ed25519"
  | "composite";

const MESSAGE = utf8Bytes("x0tta6bl4 self-test message");
const OTHER_MESSAGE = utf8Bytes("x0tta6bl4 self-test massage");
const CONTEXT = utf8Bytes("x0tta6bl4 self-test");
const OTHER_CONTEXT = utf8Bytes("x0tta6bl4 self-pest");

/**
 * Tests every algorithm of the engine; takes a few milliseconds with OpenSSL. The engine is not to be used after a failure.
 * @param meter told about the engine when all has passed
 * @throws MeshError `crypto/self-test-failed`, details `engine`, `algorithm`, `check`
 */
export function selfTest(engine: CryptoEngine, meter?: Meter): void {
  const tests: readonly [TestedAlgorithm, (engine: CryptoEngine, expect: Expect) => void][] = [
    ["sha-256", testSha256],
    ["sha-512", testSha512],
    ["ml-kem-768", testKem],
    ["ml-dsa-65", testMlDsa],
    ["ed25519", testEd25519],
    ["composite", testComposite],
  ];
  for (const [algorithm, test] of tests) run(engine, algorithm, test);
  meter?.set("meshd_crypto_engine_info", 1, { engine: engine.name });
}

/** Key pairs to check; each as `generate` or `signer` gave it. */
export interface GeneratedKeys {
  readonly mlKem768?: KemKeyPair;
  readonly mlDsa65?: MlDsaSigner;
  readonly ed25519?: Ed25519Signer;
}

/**
 * Pairwise consistency of freshly generated keys: what one half makes, the other half takes.
 * @throws MeshError `crypto/self-test-failed`; discard the keys
 */
export function pairwiseCheck(engine: CryptoEngine, keys: GeneratedKeys): void {
  const { mlKem768, mlDsa65, ed25519 } = keys;
  if (mlKem768 !== undefined) {
    run(engine, "ml-kem-768", (_, expect) => {
      pairwiseKem(engine, mlKem768, expect);
    });
  }
  if (mlDsa65 !== undefined) {
    run(engine, "ml-dsa-65", (_, expect) => {
      const signature = mlDsa65.sign(MESSAGE, CONTEXT);
      const valid = engine.mlDsa65.verify(mlDsa65.publicKey, MESSAGE, signature, CONTEXT);
      expect("pairwise consistency", valid);
    });
  }
  if (ed25519 !== undefined) {
    run(engine, "ed25519", (_, expect) => {
      const valid = engine.ed25519.verify(ed25519.publicKey, MESSAGE, ed25519.sign(MESSAGE));
      expect("pairwise consistency", valid);
    });
  }
}

type Expect = (check: string, holds: boolean) => void;

/** Runs one test; whatever goes wrong in it, a foreign exception too, becomes one error with the names. */
function run(
  engine: CryptoEngine,
  algorithm: TestedAlgorithm,
  test: (engine: CryptoEngine, expect: Expect) => void,
): void {
  let current = "known answer";
  const fail = (cause?: unknown): never => {
    throw new MeshError<CryptoErrorCode>(
      "crypto/self-test-failed",
      `Cannot trust the crypto engine '${engine.name}': ${algorithm} failed its self-test (${current}). Reinstall the package, or choose another engine; do not go on with this one.`,
      { engine: engine.name, algorithm, check: current },
      { cause },
    );
  };
  try {
    test(engine, (check, holds) => {
      current = check;
      if (!holds) fail();
    });
  } catch (error) {
    if (isMeshError(error, "crypto/self-test-failed")) throw error;
    current = `an operation after '${current}' threw`;
    fail(error);
  }
}

function testSha256(engine: CryptoEngine, expect: Expect): void {
  const known = HASH_ANSWERS.sha256;
  expect("known answer", equalBytes(engine.sha256(utf8Bytes("abc")), known));
  const twice = engine.sha256Batch(utf8Bytes("abcabc"), 2);
  expect("known answers of a batch", equalBytes(twice, concatBytes(known, known)));
}

function testSha512(engine: CryptoEngine, expect: Expect): void {
  expect("known answer", equalBytes(engine.sha512(utf8Bytes("abc")), HASH_ANSWERS.sha512));
}

function testKem(engine: CryptoEngine, expect: Expect): void {
  const known = KEM_ANSWERS;
  const pair = engine.mlKem768.generate(known.seed);
  const keyDigest = engine.sha256(pair.encapsulationKey);
  expect("known key", equalBytes(keyDigest, known.encapsulationKeySha256));
  expect("known shared secret", equalBytes(pair.decapsulate(known.ciphertext), known.sharedSecret));
  const rejected = pair.decapsulate(flipFirstBit(known.ciphertext));
  expect("implicit rejection", equalBytes(rejected, known.rejectionSecret));
  const unreduced = pair.encapsulationKey.slice();
  unreduced.set([0xff, 0xff, 0xff]); // two coefficients of 4095 >= 3329
  expect("refusal of an unreduced key", refusesKey(engine, unreduced));
  pairwiseKem(engine, pair, expect);
  const [fresh, second] = [engine.mlKem768.generate(), engine.mlKem768.generate()];
  expect("fresh keys differ", !equalBytes(fresh.encapsulationKey, second.encapsulationKey));
  pairwiseKem(engine, fresh, expect);
  for (const key of [pair, fresh, second]) key.destroy();
}

function pairwiseKem(engine: CryptoEngine, pair: KemKeyPair, expect: Expect): void {
  const one = engine.mlKem768.encapsulate(pair.encapsulationKey);
  const two = engine.mlKem768.encapsulate(pair.encapsulationKey);
  expect("pairwise consistency", equalBytes(pair.decapsulate(one.ciphertext), one.sharedSecret));
  expect("fresh secrets differ", !equalBytes(one.sharedSecret, two.sharedSecret));
}

function refusesKey(engine: CryptoEngine, encapsulationKey: Uint8Array): boolean {
  try {
    engine.mlKem768.encapsulate(encapsulationKey);
    return false;
  } catch (error) {
    return isMeshError(error, "crypto/bad-key");
  }
}

function testMlDsa(engine: CryptoEngine, expect: Expect): void {
  const { seed, publicKeySha256, message, context, signature } = ML_DSA_ANSWERS;
  const { mlDsa65 } = engine;
  const signer = mlDsa65.signer(seed);
  const key = signer.publicKey;
  expect("known key", equalBytes(engine.sha256(key), publicKeySha256));
  expect("known signature verifies", mlDsa65.verify(key, message, signature, context));
  const changed = flipFirstBit(signature);
  expect("changed signature is refused", !mlDsa65.verify(key, message, changed, context));
  const job = { publicKey: key, message, signature, context };
  const answers = mlDsa65.verifyBatch([job, { ...job, signature: changed }, job]);
  expect("a batch answers for each", answers.join() === "true,false,true");
  expect("other message is refused", !mlDsa65.verify(key, OTHER_MESSAGE, signature, context));
  expect("other context is refused", !mlDsa65.verify(key, message, signature, OTHER_CONTEXT));
  const deterministic = signDeterministically(signer);
  expect(
    "known signature is made",
    deterministic === undefined || equalBytes(deterministic, signature),
  );
  const one = signer.sign(MESSAGE, CONTEXT);
  const two = signer.sign(MESSAGE, CONTEXT);
  expect("pairwise consistency", mlDsa65.verify(key, MESSAGE, one, CONTEXT));
  expect("context is signed", !mlDsa65.verify(key, MESSAGE, one, OTHER_CONTEXT));
  expect("signing is hedged", !equalBytes(one, two));
  signer.destroy();
}

/** Undefined for an engine that draws its own randomizer. */
function signDeterministically(signer: MlDsaSigner): Uint8Array | undefined {
  try {
    return signer.sign(ML_DSA_ANSWERS.message, ML_DSA_ANSWERS.context, new Uint8Array(32));
  } catch (error) {
    if (isMeshError(error, "crypto/unsupported")) return undefined;
    throw error;
  }
}

function testEd25519(engine: CryptoEngine, expect: Expect): void {
  const { seed, publicKey, message, signature } = ED25519_ANSWERS;
  const { ed25519 } = engine;
  const signer = ed25519.signer(seed);
  expect("known key", equalBytes(signer.publicKey, publicKey));
  expect("known signature is made", equalBytes(signer.sign(message), signature));
  expect("known signature verifies", ed25519.verify(publicKey, message, signature));
  expect(
    "changed signature is refused",
    !ed25519.verify(publicKey, message, flipFirstBit(signature)),
  );
  expect("other message is refused", !ed25519.verify(publicKey, OTHER_MESSAGE, signature));
  signer.destroy();
}

function testComposite(engine: CryptoEngine, expect: Expect): void {
  const mldsa65 = engine.mlDsa65.signer(ML_DSA_ANSWERS.seed);
  const ed25519 = engine.ed25519.signer(ED25519_ANSWERS.seed);
  const keys = { mldsa65: mldsa65.publicKey, ed25519: ed25519.publicKey };
  const signature = compositeSign({ mldsa65, ed25519 }, engine, MESSAGE, CONTEXT);
  const valid = (message: Uint8Array, bytes: Uint8Array): boolean =>
    compositeVerify(engine, keys, message, CONTEXT, bytes);
  const badClassical = signature.slice();
  badClassical.set(flipFirstBit(signature.subarray(-64)), signature.length - 64);
  expect("round trip", valid(MESSAGE, signature));
  expect("other message is refused", !valid(OTHER_MESSAGE, signature));
  expect("changed ML-DSA half is refused", !valid(MESSAGE, flipFirstBit(signature)));
  expect("changed Ed25519 half is refused", !valid(MESSAGE, badClassical));
  mldsa65.destroy();
  ed25519.destroy();
}

function flipFirstBit(bytes: Uint8Array): Uint8Array {
  const flipped = bytes.slice();
  flipped[0] = (flipped[0] ?? 0) ^ 1;
  return flipped;
}
