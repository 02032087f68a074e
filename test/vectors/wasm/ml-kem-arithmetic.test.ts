// ML-KEM's arithmetic kernels alone: compression for every input, transforms and products against their definitions, ranges at their ends.

import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { test } from "node:test";
import { loadParts, reserveUnaligned } from "./raw-kem.ts";

const kernels = await loadParts(
  'export { decode12, encode12, encodeMessage } from "./ml-kem/codec";',
  'export { decodeCompressed10, encodeCompressed10 } from "./ml-kem/codec";',
  'export { decodeCompressed4, encodeCompressed4 } from "./ml-kem/codec";',
  'export { cacheFactor, inverseNtt, multiplyAccumulate, ntt } from "./ml-kem/ntt";',
  'export { sampleNoise } from "./ml-kem/sample";',
);
const Q = 3329;
const zero = reserveUnaligned(kernels, 512);
const f = reserveUnaligned(kernels, 512);
const g = reserveUnaligned(kernels, 512);
const bytes = reserveUnaligned(kernels, 512);

function mod(a: number): number {
  return ((a % Q) + Q) % Q;
}

function writePolynomial(at: number, coefficients: readonly number[]): void {
  kernels.write(at, new Uint8Array(Int16Array.from(coefficients).buffer));
}

function readPolynomial(at: number): number[] {
  return [...new Int16Array(kernels.read(at, 512).slice().buffer)];
}

/** Numbers of `bits` bits from their little-endian concatenation: ByteDecode by its definition. */
function unpack(packed: Uint8Array, bits: number): number[] {
  return Array.from({ length: 256 }, (_, i) => {
    let number = 0;
    for (let bit = 0; bit < bits; bit++) {
      const at = i * bits + bit;
      number |= (((packed[at >> 3] ?? 0) >> (at & 7)) & 1) << bit;
    }
    return number;
  });
}

function pack(numbers: readonly number[], bits: number): Uint8Array {
  const packed = new Uint8Array((256 * bits) / 8);
  for (const [i, number] of numbers.entries()) {
    for (let bit = 0; bit < bits; bit++) {
      const at = i * bits + bit;
      packed[at >> 3] = (packed[at >> 3] ?? 0) | (((number >> bit) & 1) << (at & 7));
    }
  }
  return packed;
}

function compressed(x: number, bits: number): number {
  return Math.round((mod(x) * 2 ** bits) / Q) % 2 ** bits;
}

/** All integers from `low` to `high` in polynomials of 256. */
function* polynomials(low: number, high: number): Generator<number[]> {
  for (let start = low; start <= high; start += 256) {
    yield Array.from({ length: 256 }, (_, i) => Math.min(start + i, high));
  }
}

test("compression to 10 and 4 bits rounds right for every coefficient from -5800 to 5800", () => {
  for (const x of polynomials(-5800, 5800)) {
    writePolynomial(f, x);
    kernels.call("encodeCompressed10", bytes, f, zero);
    assert.deepEqual(
      unpack(kernels.read(bytes, 320), 10),
      x.map((a) => compressed(a, 10)),
    );
    kernels.call("encodeCompressed4", bytes, f);
    assert.deepEqual(
      unpack(kernels.read(bytes, 128), 4),
      x.map((a) => compressed(a, 4)),
    );
  }
});

test("a message bit is right for every coefficient an i16 can hold", () => {
  for (const x of polynomials(-32768, 32767)) {
    writePolynomial(f, x);
    kernels.call("encodeMessage", bytes, f, zero);
    assert.deepEqual(
      unpack(kernels.read(bytes, 32), 1),
      x.map((a) => compressed(a, 1)),
    );
  }
});

test("decompression is right for every number of 10 and of 4 bits", () => {
  for (const y of polynomials(0, 1023)) {
    kernels.write(bytes, pack(y, 10));
    kernels.call("decodeCompressed10", f, bytes);
    assert.deepEqual(
      readPolynomial(f),
      y.map((a) => Math.round((a * Q) / 1024)),
    );
    const nibbles = y.map((a) => (a * 7) & 15);
    kernels.write(bytes, pack(nibbles, 4));
    kernels.call("decodeCompressed4", f, bytes);
    assert.deepEqual(
      readPolynomial(f),
      nibbles.map((a) => Math.floor((a * Q + 8) / 16)),
    );
  }
});

test("12-bit coding: every i16 is encoded mod q, every 12-bit number decoded, those from q on reported", () => {
  for (const x of polynomials(-32768, 32767)) {
    writePolynomial(f, x);
    kernels.call("encode12", bytes, f);
    assert.deepEqual(unpack(kernels.read(bytes, 384), 12), x.map(mod));
  }
  for (let number = 0; number < 4096; number++) {
    const numbers = Array.from({ length: 256 }, (_, i) => (i === number % 256 ? number : i));
    kernels.write(bytes, pack(numbers, 12));
    assert.equal(kernels.call("decode12", f, bytes), number < Q ? 1 : 0, `${number}`);
    assert.deepEqual(readPolynomial(f), numbers.map(mod));
  }
});

const bitReversed = (k: number): number =>
  Number.parseInt(k.toString(2).padStart(7, "0").split("").reverse().join(""), 2);
function power(exponent: number): number {
  let result = 1;
  for (let i = 0; i < exponent; i++) result = (result * 17) % Q;
  return result;
}
const gammas = Array.from({ length: 128 }, (_, i) => power(2 * bitReversed(i) + 1));

/** The transform by its definition, FIPS 203 section 4.3: residues mod X^2 - gamma. */
function transformed(x: readonly number[]): number[] {
  return gammas.flatMap((gamma) => {
    let even = 0;
    let odd = 0;
    for (let i = 127; i >= 0; i--) {
      even = mod(even * gamma + (x[2 * i] ?? 0));
      odd = mod(odd * gamma + (x[2 * i + 1] ?? 0));
    }
    return [even, odd];
  });
}

const EXTREMES: (() => number)[] = [
  () => 3328,
  () => -3328,
  () => (randomInt(2) === 0 ? 3328 : -3328),
  () => randomInt(-3328, 3329),
  () => randomInt(-2, 3),
];

test("the transform is its definition at the ends of its range, and stays within 1960", () => {
  for (let round = 0; round < 60; round++) {
    const x = Array.from({ length: 256 }, EXTREMES[round % EXTREMES.length] ?? (() => 0));
    writePolynomial(f, x);
    kernels.call("ntt", f);
    const result = readPolynomial(f);
    assert.deepEqual(result.map(mod), transformed(x));
    assert.ok(result.every((a) => Math.abs(a) <= 1960));
  }
});

test("the inverse transform undoes it times 2^16 at the ends of its range, and stays within 2455", () => {
  for (let round = 0; round < 60; round++) {
    const limit = 2680;
    const x = Array.from({ length: 256 }, () =>
      round % 3 === 0
        ? randomInt(-limit, limit + 1)
        : round % 3 === 1 || randomInt(2) === 0
          ? limit
          : -limit,
    );
    writePolynomial(f, x);
    kernels.call("inverseNtt", f);
    const result = readPolynomial(f);
    assert.ok(result.every((a) => Math.abs(a) <= 2455));
    assert.deepEqual(
      transformed(result),
      x.map((a) => mod(a * 65536)),
    );
  }
});

test("a sum of three products is right at the ends of the factors' ranges", () => {
  const a = reserveUnaligned(kernels, 3 * 512);
  const cached = reserveUnaligned(kernels, 3 * 1024);
  for (let round = 0; round < 40; round++) {
    const pick = (limit: number): number =>
      round % 2 === 0 ? randomInt(-limit, limit + 1) : round % 4 === 1 ? limit : -limit;
    const left = Array.from({ length: 3 }, () => Array.from({ length: 256 }, () => pick(3328)));
    const right = Array.from({ length: 3 }, () => Array.from({ length: 256 }, () => pick(1960)));
    const sum: number[] = new Array<number>(256).fill(0);
    for (let j = 0; j < 3; j++) {
      const [l, r] = [left[j] ?? [], right[j] ?? []];
      writePolynomial(a + 512 * j, l);
      writePolynomial(g, r);
      kernels.call("cacheFactor", cached + 1024 * j, g);
      for (const [i, gamma] of gammas.entries()) {
        const [a0, a1, b0, b1] = [
          l[2 * i] ?? 0,
          l[2 * i + 1] ?? 0,
          r[2 * i] ?? 0,
          r[2 * i + 1] ?? 0,
        ];
        sum[2 * i] = mod((sum[2 * i] ?? 0) + a0 * b0 + mod(a1 * b1) * gamma);
        sum[2 * i + 1] = mod((sum[2 * i + 1] ?? 0) + a0 * b1 + a1 * b0);
      }
    }
    kernels.call("multiplyAccumulate", f, a, 512, cached);
    const result = readPolynomial(f);
    assert.ok(result.every((c) => Math.abs(c) <= 2263));
    assert.deepEqual(
      result.map((c) => mod(c * 65536)),
      sum,
    );
  }
});

test("noise is the difference of two bits and two bits for every byte", () => {
  const state = reserveUnaligned(kernels, 400);
  for (const lane of [0, 1]) {
    for (const start of [0, 128]) {
      const input = Uint8Array.from({ length: 128 }, (_, i) => start + i);
      const interleaved = new Uint8Array(400).fill(0xff);
      for (const [i, byte] of input.entries())
        interleaved[16 * (i >> 3) + 8 * lane + (i & 7)] = byte;
      kernels.write(state, interleaved);
      kernels.call("sampleNoise", f, state + 8 * lane);
      const expected = [...input].flatMap((byte) =>
        [byte & 15, byte >> 4].map((n) => (n & 1) + ((n >> 1) & 1) - ((n >> 2) & 1) - (n >> 3)),
      );
      assert.deepEqual(readPolynomial(f), expected);
    }
  }
});
