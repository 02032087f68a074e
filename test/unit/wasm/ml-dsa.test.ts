// Pieces of the ML-DSA-65 kernels against plain definitions, and what they leave in memory.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { Kernels, MlDsaKernels } from "../../vectors/wasm/kernels.ts";

const Q = 8_380_417;
const GAMMA2 = (Q - 1) / 32;
const probe = await Kernels.load(`
  export { applyHint, decompose, packHighBits, power2Round } from "./ml-dsa/rounding";
  export { inverseNtt, multiplyPolys, multiplyRow, multiplyRowMinus, ntt } from "./ml-dsa/ntt";
  export { packZ } from "./ml-dsa/packing";
  export * from "./index";
`);
const poly = (): number => probe.reserve(1024);

test("rounding gives FIPS 204's answers for every r in [0, q), from its negative form as well", () => {
  const [w, high, low, bytes] = [poly(), poly(), poly(), probe.reserve(128)];
  const [wView, highView] = [probe.words(w, 256), probe.words(high, 256)];
  const lowView = probe.words(low, 256);
  for (let start = 0; start < Q; start += 256) {
    const r = (i: number): number => Math.min(start + i, Q - 1);
    // Every other polynomial comes as r - q, which the kernels may get from the inverse NTT.
    const offset = (start >> 8) % 2 === 0 ? 0 : Q;
    const load = (): void => {
      for (let i = 0; i < 256; i++) wView[i] = r(i) === 0 ? 0 : r(i) - offset;
    };
    load();
    probe.call("decompose", bytes, high, w);
    const packed = probe.read(bytes, 128);
    for (let i = 0; i < 256; i++) {
      // Algorithm 36: r0 = r mod+- 2 gamma2, in (-gamma2, gamma2]; r1 wraps where r - r0 = q - 1.
      let r0 = r(i) % (2 * GAMMA2);
      if (r0 > GAMMA2) r0 -= 2 * GAMMA2;
      const wraps = r(i) - r0 === Q - 1;
      const r1 = wraps ? 0 : (r(i) - r0) / (2 * GAMMA2);
      if (wraps) r0 -= 1;
      const nibble = ((packed[i >> 1] ?? 0) >> (4 * (i & 1))) & 15;
      if (highView[i] !== r1 || wView[i] !== r0 || nibble !== r1) assert.fail(`decompose ${r(i)}`);
    }
    const [parts, kept] = [wView.slice(), highView.slice()];
    load();
    probe.call("packHighBits", bytes, w);
    assert.deepEqual(probe.read(bytes, 128), packed);
    for (let i = 0; i < 256; i += 3) probe.call("applyHint", bytes, w, i);
    const hinted = probe.read(bytes, 128);
    for (let i = 0; i < 256; i++) {
      // Algorithm 40 with h = 1 at every third place.
      const step = i % 3 !== 0 ? 0 : (parts[i] ?? 0) > 0 ? 1 : 15;
      const nibble = ((hinted[i >> 1] ?? 0) >> (4 * (i & 1))) & 15;
      if (nibble !== ((kept[i] ?? 0) + step) % 16) assert.fail(`hint ${r(i)}`);
    }
    load();
    probe.call("power2Round", w, low);
    for (let i = 0; i < 256; i++) {
      // Algorithm 35: r0 = r mod+- 2^13, in (-2^12, 2^12].
      let r0 = r(i) % 8192;
      if (r0 > 4096) r0 -= 8192;
      if (wView[i] !== (r(i) - r0) / 8192 || lowView[i] !== r0) assert.fail(`power2Round ${r(i)}`);
    }
  }
});

/** a * b in Z_q[X] / (X^256 + 1) by the definition, in [0, q). */
function schoolbook(a: Int32Array, b: Int32Array): number[] {
  const sums = new Array<bigint>(256).fill(0n);
  for (let i = 0; i < 256; i++) {
    for (let j = 0; j < 256; j++) {
      const product = BigInt(a[i] ?? 0) * BigInt(b[j] ?? 0);
      const place = (i + j) % 256;
      sums[place] = (sums[place] ?? 0n) + (i + j < 256 ? product : -product);
    }
  }
  const q = BigInt(Q);
  return sums.map((sum) => Number(((sum % q) + q) % q));
}

const inField = (values: Int32Array): number[] => Array.from(values, (v) => ((v % Q) + Q) % Q);
const bounded = (values: Int32Array, bound: number): boolean =>
  values.every((value) => Math.abs(value) < bound);

/** Extremes of what the NTT may get (|a| < q), then random ones; the seed of a failure is the polynomial itself. */
const samples: readonly ((i: number) => number)[] = [
  () => Q - 1,
  () => 1 - Q,
  (i) => (i % 2 === 0 ? Q - 1 : 1 - Q),
  (i) => (i < 128 ? Q - 1 : 1 - Q),
  (i) => (i === 255 ? 1 : 0),
  () => (randomBytes(4).readUInt32LE() % (2 * Q - 1)) - (Q - 1),
];

test("products through the NTT are schoolbook products, within the bounds the comments claim", () => {
  for (const [index, sampleA] of samples.entries()) {
    const sampleB = samples[(index * 5 + 2) % samples.length] ?? sampleA;
    const [a, b, c] = [poly(), poly(), poly()];
    for (let i = 0; i < 256; i++) {
      probe.words(a, 256)[i] = sampleA(i);
      probe.words(b, 256)[i] = sampleB(i);
    }
    const [aView, bView] = [probe.words(a, 256).slice(), probe.words(b, 256).slice()];
    for (const pointer of [a, b]) {
      probe.call("ntt", pointer);
      assert.ok(bounded(probe.words(pointer, 256), 5.05 * Q));
    }
    probe.call("multiplyPolys", c, a, b);
    assert.ok(bounded(probe.words(c, 256), 0.56 * Q));
    probe.call("inverseNtt", c);
    assert.ok(bounded(probe.words(c, 256), 0.65 * Q));
    const label = `a ${aView.join(",")} b ${bView.join(",")}`;
    assert.deepEqual(inField(probe.words(c, 256)), schoolbook(aView, bView), label);
  }
});

test("a matrix row is the sum of its products, at the largest values it may meet", () => {
  const [matrix, vector] = [probe.reserve(5 * 1024), probe.reserve(5 * 1024)];
  const [a, b, out] = [poly(), poly(), poly()];
  const limit = Math.floor(5.05 * Q);
  // Montgomery products carry a factor 2^-32.
  const isSum = (values: Int32Array, sum: bigint): boolean =>
    values.every((value) => ((BigInt(value) << 32n) - sum) % BigInt(Q) === 0n);
  for (const sign of [1, -1]) {
    probe.words(matrix, 1280).fill(Q - 1);
    probe.words(vector, 1280).fill(sign * limit);
    probe.words(a, 256).fill(-sign * limit);
    probe.words(b, 256).fill(limit);
    const sum = 5n * BigInt(Q - 1) * BigInt(sign * limit);
    probe.call("multiplyRow", out, matrix, vector);
    assert.ok(bounded(probe.words(out, 256), 0.6 * Q));
    assert.ok(isSum(probe.words(out, 256), sum));
    probe.call("multiplyRowMinus", out, matrix, vector, a, b);
    assert.ok(bounded(probe.words(out, 256), 0.6 * Q));
    const difference = sum + BigInt(sign * limit) * BigInt(limit);
    assert.ok(isSum(probe.words(out, 256), difference));
  }
});

test("keys and signatures leave the module's own memory as it was before them", async () => {
  const kernels = await Kernels.load();
  const own = kernels.call("heapBase");
  const fresh = kernels.read(0, own);
  const firstChanged = (): number =>
    kernels.read(0, own).findIndex((byte, place) => byte !== fresh[place]);
  const mlDsa = new MlDsaKernels(kernels);
  const seed = new Uint8Array(randomBytes(32));
  const { expandedKey } = mlDsa.fromSeed(seed);
  assert.equal(firstChanged(), -1, "after key generation");
  for (let i = 0; i < 8; i++) {
    mlDsa.sign(seed, seed, new Uint8Array(randomBytes(32)));
    assert.equal(firstChanged(), -1, "after signing");
  }
  assert.ok(mlDsa.fromExpanded(expandedKey));
  const slotBytes = kernels.constant("ML_DSA_SIGNING_KEY_BYTES");
  kernels.call("wipe", mlDsa.signingKey, slotBytes);
  assert.ok(kernels.read(mlDsa.signingKey, slotBytes).every((byte) => byte === 0));
});

test("hints malformed in each way of FIPS 204 are refused before anything is computed", async () => {
  const mlDsa = new MlDsaKernels(await Kernels.load());
  const message = new Uint8Array(3);
  const { publicKey } = mlDsa.fromSeed(new Uint8Array(32).fill(9));
  mlDsa.fromPublicKey(publicKey);
  const signature = mlDsa.sign(message);
  assert.ok(mlDsa.verify(message, signature));
  const [hints, counts] = [3248, 3248 + 55];
  const total = signature[counts + 5] ?? 0;
  const first = signature[counts] ?? 0;
  assert.ok(first >= 2 && total < 55, "the fixed seed gives hints to play with");
  const refuses = (change: (bytes: Uint8Array) => void, what: string): void => {
    const changed = signature.slice();
    change(changed);
    assert.notDeepEqual(changed, signature, what);
    assert.equal(mlDsa.verify(message, changed), false, what);
  };
  refuses((s) => s.set([s[hints + 1] ?? 0, s[hints] ?? 0], hints), "positions out of order");
  refuses((s) => s.set([s[hints] ?? 0], hints + 1), "a position twice");
  refuses((s) => s.set([1], hints + total), "padding that is not zero");
  refuses((s) => s.set([56], counts + 5), "more than omega hints");
  refuses((s) => s.set([255], counts), "a count past omega, then falling");
  refuses((s) => s.set([first - 1], counts + 1), "a count that falls");
  refuses((s) => s.fill(0, hints, hints + 61), "no hints at all");
});

/**
 * Forges for the key t1 = 0, where the equation is c~ = H(mu || UseHint(h, A z)): anyone can fulfil it for any z and h, so that the
 * checks of z and h alone decide. z has one coefficient, h the given places of the first polynomial, in that order.
 */
class SillyKey {
  readonly #publicKey = probe.reserve(1952);
  readonly #mu = probe.reserve(64);
  readonly #signature = probe.reserve(3309);
  readonly #slot = probe.reserve(36_928);
  readonly #vector = probe.reserve(5 * 1024);
  readonly #hashed = probe.reserve(64 + 768);
  readonly #w = poly();

  constructor() {
    probe.write(this.#publicKey, new Uint8Array(randomBytes(32)));
    probe.call("mlDsaPrepareVerificationKey", this.#slot, this.#publicKey);
  }

  accepts(place: number, value: number, hints: readonly number[] = []): boolean {
    probe.write(this.#signature, new Uint8Array(3309));
    probe.write(this.#signature + 3248, Uint8Array.from(hints));
    probe.write(this.#signature + 3303, new Uint8Array(6).fill(hints.length));
    probe.words(this.#vector, 1280).fill(0)[place] = value;
    for (let i = 0; i < 5; i++) {
      probe.call("packZ", this.#signature + 48 + 640 * i, this.#vector + 1024 * i);
      probe.call("ntt", this.#vector + 1024 * i);
    }
    for (let row = 0; row < 6; row++) {
      const packed = this.#hashed + 64 + 128 * row;
      probe.call("multiplyRow", this.#w, this.#slot + 5120 * row, this.#vector);
      probe.call("inverseNtt", this.#w);
      probe.call("packHighBits", packed, this.#w);
      if (row === 0) for (const hint of hints) probe.call("applyHint", packed, this.#w, hint);
    }
    probe.call("shake256", this.#signature, 48, this.#hashed, 64 + 768);
    return probe.call("mlDsaVerify", this.#slot, this.#mu, this.#signature) === 1;
  }
}

test("z is refused from gamma1 - beta on, either sign, in any polynomial, though the equation holds", () => {
  const key = new SillyKey();
  const bound = 2 ** 19 - 196;
  for (const place of [0, 2 * 256 + 131, 4 * 256 + 255]) {
    for (const sign of [1, -1]) {
      assert.ok(key.accepts(place, sign * (bound - 1)));
      assert.equal(key.accepts(place, sign * bound), false);
    }
  }
});

test("hints repeated, out of order or too many are refused, though the equation holds", () => {
  const key = new SillyKey();
  const rising = (count: number): number[] => Array.from({ length: count }, (_, i) => 4 * i);
  assert.ok(key.accepts(3, 1000, [7, 8, 200]));
  assert.equal(key.accepts(3, 1000, [7, 7, 200]), false);
  assert.equal(key.accepts(3, 1000, [8, 7, 200]), false);
  assert.ok(key.accepts(3, 1000, rising(55)));
  assert.equal(key.accepts(3, 1000, rising(56)), false);
});
