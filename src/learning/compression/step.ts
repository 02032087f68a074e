// The step of quantised updates: one power of two for all nodes of a round, so that their values lie on one grid and sums
// over them are exact (see `aggregators/weights.ts`). It follows from the certified round before.

import { assert } from "../../foundation/index.ts";
import { greatestMagnitude } from "../kernels/layout.ts";

/** Greatest whole number of an int8 update: -128 is never used, so that negating loses nothing. */
export const INT8_MAX = 127;
/** Step of a task's first round: values up to 0.12. Too small a step clips the first round, too large a one coarsens it. */
export const FIRST_STEP = 2 ** -10;
/** The steps there are: products of values and weights stay far inside float64, and 127 steps inside float32. */
export const STEP_MIN = 2 ** -60;
export const STEP_MAX = 2 ** 60;
/** Head-room over the rows of the round before: rows that stood at the limit come out with twice the step. */
const HEAD_ROOM = 1.5;

/** True for powers of two from {@link STEP_MIN} to {@link STEP_MAX}. */
export function isStep(step: number): boolean {
  if (!(step >= STEP_MIN && step <= STEP_MAX)) return false;
  let power = STEP_MIN;
  while (power < step) power *= 2;
  return power === step;
}

/**
 * The next round's step: the least with which 127 steps hold one and a half times the lower median, over the rows of the
 * set, of their greatest magnitude. Fewer than half the rows cannot move that median beyond what honest rows have.
 * @param rows of the certified set, finite; none, or all zero, leave the step `before`
 */
export function nextStep(rows: readonly Float32Array[], before: number): number {
  assert(isStep(before), "a step is a power of two");
  const greatest = Float64Array.from(rows, greatestMagnitude).sort();
  const middle = greatest[Math.floor((greatest.length - 1) / 2)] ?? 0;
  if (middle === 0) return before;
  let step = STEP_MIN;
  while (step < STEP_MAX && INT8_MAX * step < HEAD_ROOM * middle) step *= 2;
  return step;
}
