// The kernels of wasm/learning give the bits of their plain twins, whatever the rows are.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createWasmVectorKernels } from "../../../../../src/adapters/wasm/learning/vector-kernels.ts";
import { compileLearningKernels } from "../../../../../src/adapters/wasm/learning/instance.ts";
import { kernelsBase64, kernelsSha256 } from "../../../../../src/adapters/wasm/learning/module.ts";
import {
  plainKernels,
  noiseLanes,
  selfTestKernels,
  SeededRandom,
  type VectorKernels,
} from "../../../../../src/learning/index.ts";

const seed = 20_261_121;
const random = new SeededRandom("test/vector-kernels", seed);
const wasm = createWasmVectorKernels(compileLearningKernels());

/** What coordinates may look like. */
const coordinates: Record<string, () => number> = {
  normal: () => random.normal(),
  "with many ties": () => random.below(5) - 2,
  "of zeros of both signs": () => [-0, 0, -1e-44][random.below(3)] ?? 0,
  denormal: () => random.normal() * 1e-42,
  "near the greatest": () => random.between(-1, 1) * 3e38,
  "of all magnitudes": () => random.normal() * 2 ** (random.below(240) - 130),
};
/** Around multiples of what the kernels take at once: four rows, eight columns, tiles of 512. */
const rowCounts = [1, 2, 3, 4, 5, 8, 9, 33, 100];
const lengths = [1, 3, 8, 9, 511, 512, 513, 1027];

const rowsOf = (n: number, length: number, coordinate: () => number): Float32Array[] =>
  Array.from({ length: n }, () => Float32Array.from({ length }, coordinate));

/** Equal as bytes, so that zeros have the same sign. */
function same(actual: Float32Array | Float64Array, expected: typeof actual, what: string): void {
  const bytesOf = ({ buffer, byteOffset, byteLength }: typeof actual) =>
    Buffer.from(buffer, byteOffset, byteLength);
  assert.ok(bytesOf(actual).equals(bytesOf(expected)), what);
}

function compare(rows: readonly Float32Array[], what: string): void {
  const n = rows.length;
  const of = <Answer>(ask: (kernels: VectorKernels) => Answer): [Answer, Answer] => [
    ask(wasm),
    ask(plainKernels),
  ];
  same(...of((kernels) => kernels.gram(rows)), `gram, ${what}`);
  same(...of((kernels) => kernels.squaredDistances(rows)), `squaredDistances, ${what}`);
  const weights = Float64Array.from(rows, () => random.below(3) * random.normal());
  same(...of((kernels) => kernels.weightedSum(rows, weights)), `weightedSum, ${what}`);
  const noise = noiseLanes(new SeededRandom("test/sketch", what));
  const [sketches, plainSketches] = of((kernels) => kernels.sketched(rows, noise));
  for (const [i, sketch] of sketches.entries()) same(sketch, plainSketches[i]!, `sketch, ${what}`);
  const even = [...rows.keys()].filter((i) => i % 2 === 0);
  same(...of((kernels) => kernels.meanOf(rows, even)), `meanOf, ${what}`);
  for (const trim of new Set([0, Math.floor((n - 1) / 3), Math.floor((n - 1) / 2)])) {
    const [fast, plain] = of((kernels) => kernels.trimmedMean(rows, trim));
    same(fast.vector, plain.vector, `trimmedMean by ${trim}, ${what}`);
    same(fast.kept, plain.kept, `shares of the trimmedMean by ${trim}, ${what}`);
  }
}

for (const [name, coordinate] of Object.entries(coordinates)) {
  test(`rows ${name} give the same bits (seed ${seed})`, () => {
    for (const n of rowCounts) {
      for (const length of lengths) {
        compare(rowsOf(n, length, coordinate), `${n} rows of ${length}`);
      }
    }
  });
}

test("equal rows, and one row of the greatest numbers among ordinary ones, give the same bits", () => {
  const rows = rowsOf(9, 700, () => random.normal());
  rows[3] = rows[0]!.slice();
  rows[8] = rows[0]!.slice();
  compare(rows, "equal rows");
  rows[5] = new Float32Array(700).fill(3e38);
  compare(rows, "one great row");
});

test("more rows than a panel of memory holds tiles of go through it piece by piece", () => {
  compare(
    rowsOf(300, 4000, () => random.between(-1, 1)),
    "300 rows of 4000",
  );
});

test("inner products of mixed rows are the same for odd and even sizes", () => {
  for (const n of [1, 2, 7, 8, 9, 16, 31]) {
    const matrix = wasm.gram(rowsOf(n, 5, () => random.normal()));
    const size = Math.ceil((2 * n) / 3);
    const lists = Array.from({ length: n }, () =>
      Uint16Array.from(
        random.shuffle(Array.from({ length: n }, (_, i) => i)).slice(0, size),
      ).sort(),
    );
    same(wasm.mixed(matrix, n, lists), plainKernels.mixed(matrix, n, lists), `${n}`);
  }
});

test("no weight at all gives zeros", () => {
  const rows = rowsOf(3, 5, () => random.normal());
  same(wasm.weightedSum(rows, new Float64Array(3)), new Float32Array(5), "zeros");
});

test("the self-test passes the kernels, and names the one whose last bit differs", () => {
  selfTestKernels(wasm, plainKernels);
  const names = [
    ...(["gram", "squaredDistances", "weightedSum", "meanOf", "mixed", "dequantised"] as const),
  ];
  for (const name of names) {
    const off = (answer: Float32Array | Float64Array) => {
      answer[1]! *= 1 + 2 ** -23;
      return answer;
    };
    const broken = {
      ...wasm,
      [name]: (...args: never[]) => off((wasm[name] as (...a: never[]) => Float32Array)(...args)),
    };
    assert.throws(() => selfTestKernels(broken, plainKernels), {
      code: "learning/kernels-unavailable",
      details: { reason: "self-test", check: name },
    });
  }
});

test("kernels with one changed bit are refused before they are compiled", () => {
  const changed = Buffer.from(kernelsBase64, "base64");
  changed[changed.length >> 1]! ^= 1;
  const binary = { base64: changed.toString("base64"), sha256: kernelsSha256 };
  assert.throws(() => compileLearningKernels(binary), {
    code: "learning/kernels-unavailable",
    details: { reason: "damaged" },
  });
});

test("quantised vectors are the same bytes and the same values, whatever the length and the magnitude", () => {
  const noise = noiseLanes(new SeededRandom("test/noise", seed));
  for (const length of [1, 2, 3, 15, 16, 17, 31, 33, 513, 32_767, 32_769, 65_540]) {
    for (const [name, coordinate] of Object.entries(coordinates)) {
      const values = Float32Array.from({ length }, coordinate);
      for (const step of [2 ** -60, 2 ** -7, 1, 2 ** 60]) {
        for (const bits of [8, 4] as const) {
          const what = `${length} values ${name}, ${bits} bits, step ${step}`;
          const bytes = plainKernels.quantised(values, step, bits, noise);
          assert.ok(Buffer.from(wasm.quantised(values, step, bits, noise)).equals(bytes), what);
          const opened = plainKernels.dequantised(bytes, length, step, bits)!;
          same(wasm.dequantised(bytes, length, step, bits)!, opened, what);
        }
      }
    }
  }
});

test("bytes that no vector gives are refused, wherever they stand", () => {
  for (const kernels of [wasm, plainKernels]) {
    for (const length of [1, 40, 32_769]) {
      for (const at of [0, length - 1]) {
        const bytes = new Uint8Array(length);
        bytes[at] = 0x81;
        assert.ok(kernels.dequantised(bytes, length, 1, 8) !== undefined, "-127");
        bytes[at] = 0x80;
        assert.equal(kernels.dequantised(bytes, length, 1, 8), undefined, "-128");
        for (const half of [0x08, 0x80]) {
          bytes[at] = half;
          assert.equal(kernels.dequantised(bytes, 2 * length, 1, 4), undefined, "-8");
        }
      }
      const odd = new Uint8Array(length);
      odd[length - 1] = 0x10;
      assert.equal(kernels.dequantised(odd, 2 * length - 1, 1, 4), undefined, "the last half");
    }
  }
});
