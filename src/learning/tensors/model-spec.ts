// A model as the mesh sees it: named tensors of fixed shape, kept as one flat Float32Array.

import { MeshError } from "../../foundation/index.ts";

/** Most parameters of a model: 4 Mi (16 MiB of float32), a bound on what one update may cost a peer. */
export const PARAMETERS_MAX = 4 * 1024 * 1024;

/** One tensor: row-major, dimensions >= 1. */
export interface TensorSpec {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Where a tensor lies in the flat weights: `[begin, end)`, in elements. */
export interface TensorSlot extends TensorSpec {
  readonly begin: number;
  readonly end: number;
}

/** The tensors of a model in canonical order (ascending name) and their places in the flat weights. */
export interface ModelSpec {
  readonly tensors: readonly TensorSlot[];
  /** Length of the flat weights, 1..{@link PARAMETERS_MAX}. */
  readonly parameters: number;
}

/**
 * Elements of a shape; `undefined` when a dimension is not an integer >= 1 or the product exceeds `limit`.
 * Every partial product stays below `limit`, so nothing overflows.
 */
export function shapeElements(shape: readonly unknown[], limit: number): number | undefined {
  let product = 1;
  for (const dimension of shape) {
    if (typeof dimension !== "number" || !Number.isSafeInteger(dimension) || dimension < 1) return;
    if (dimension > limit / product) return;
    product *= dimension;
  }
  return product > limit ? undefined : product;
}

/**
 * The spec of tensors given in any order.
 * @throws MeshError `learning/bad-data` for a doubled name, a bad shape or more than PARAMETERS_MAX parameters
 */
export function modelSpec(tensors: readonly TensorSpec[]): ModelSpec {
  const slots: TensorSlot[] = [];
  let parameters = 0;
  for (const { name, shape } of tensors.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const elements = shapeElements(shape, PARAMETERS_MAX - parameters);
    if (elements === undefined || name === "__metadata__" || slots.at(-1)?.name === name) {
      throw new MeshError(
        "learning/bad-data",
        `Cannot place tensor '${name}' of shape [${shape.join(", ")}]: names must be unique, dimensions at least 1 and ` +
          `the model at most ${PARAMETERS_MAX} parameters. Choose a smaller model.`,
        { name },
      );
    }
    slots.push({ name, shape: [...shape], begin: parameters, end: parameters + elements });
    parameters += elements;
  }
  return { tensors: slots, parameters };
}

/** A tensor of flat weights by name, as a view. The name is one of the spec's: anything else is our own mistake. */
export function tensorView(spec: ModelSpec, weights: Float32Array, name: string): Float32Array {
  const slot = spec.tensors.find((candidate) => candidate.name === name);
  if (slot === undefined) throw new RangeError(`The model has no tensor '${name}'.`);
  return weights.subarray(slot.begin, slot.end);
}

/** True when every value is a finite number. */
export function allFinite(values: Float32Array): boolean {
  // A sum of x - x is 0 only over finite values: one pass without a branch for each.
  let probe = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    probe += value - value;
  }
  return probe === 0;
}

/** Turns every -0 into +0, in place: they are equal as numbers, but not in bytes, nor under min and max. */
export function clearNegativeZeros(values: Float32Array): void {
  for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) + 0;
}
