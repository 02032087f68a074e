// A short vector that keeps lengths and distances on average (CountSketch, Charikar et al. 2002; for robust rules: reference 3.4), in plain
// TypeScript: twin of wasm/learning/sketch.ts.
//
// Each coordinate gets a random sign and is added to a bucket. Tiles go into the buckets as they are, from a random one on, so coordinates of one tile
// never meet, and two of different tiles meet with probability 1 / SKETCH: the standard error of a squared distance is at most sqrt(2 / SKETCH) of it.
// The draws must follow from what was agreed after all updates were committed, or liars hide where the sketch sees nothing.

import { TILE } from "./layout.ts";
import { drawWord } from "./noise.ts";

/** Buckets, a power of two: a squared distance is right to 4.4 %. */
export const SKETCH = 1024;
const WORD_BITS = 32;

/**
 * The sketches of rows, all by the same draws: float32 sums in the order of the tiles, those that ran past the last bucket added at the end.
 * @param noise what `noiseLanes` gave; left unchanged
 */
export function sketched(rows: readonly Float32Array[], noise: Int32Array): Float32Array[] {
  const streams = noise.slice();
  const sums = rows.map(() => new Float32Array(SKETCH + TILE));
  const length = rows[0]?.length ?? 0;
  for (let begin = 0; begin < length; begin += TILE) {
    const { first, signs } = drawTile(streams);
    for (const [i, row] of rows.entries()) {
      addTile(sums[i] as Float32Array, first, row.subarray(begin, begin + TILE), signs);
    }
  }
  return sums.map(folded);
}

/** The first bucket of a tile and the signs of its coordinates. */
function drawTile(streams: Int32Array): { readonly first: number; readonly signs: Int8Array } {
  const drawn = (): number[] => [0, 1, 2, 3].map((lane) => drawWord(streams, lane));
  const first = (drawn()[0] as number) & (SKETCH - 1);
  const signs = new Int8Array(TILE);
  for (let block = 0; block < TILE; block += 4 * WORD_BITS) {
    for (const [lane, word] of drawn().entries()) {
      for (let bit = 0; bit < WORD_BITS; bit++) {
        signs[block + 4 * bit + lane] = word << bit < 0 ? -1 : 1;
      }
    }
  }
  return { first, signs };
}

function addTile(sums: Float32Array, first: number, values: Float32Array, signs: Int8Array): void {
  for (let c = 0; c < values.length; c++) {
    sums[first + c] = (sums[first + c] as number) + (signs[c] as number) * (values[c] as number);
  }
}

/** The buckets, with what ran past the last one. */
export function folded(sums: Float32Array): Float32Array {
  const buckets = sums.slice(0, SKETCH);
  for (let i = 0; i < TILE; i++) {
    buckets[i] = (buckets[i] as number) + (sums[SKETCH + i] as number);
  }
  return buckets;
}
