// The arithmetic of the aggregation rules (VectorKernels) by the kernels of wasm/learning, bit for bit what the plain ones give.
//
// Rows come as arrays, and go through wasm memory in panels: as many tiles of all rows as fit in a fixed piece of it. So memory stays bounded
// whatever the rows are; who holds many rows for long has a row store instead (row-store.ts).

import {
  folded,
  greatestMagnitude,
  isOrdinary,
  mixingPlan,
  sharesOf,
  SKETCH,
  TILE,
  type TrimmedMean,
  type VectorKernels,
} from "../../../learning/index.ts";
import { type Kernel, LearningInstance } from "./instance.ts";
import { mirrored, paddedRows, selectRoomBytes } from "./layout.ts";
import { quantiser } from "./quantiser.ts";

/** Bytes of a panel; one tile of all rows, if that is more. */
const PANEL_BYTES = 4 * 1024 * 1024;
const ROW_BYTES = 4 * TILE;
/** Columns that meanColumns takes at once (wasm/learning/matrix.ts). */
const MEAN_COLUMNS = 8;

type Rows = readonly Float32Array[];
/** Called with the address of each tile of a panel and its first coordinate. */
type EachTile = (tile: number, begin: number) => void;

/** Makes the kernels over memory of their own. */
export function createWasmVectorKernels(module: object): VectorKernels {
  const instance = new LearningInstance(module);
  const { exports } = instance;
  return {
    gram: (rows) => pairSums(instance, rows, exports.products, exports.wideProductsAgainst),
    squaredDistances: (rows) =>
      pairSums(instance, rows, exports.distances, exports.wideDistancesAgainst),
    weightedSum(rows, weights) {
      const used = rows.flatMap((_, i) => (weights[i] === 0 ? [] : [i]));
      const chosen = used.map((i) => rows[i] as Float32Array);
      const own = Float64Array.from(used, (i) => weights[i] as number);
      return chosen.length === 0
        ? new Float32Array(rows[0]?.length ?? 0)
        : weightedSum(instance, chosen, own, 1);
    },
    meanOf(rows, indices) {
      const chosen = indices.map((i) => rows[i] as Float32Array);
      const ones = new Float64Array(chosen.length).fill(1);
      return weightedSum(instance, chosen, ones, chosen.length);
    },
    mixed: (matrix, n, lists) => mixed(instance, matrix, n, lists),
    trimmedMean: (rows, trim) => trimmedMean(instance, rows, trim),
    sketched: (rows, noise) => sketched(instance, rows, noise),
    ...quantiser(instance),
  };
}

/** Brings all tiles of the rows into memory, panel after panel. */
function eachTile(instance: LearningInstance, rows: Rows, visit: EachTile): void {
  const length = rows[0]?.length ?? 0;
  const tileBytes = paddedRows(rows.length) * ROW_BYTES;
  const tiles = Math.max(1, Math.floor(PANEL_BYTES / tileBytes));
  const panel = instance.reserve(Math.min(tiles, Math.ceil(length / TILE)) * tileBytes);
  for (let begin = 0; begin < length; begin += tiles * TILE) {
    const end = Math.min(length, begin + tiles * TILE);
    for (let at = begin, tile = panel; at < end; at += TILE, tile += tileBytes) {
      fillTile(instance.float32(tile, tileBytes / 4), rows, at);
    }
    for (let at = begin, tile = panel; at < end; at += TILE, tile += tileBytes) visit(tile, at);
  }
}

function fillTile(tile: Float32Array, rows: Rows, begin: number): void {
  for (const [i, row] of rows.entries()) {
    const part = row.subarray(begin, begin + TILE);
    tile.set(part, i * TILE);
    tile.fill(0, i * TILE + part.length, (i + 1) * TILE);
  }
  tile.fill(0, rows.length * TILE);
}

function pairSums(
  instance: LearningInstance,
  rows: Rows,
  block: Kernel,
  wide: Kernel,
): Float64Array {
  const n = rows.length;
  const padded = paddedRows(n);
  const wideRows = rows.flatMap((row, i) => (isOrdinary(greatestMagnitude(row)) ? [] : [i]));
  instance.reset();
  const sums = instance.reserve(8 * padded * padded);
  const wideSums = instance.reserve(8 * padded * wideRows.length);
  instance.float64(sums, padded * padded).fill(0);
  instance.float64(wideSums, padded * wideRows.length).fill(0);
  eachTile(instance, rows, (tile) => {
    block(tile, padded, 0, 4, sums);
    for (const [k, i] of wideRows.entries()) {
      wide(tile + i * ROW_BYTES, tile, n, wideSums + 8 * k * padded);
    }
  });
  const matrix = mirrored(instance.float64(sums, padded * padded), n, (i, j) => i * padded + j);
  for (const [k, i] of wideRows.entries()) {
    const row = instance.float64(wideSums + 8 * k * padded, n);
    for (let j = 0; j < n; j++) matrix[i * n + j] = matrix[j * n + i] = row[j] as number;
  }
  return matrix;
}

function weightedSum(
  instance: LearningInstance,
  rows: Rows,
  weights: Float64Array,
  divisor: number,
): Float32Array {
  const n = rows.length;
  instance.reset();
  const list = instance.reserve(4 * n);
  const weightList = instance.reserve(8 * n);
  const sums = instance.reserve(8 * TILE);
  const out = instance.reserve(4 * TILE);
  instance.words(list, n).set(rows.map((_, i) => i * ROW_BYTES));
  instance.float64(weightList, n).set(weights);
  const vector = new Float32Array(rows[0]?.length ?? 0);
  eachTile(instance, rows, (tile, begin) => {
    instance.exports.weightedSum(tile, list, weightList, n, divisor, sums, out);
    const width = Math.min(TILE, vector.length - begin);
    vector.set(instance.float32(out, width), begin);
  });
  return vector;
}

function trimmedMean(instance: LearningInstance, rows: Rows, trim: number): TrimmedMean {
  const n = rows.length;
  instance.reset();
  const list = instance.reserve(4 * n);
  const kept = instance.reserve(4 * n);
  const out = instance.reserve(4 * TILE);
  const room = instance.reserve(selectRoomBytes(n));
  instance.words(list, n).set(rows.map((_, i) => i * ROW_BYTES));
  instance.words(kept, n).fill(0);
  const vector = new Float32Array(rows[0]?.length ?? 0);
  eachTile(instance, rows, (tile, begin) => {
    const width = Math.min(TILE, vector.length - begin);
    instance.exports.trimmedMean(tile, list, n, trim, width, room, kept, out);
    vector.set(instance.float32(out, width), begin);
  });
  return { vector, kept: sharesOf(Float64Array.from(instance.words(kept, n))) };
}

function sketched(instance: LearningInstance, rows: Rows, noise: Int32Array): Float32Array[] {
  const n = rows.length;
  const each = SKETCH + TILE;
  instance.reset();
  const streams = instance.reserve(noise.byteLength);
  const signs = instance.reserve(4 * TILE);
  const sums = instance.reserve(4 * each * n);
  instance.words(streams, noise.length).set(noise);
  instance.float32(sums, each * n).fill(0);
  eachTile(instance, rows, (tile) => {
    instance.exports.sketchTile(tile, n, streams, signs, sums);
  });
  return rows.map((_, i) => folded(instance.float32(sums + 4 * each * i, each)));
}

function mixed(
  instance: LearningInstance,
  matrix: Float64Array,
  n: number,
  lists: readonly Uint16Array[],
): Float64Array {
  const { meanColumns } = instance.exports;
  const plan = mixingPlan(n, lists);
  const size = lists[0]?.length ?? 0;
  instance.reset();
  const from = instance.reserve(8 * n * n);
  const halfway = instance.reserve(8 * n * n);
  const planned = instance.reserve(4 * plan.length);
  const panel = instance.reserve(8 * MEAN_COLUMNS * n);
  instance.float64(from, n * n).set(matrix);
  instance.words(planned, plan.length).set(plan);
  for (let c = 0; c < n; c += MEAN_COLUMNS)
    meanColumns(from, n, planned, n, size, panel, halfway, c);
  for (let c = 0; c < n; c += MEAN_COLUMNS) {
    meanColumns(halfway, n, planned, Math.min(n, c + MEAN_COLUMNS), size, panel, from, c);
  }
  // Mean k of column c went to row c: the upper triangle has become the lower.
  return mirrored(instance.float64(from, n * n), n, (k, c) => c * n + k);
}
