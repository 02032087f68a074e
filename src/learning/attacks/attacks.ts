// Attacks of the laboratory: what a node that was configured as an adversary sends in place of its honest update.
// They exist to show that the defence holds; a node that was not made an adversary never runs them.
// Sources: reference attacks SF, Gaussian, label flip (Allen-Zhu et al. 2020), model scaling (Bagdasaryan et al. 2020).

import { SeededRandom } from "../seeded.ts";

/** The attacks there are. */
export const attackKinds = ["none", "sign-flip", "label-flip", "gaussian", "scaled"] as const;

/** One of {@link attackKinds}. */
export type AttackKind = (typeof attackKinds)[number];

/**
 * Sign flip sends -8 times the honest update: with f of n liars the mean moves by (n - f - 8f)/n of an honest step, so
 * one of five (-4/5) and two of seven (-11/7) already drive a plain mean backwards.
 */
export const SIGN_FLIP_SCALE = -8;
/** Scaling sends 10 times the honest update: enough that a plain mean overshoots. */
export const SCALED_FACTOR = 10;
/** Gaussian noise has 10 times the root mean square of the honest update. */
export const GAUSSIAN_FACTOR = 10;

/**
 * What an adversary sends for its honest update `delta` (model after training minus round start): a new array.
 * `label-flip` and `none` give the update itself: the first attacks at the data, see {@link flipLabels}.
 * @param labels seed of the noise: task seed, round, node
 */
export function attackUpdate(
  kind: AttackKind,
  delta: Float32Array,
  ...labels: readonly (number | string)[]
): Float32Array {
  switch (kind) {
    case "none":
    case "label-flip":
      return delta.slice();
    case "sign-flip":
      return delta.map((value) => SIGN_FLIP_SCALE * value);
    case "scaled":
      return delta.map((value) => SCALED_FACTOR * value);
    case "gaussian": {
      const random = new SeededRandom("attack/gaussian", ...labels);
      const sigma = GAUSSIAN_FACTOR * rootMeanSquare(delta);
      return delta.map(() => sigma * random.normal());
    }
  }
}

/** Labels of an adversary under `label-flip`: y becomes classes - 1 - y. A new array. */
export function flipLabels(labels: Uint16Array, classes: number): Uint16Array {
  return labels.map((label) => classes - 1 - label);
}

function rootMeanSquare(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] as number) ** 2;
  return Math.sqrt(sum / Math.max(1, values.length));
}
