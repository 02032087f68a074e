// One digest over everything the kernels answer for a list of seeds: two machines that print the same digest compute alike.
//
// Only what FIPS 180-4, 203, 204 and the seeds determine enters it, so the digest outlives every rewrite of the kernels.

import { createHash } from "node:crypto";
import { Kernels, MlDsaKernels } from "./kernels.ts";
import { accepted, RawKem } from "./raw-kem.ts";

const SEEDS = 50;

/** What `transcriptDigest` gives wherever the kernels are right. */
export const TRANSCRIPT_DIGEST = "3ea41ff43e02a407b291924f95c9a806c04b14b725f676459f0df8be942ec48f";

/** `length` bytes determined by a label. */
function bytesOf(label: string, length: number): Uint8Array<ArrayBuffer> {
  const output = createHash("shake256", { outputLength: length }).update(label).digest();
  return new Uint8Array(output);
}

/** The bytes with bit `bit` (modulo their number of bits) the other way round. */
function withFault(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  const at = (bit >> 3) % copy.length;
  copy[at] = (copy[at] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

type Write = (...parts: readonly (Uint8Array | boolean)[]) => void;

/** Keys, deterministic and hedged signatures with messages and contexts of many lengths, and verdicts on right and on faulty ones. */
function mlDsaEntry(mlDsa: MlDsaKernels, write: Write, seed: number): void {
  const { publicKey, expandedKey } = mlDsa.fromSeed(bytesOf(`ml-dsa ${seed}`, 32));
  write(publicKey, expandedKey);
  const message = bytesOf(`message ${seed}`, 67 * seed);
  const context = bytesOf(`context ${seed}`, (37 * seed) % 256);
  mlDsa.fromPublicKey(publicKey);
  for (const hedge of [new Uint8Array(32), bytesOf(`hedge ${seed}`, 32)]) {
    const signature = mlDsa.sign(message, context, hedge);
    write(signature, mlDsa.verify(message, signature, context));
    for (const bit of [7 * seed, 8 * 48 + 501 * seed, 8 * 3248 + 9 * seed]) {
      write(mlDsa.verify(message, withFault(signature, bit), context));
    }
  }
}

/** Keys, an encapsulation, its decapsulation, and two implicit rejections. */
function mlKemEntry(mlKem: RawKem, write: Write, seed: number): void {
  const { ek, dk } = accepted(mlKem.keygen(bytesOf(`ml-kem ${seed}`, 64)));
  const { ct, secret } = accepted(mlKem.encapsulate(ek, bytesOf(`m ${seed}`, 32)));
  write(ek, dk, ct, secret);
  for (const sent of [ct, withFault(ct, 173 * seed), bytesOf(`ct ${seed}`, 1088)]) {
    write(accepted(mlKem.decapsulate(sent)));
  }
}

/** Digests of a batch of one to 16 messages. */
function sha256Entry(kernels: Kernels, at: number, write: Write, seed: number): void {
  const [count, length] = [1 + (seed % 16), (7 * seed) % 120];
  kernels.write(at, bytesOf(`batch ${seed}`, 128 * count));
  kernels.call("sha256Batch", at + 4096, at, 128, length, count);
  write(kernels.read(at + 4096, 32 * count));
}

/** SHA-256 in hex of all answers for 50 seeds, from the module as it ships. */
export async function transcriptDigest(): Promise<string> {
  const kernels = await Kernels.load();
  const mlDsa = new MlDsaKernels(kernels);
  const mlKem = new RawKem(kernels);
  const batch = kernels.reserve(8192);
  const digest = createHash("sha256");
  const write: Write = (...parts) => {
    for (const part of parts) digest.update(typeof part === "boolean" ? (part ? "1" : "0") : part);
  };
  for (let seed = 0; seed < SEEDS; seed++) {
    mlDsaEntry(mlDsa, write, seed);
    mlKemEntry(mlKem, write, seed);
    sha256Entry(kernels, batch, write, seed);
  }
  return digest.digest("hex");
}
