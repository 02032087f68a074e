// Which coordinates a sparse update carries: the same for all nodes of a round, drawn from the round's seed. Masks of each
// node's own choosing would leave most columns with a majority of zeros, which is what coordinate-wise rules then answer.

import { SeededRandom } from "../seeded.ts";

/** Coordinates that a share of `length` keeps: at least one. */
export function maskSize(length: number, share: number): number {
  return Math.min(length, Math.max(1, Math.ceil(length * share)));
}

/** The round's coordinates, ascending: each subset of that size as likely as any other. */
export function sharedMask(length: number, share: number, seed: string): Uint32Array {
  const random = new SeededRandom("compression/mask", seed, length);
  const all = Uint32Array.from({ length }, (_, i) => i);
  const size = maskSize(length, share);
  for (let i = 0; i < size; i++) {
    const j = i + random.below(length - i);
    const held = all[i] as number;
    all[i] = all[j] as number;
    all[j] = held;
  }
  return all.subarray(0, size).sort();
}
