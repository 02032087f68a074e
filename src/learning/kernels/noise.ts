// Random words for the kernels: four streams of sfc32 (see SeededRandom), one a lane, so that a register of four words is drawn at once.

import type { SeededRandom } from "../seeded.ts";

/** State of the streams: the words a, b, c and the counter, of each the four lanes. */
const WORDS = 16;

/** Streams that follow from a generator's next words. */
export function noiseLanes(random: SeededRandom): Int32Array {
  return Int32Array.from({ length: WORDS }, (_, i) => (i < 12 ? random.uint32() : 1));
}

/** The next 32 bits of a lane's stream, signed. */
export function drawWord(noise: Int32Array, lane: number): number {
  const a = noise[lane] as number;
  const b = noise[lane + 4] as number;
  const c = noise[lane + 8] as number;
  const counter = noise[lane + 12] as number;
  const drawn = (((a + b) | 0) + counter) | 0;
  noise[lane] = b ^ (b >>> 9);
  noise[lane + 4] = c + (c << 3);
  noise[lane + 8] = ((c << 21) | (c >>> 11)) + drawn;
  noise[lane + 12] = counter + 1;
  return drawn;
}
