// ML-DSA-65 over the wasm kernels. A mesh verifies the same few hundred keys again and again, so verification keys stay prepared in wasm
// memory, found by their bytes; callers see no handles. A signer is its 32-byte seed here and a prepared key there; both are wiped by `destroy`.

import {
  destroyedError,
  ML_DSA_65,
  type MlDsa,
  type MlDsaSigner,
  type MlDsaVerification,
  requireContext,
  requireLength,
} from "../../crypto/index.ts";
import { assert } from "../../foundation/index.ts";
import type { Meter, Random } from "../../ports/index.ts";
import type { Kernels } from "./kernels.ts";
import { PreparedKeys } from "./prepared-keys.ts";
import { VerificationBatch } from "./verification-batch.ts";

const { seedBytes, publicKeyBytes, signatureBytes, contextBytesMax } = ML_DSA_65;
const RANDOMIZER_BYTES = 32;
/** FIPS 204 algorithm 7: tr and mu have 64 bytes. */
const TR_BYTES = 64;
const MU_BYTES = 64;
/** A message is absorbed in pieces of so many bytes, so that one of any length needs no more room. */
const PIECE_BYTES = 16_384;

export interface WasmMlDsaDeps {
  readonly kernels: Kernels;
  readonly random: Random;
  readonly meter: Meter | undefined;
}

export interface WasmMlDsaOptions {
  readonly verificationKeysMax: number;
  readonly signingKeysMax: number;
}

/** Makes ML-DSA-65. */
export function createWasmMlDsa(deps: WasmMlDsaDeps, options: WasmMlDsaOptions): MlDsa {
  const work = new MlDsaWork(deps, options);
  return {
    signer(seed) {
      requireLength("an ML-DSA-65 seed", seed, seedBytes);
      return mlDsaSigner(work, deps.random, new Uint8Array(seed));
    },
    verify(publicKey, message, signature, context) {
      return work.verify({ publicKey, message, signature, context });
    },
    verifyBatch: (jobs) => work.verifyBatch(jobs),
  };
}

/** Takes the seed over. */
function mlDsaSigner(work: MlDsaWork, random: Random, seed: Uint8Array): MlDsaSigner {
  let live = true;
  return {
    publicKey: work.publicKey(seed),
    sign(message, context, randomizer) {
      if (!live) throw destroyedError("an ML-DSA-65 key");
      requireContext(context);
      if (randomizer !== undefined)
        requireLength("an ML-DSA randomizer", randomizer, RANDOMIZER_BYTES);
      const hedge = randomizer ?? random.bytes(RANDOMIZER_BYTES);
      const signature = work.sign(seed, message, context, hedge);
      if (randomizer === undefined) hedge.fill(0);
      return signature;
    },
    destroy() {
      live = false;
      work.release(seed);
      seed.fill(0);
    },
  };
}

/**
 * Buffers in wasm memory and the prepared keys: verification keys by their bytes as text, signing keys by the array that holds their seed.
 * What is secret leaves the buffers before a call ends.
 */
class MlDsaWork {
  readonly #kernels: Kernels;
  readonly #verificationKeys: PreparedKeys<string>;
  readonly #signingKeys: PreparedKeys<Uint8Array>;
  readonly #seed: number;
  readonly #publicKey: number;
  readonly #signature: number;
  readonly #randomizer: number;
  readonly #mu: number;
  readonly #sponge: number;
  readonly #piece: number;
  readonly #batch: VerificationBatch;

  constructor({ kernels, meter }: WasmMlDsaDeps, options: WasmMlDsaOptions) {
    const { exports } = kernels;
    this.#kernels = kernels;
    this.#seed = kernels.reserve(seedBytes);
    this.#publicKey = kernels.reserve(publicKeyBytes);
    this.#signature = kernels.reserve(signatureBytes);
    this.#randomizer = kernels.reserve(RANDOMIZER_BYTES);
    this.#mu = kernels.reserve(MU_BYTES);
    this.#sponge = kernels.reserve(exports.SPONGE_BYTES.value);
    this.#piece = kernels.reserve(PIECE_BYTES);
    this.#batch = new VerificationBatch(kernels);
    this.#verificationKeys = new PreparedKeys(
      { kernels, meter },
      {
        kind: "verification",
        slotBytes: exports.ML_DSA_VERIFICATION_KEY_BYTES.value,
        keysMax: options.verificationKeysMax,
      },
    );
    this.#signingKeys = new PreparedKeys(
      { kernels, meter },
      {
        kind: "signing",
        slotBytes: exports.ML_DSA_SIGNING_KEY_BYTES.value,
        keysMax: options.signingKeysMax,
      },
    );
  }

  verify(job: MlDsaVerification): boolean {
    if (!hasRightLengths(job)) return false;
    const { exports } = this.#kernels;
    const key = this.#verificationKey(textOf(job.publicKey), job.publicKey);
    this.#deriveMu(this.#mu, key + exports.ML_DSA_VERIFICATION_KEY_TR.value, job);
    this.#kernels.write(this.#signature, job.signature);
    return exports.mlDsaVerify(key, this.#mu, this.#signature) === 1;
  }

  /** The jobs since the last call into the kernels keep their keys: none of a batch evicts another of it. */
  verifyBatch(jobs: readonly MlDsaVerification[]): boolean[] {
    const { ML_DSA_VERIFICATION_KEY_TR } = this.#kernels.exports;
    const valid = jobs.map(() => false);
    const keys = new Set<string>();
    const batch = this.#batch;
    batch.clear();
    for (const [place, job] of jobs.entries()) {
      if (!hasRightLengths(job)) continue;
      const name = textOf(job.publicKey);
      if (batch.full || (!keys.has(name) && keys.size >= this.#verificationKeys.slots)) {
        batch.run(valid);
        keys.clear();
      }
      keys.add(name);
      const key = this.#verificationKey(name, job.publicKey);
      const mu = batch.add({ place, key, signature: job.signature });
      this.#deriveMu(mu, key + ML_DSA_VERIFICATION_KEY_TR.value, job);
    }
    batch.run(valid);
    return valid;
  }

  /** Prepares the key of a seed; gives its public key. */
  publicKey(seed: Uint8Array): Uint8Array {
    this.#signingKey(seed);
    return this.#kernels.read(this.#publicKey, publicKeyBytes);
  }

  sign(
    seed: Uint8Array,
    message: Uint8Array,
    context: Uint8Array,
    randomizer: Uint8Array,
  ): Uint8Array {
    const { exports } = this.#kernels;
    const key = this.#signingKey(seed);
    this.#deriveMu(this.#mu, key + exports.ML_DSA_SIGNING_KEY_TR.value, { message, context });
    this.#kernels.write(this.#randomizer, randomizer);
    const rounds = exports.mlDsaSign(key, this.#mu, this.#randomizer, this.#signature);
    this.#kernels.wipe(this.#randomizer, RANDOMIZER_BYTES);
    assert(rounds > 0, "ML-DSA-65 signing ended within FIPS 204's 814 rounds");
    return this.#kernels.read(this.#signature, signatureBytes);
  }

  release(seed: Uint8Array): void {
    this.#signingKeys.release(seed);
  }

  #verificationKey(name: string, publicKey: Uint8Array): number {
    return this.#verificationKeys.get(name, (slot) => {
      this.#kernels.write(this.#publicKey, publicKey);
      this.#kernels.exports.mlDsaPrepareVerificationKey(slot, this.#publicKey);
    });
  }

  #signingKey(seed: Uint8Array): number {
    return this.#signingKeys.get(seed, (slot) => {
      this.#kernels.write(this.#seed, seed);
      this.#kernels.exports.mlDsaPrepareSigningKey(slot, this.#seed, this.#publicKey, 0);
      this.#kernels.wipe(this.#seed, seedBytes);
    });
  }

  /** mu of FIPS 204 algorithms 2 and 7: SHAKE256(tr || 0 || length of context || context || message). A message may be confidential. */
  #deriveMu(
    mu: number,
    tr: number,
    { message, context }: Pick<MlDsaVerification, "message" | "context">,
  ): void {
    const { exports } = this.#kernels;
    const rate = exports.RATE_SHAKE256.value;
    exports.spongeInit(this.#sponge);
    exports.spongeAbsorb(this.#sponge, rate, tr, TR_BYTES);
    this.#absorb(Uint8Array.of(0, context.length));
    this.#absorb(context);
    for (let at = 0; at < message.length; at += PIECE_BYTES) {
      this.#absorb(message.subarray(at, at + PIECE_BYTES));
    }
    exports.spongeFinish(this.#sponge, rate, exports.SUFFIX_SHAKE.value);
    exports.spongeSqueeze(this.#sponge, rate, mu, MU_BYTES);
    exports.spongeInit(this.#sponge);
    this.#kernels.wipe(this.#piece, Math.min(message.length, PIECE_BYTES));
  }

  #absorb(piece: Uint8Array): void {
    const { exports } = this.#kernels;
    this.#kernels.write(this.#piece, piece);
    exports.spongeAbsorb(this.#sponge, exports.RATE_SHAKE256.value, this.#piece, piece.length);
  }
}

function hasRightLengths({ publicKey, signature, context }: MlDsaVerification): boolean {
  return (
    publicKey.length === publicKeyBytes &&
    signature.length === signatureBytes &&
    context.length <= contextBytesMax
  );
}

/** One character a byte: equal texts are equal keys. */
function textOf(publicKey: Uint8Array): string {
  const { buffer, byteOffset, length } = publicKey;
  return Buffer.from(buffer, byteOffset, length).toString("latin1");
}
