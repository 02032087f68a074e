// What compression left out is added to the next update (Seide et al. 2014; Karimireddy et al. 2019): a sparse update then
// loses nothing for good, it only comes later. The memory is the worker's own, like its momentum.

import { assert } from "../../foundation/index.ts";
import { allFinite } from "../tensors/model-spec.ts";
import {
  compress,
  type CompressionContext,
  type CompressionSpec,
  decompress,
} from "./compression.ts";

/** The memory of one worker for one task. */
export class ErrorFeedback {
  readonly #residual: Float32Array;

  /** @param length values of an update */
  constructor(length: number) {
    this.#residual = new Float32Array(length);
  }

  /** What is still owed, changed by {@link compress}. */
  get residual(): Readonly<Float32Array> {
    return this.#residual;
  }

  /**
   * The bytes of the update and what was owed, as far as they carry it; the rest is kept. A sum that left float32 is given up.
   * @throws MeshError as `compress` does, the memory unchanged
   */
  compress(
    update: Float32Array,
    spec: CompressionSpec,
    context: CompressionContext & { readonly author: string },
  ): Uint8Array {
    const residual = this.#residual;
    const owed = update.map((value, i) => value + (residual[i] ?? 0));
    const whole = allFinite(owed) ? owed : update;
    const bytes = compress(whole, spec, context);
    const sent = decompress(bytes, spec, context);
    assert(sent.ok, "what was compressed can be read");
    for (let i = 0; i < residual.length; i++) {
      residual[i] = (whole[i] as number) - (sent.value[i] as number);
    }
    return bytes;
  }
}
