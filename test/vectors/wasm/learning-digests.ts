// A SHA-256 over what each learning kernel answers for seeded rows: two machines with the same digests certify the same models.

import { createHash } from "node:crypto";
import { compileLearningKernels } from "../../../src/adapters/wasm/learning/instance.ts";
import { WasmRowStore } from "../../../src/adapters/wasm/learning/row-store.ts";
import { createWasmVectorKernels } from "../../../src/adapters/wasm/learning/vector-kernels.ts";
import {
  aggregateStored,
  type AggregatorName,
  aggregatorNamed,
  CERTIFIED_RULE,
  noiseLanes,
  plainKernels,
  PlainRowStore,
  type RowStore,
  type RowStoreOptions,
  SeededRandom,
  type VectorKernels,
} from "../../../src/learning/index.ts";

/** Two tiles and a bit, and no multiple of four rows. */
const ROWS = 21;
const LENGTH = 1030;
const LIARS = 6;

/** What the digests are wherever the kernels are right; the protocol's constants are in them. */
export const DIGESTS: Readonly<Record<string, string>> = {
  gram: "5af1379175e9cd05174073b4b326258d97087548c486489e94e074852411f799",
  squaredDistances: "23f45ce69c63fe4ab39017b9ce377997637d64b9b11b8fbc7aa3802ce54d5439",
  weightedSum: "8b1412f55fd6edaedc25916e1688d0a992d7621bf61b4f59faa570c930ee15f6",
  meanOf: "314bd2499b8704092f307eef8ed404d6ded23351d56a0d2fa1823fbb18365357",
  mixed: "9f24d6c3f26c890ab5eeaaf7e281bc0b1bdab241306db3e7b6eed5359242c933",
  median: "1b7116698eb1ffbc49eb1fee433807bd627706101dc08d593e4148fa84be3177",
  "median of an even number": "f960dabd5dba29dff760dd8c963290a89bedc4bc3ab9c424cd1bd4931861f6c0",
  trimmedMean: "04919482ef8cd2b11b945aa6abe38b80b23569d106b37530c3d37b9dd35072f3",
  "int8 gram": "e0e74b1cc77ba7e0382e162dc749df858660014c63c952281f18f4f5a6125c9c",
  "int8 weighted sum": "18870db6e0747174ffaae181fef4f9f96678e503c3717c0229e8ec524a8447d0",
  "int8 trimmed mean": "464b7f43ac24354bdd4a722cefcaf7be0a39e0f1b12eb61cb5268c33a673b894",
  "int8 and int4 values": "5a8d768cdfb5c5c634db2517bb41900395d58343a788fdaa403791239eccd549",
  "values of int8 and int4": "efadfe5a0f2673f94b379f54405e1aa543e3fb67d6b42306c22032d42c147d84",
  sketches: "788c5675d2a722e866a8e5dcf4efae84b1d58f36b889534ae075e96c5f19f879",
  "the default rule": "80f2d9df2767856a43a4bea380b066bab18b86fe4d9228683b879ac2da508945",
  "mixing and the geometric median":
    "ca510fcc17322c18b622c8992fdd5f995628293bcac16e51b723231939bf17fc",
};

type Answer = Float32Array | Float64Array | Uint8Array;

/** The kernels of one kind. */
export interface KernelsUnderTest {
  readonly kernels: VectorKernels;
  readonly open: (options: RowStoreOptions) => RowStore;
}

/** Those that are shipped. */
export function wasmKernels(): KernelsUnderTest {
  const module = compileLearningKernels();
  return {
    kernels: createWasmVectorKernels(module),
    open: (options) => {
      const made = WasmRowStore.create(module, options, 2 ** 24);
      if (!made.ok) throw new Error(made.code);
      return made.value;
    },
  };
}

/** Their twins. */
export const plainTwins: KernelsUnderTest = {
  kernels: plainKernels,
  open: (options) => new PlainRowStore(options),
};

/** Bounded whole numbers over powers of two, so that the inputs need no arithmetic that could differ; of many magnitudes, so that the order of sums
 * shows; some extreme, some equal. */
function rowsOf(label: string): Float32Array[] {
  const random = new SeededRandom("vectors/learning", label);
  return Array.from({ length: ROWS }, (_, i) => {
    const scale = i === 3 ? 2 ** 90 : i === 4 ? 2 ** -140 : 2 ** -20;
    return Float32Array.from({ length: LENGTH }, (__, c) =>
      c % 7 === 0
        ? random.below(3) - 1
        : (random.below(2 ** 22) - 2 ** 21) * scale * 2 ** -random.below(40),
    );
  });
}

function filled(open: KernelsUnderTest["open"]): RowStore {
  const random = new SeededRandom("vectors/learning", "int8");
  const store = open({ element: "int8", length: LENGTH, capacity: ROWS, step: 2 ** -10 });
  for (let slot = 0; slot < ROWS; slot++) {
    store.write(
      slot,
      0,
      Uint8Array.from({ length: LENGTH }, () => random.below(255) - 127),
    );
    store.seal(slot);
  }
  return store;
}

/** Per kernel, the SHA-256 of its answer in hex. */
export function kernelDigests({ kernels, open }: KernelsUnderTest): Record<string, string> {
  const rows = rowsOf("float32");
  const all = rows.map((_, i) => i);
  const weights = Float64Array.from(rows, (_, i) => (i * 79_711) / 2 ** 24);
  const lists = all.map((k) => Uint16Array.from(all.filter((i) => (i * 5 + k) % 21 < 14)));
  const store = filled(open);
  const resultOf = (name: AggregatorName): readonly Answer[] => {
    const found = aggregateStored(aggregatorNamed(name), store, all, LIARS, { kernels });
    if (!found.ok) throw new Error(found.code);
    return [found.value.vector, Float64Array.from(found.value.shares)];
  };
  const long = Float32Array.from(rowsOf("quantised").flatMap((row) => [...row]));
  const noise = noiseLanes(new SeededRandom("vectors/learning", "noise"));
  const bytes = {
    int8: kernels.quantised(long, 2 ** -6, 8, noise),
    int4: kernels.quantised(long, 2 ** -2, 4, noise),
  };
  const opened = [
    kernels.dequantised(bytes.int8, long.length, 2 ** -6, 8),
    kernels.dequantised(bytes.int4, long.length, 2 ** -2, 4),
  ];
  const answers: Record<string, readonly Answer[]> = {
    gram: [kernels.gram(rows)],
    squaredDistances: [kernels.squaredDistances(rows)],
    weightedSum: [kernels.weightedSum(rows, weights)],
    meanOf: [kernels.meanOf(rows, all)],
    mixed: [kernels.mixed(kernels.gram(rows), ROWS, lists)],
    median: Object.values(kernels.trimmedMean(rows, 10)),
    "median of an even number": Object.values(kernels.trimmedMean(rows.slice(1), 9)),
    trimmedMean: Object.values(kernels.trimmedMean(rows, LIARS)),
    "int8 gram": [store.gram(all)],
    "int8 weighted sum": [store.weightedSum(all, weights)],
    "int8 trimmed mean": Object.values(store.trimmedMean(all, LIARS)),
    "int8 and int4 values": Object.values(bytes),
    "values of int8 and int4": opened.flatMap((values) => values ?? []),
    sketches: kernels.sketched(rows, noise),
    "the default rule": resultOf(CERTIFIED_RULE),
    "mixing and the geometric median": resultOf("arc+nnm+geometric-median"),
  };
  return Object.fromEntries(
    Object.entries(answers).map(([name, arrays]) => [name, digestOf(arrays)]),
  );
}

function digestOf(arrays: readonly Answer[]): string {
  const digest = createHash("sha256");
  for (const { buffer, byteOffset, byteLength } of arrays) {
    digest.update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return digest.digest("hex");
}
