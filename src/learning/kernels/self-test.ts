// Whether kernels may stand in for the plain ones: they must give the same bits. A few small aggregations with all that is
// hard to get right; it takes a few milliseconds.

import { MeshError } from "../../foundation/index.ts";
import type { VectorKernels } from "../aggregators/kernels.ts";
import type { LearningErrorCode } from "../codes.ts";
import { SeededRandom } from "../seeded.ts";
import { TILE } from "./layout.ts";
import { noiseLanes } from "./noise.ts";
import { quantised } from "./quantise.ts";
import type { TrimmedMean } from "./select.ts";

/** Rows, and coordinates one past a tile: neither a multiple of what the kernels take at once. */
const ROWS = 11;
const LENGTH = TILE + 1;
/** Of quantised values, of which the greatest are cut. */
const STEP = 2 ** -8;
const widths = [8, 4] as const;

/**
 * Compares kernels with those that are to be trusted.
 * @throws MeshError `learning/kernels-unavailable`, details `reason` "self-test" and the kernel's name as `check`
 */
export function selfTestKernels(kernels: VectorKernels, trusted: VectorKernels): void {
  for (const rows of [ordinaryRows(), extremeRows()]) {
    const checks = checksOf(rows);
    for (const [check, answer] of Object.entries(checks)) {
      if (!sameNumbers(answer(kernels), answer(trusted))) throw failed(check);
    }
  }
}

type Answer = (kernels: VectorKernels) => readonly number[];

function checksOf(rows: readonly Float32Array[]): Record<string, Answer> {
  const weights = Float64Array.from(rows, (_, i) => (i % 4 === 0 ? 0 : 1 / (i + 1)));
  const lists = rows.map((_, k) => Uint16Array.of(0, 3, 4, 9).map((i) => ((i + k) % 2) ^ i));
  const long = Float32Array.from(rows.flatMap((row) => [...row]));
  const noise = noiseLanes(new SeededRandom("kernels/self-test", 3));
  const both = ({ vector, kept }: TrimmedMean): number[] => [...vector, ...kept];
  return {
    gram: (of) => [...of.gram(rows)],
    squaredDistances: (of) => [...of.squaredDistances(rows)],
    weightedSum: (of) => [...of.weightedSum(rows, weights)],
    meanOf: (of) => [...of.meanOf(rows, [1, 2, 5])],
    mixed: (of) => [...of.mixed(of.gram(rows), ROWS, lists)],
    median: (of) => both(of.trimmedMean(rows, (ROWS - 1) / 2)),
    "median of an even number": (of) => both(of.trimmedMean(rows.slice(1), 4)),
    trimmedMean: (of) => both(of.trimmedMean(rows, 3)),
    sketched: (of) => of.sketched(rows, noise).flatMap((sketch) => [...sketch]),
    quantised: (of) => widths.flatMap((bits) => [...of.quantised(long, STEP, bits, noise)]),
    dequantised: (of) =>
      widths.flatMap((bits) => {
        const bytes = quantised(long, STEP, bits, noise);
        return [...(of.dequantised(bytes, long.length, STEP, bits) ?? [])];
      }),
  };
}

/** Like updates, with ties and zeros of both signs among them. */
function ordinaryRows(): Float32Array[] {
  const random = new SeededRandom("kernels/self-test", 1);
  return Array.from({ length: ROWS }, () =>
    Float32Array.from({ length: LENGTH }, (_, c) =>
      c % 3 === 0 ? random.below(3) - 1 : c % 5 === 0 ? -0 : random.between(-1, 1),
    ),
  );
}

/** Magnitudes from denormal numbers to the greatest, and one row of ordinary ones. */
function extremeRows(): Float32Array[] {
  const random = new SeededRandom("kernels/self-test", 2);
  return Array.from({ length: ROWS }, (_, i) =>
    Float32Array.from({ length: LENGTH }, () => {
      const scale = i === 0 ? 1 : 2 ** (random.below(250) - 140);
      return Math.fround(random.between(-1, 1) * scale);
    }),
  );
}

/** Equal, and of zeros the signs too. */
function sameNumbers(one: readonly number[], other: readonly number[]): boolean {
  return one.length === other.length && one.every((value, i) => Object.is(value, other[i]));
}

function failed(check: string): MeshError<LearningErrorCode> {
  return new MeshError(
    "learning/kernels-unavailable",
    `Cannot use the learning kernels: ${check} failed the self-test on this host. Training goes on with plain ones, more slowly; please report it.`,
    { reason: "self-test", check },
  );
}
