// What compression makes of the rows of a round, with the common step that follows from round to round.

import {
  compress,
  type CompressionSpec,
  decompress,
  ErrorFeedback,
  FIRST_STEP,
  nextStep,
} from "../../src/learning/index.ts";
import { PARAMETERS } from "./network.ts";

export class Wire {
  readonly #spec: CompressionSpec;
  readonly #memories = new Map<number, ErrorFeedback>();
  /** The liars' rows of this round: a search sends one row in many copies. */
  readonly #liars = new Map<Float32Array, Float32Array>();
  #stepSize = FIRST_STEP;
  #seed = "0";

  constructor(spec: CompressionSpec) {
    this.#spec = spec;
  }

  /** @param rows of the round before, from which the step follows */
  begin(round: number, rows: readonly Float32Array[]): void {
    this.#seed = String(round);
    this.#stepSize = nextStep(rows, this.#stepSize);
    this.#liars.clear();
  }

  /** What arrives of an honest node's update. */
  honest(update: Float32Array, node: number): Float32Array {
    if (this.#spec.kind === "none") return update;
    if (this.#spec.kind !== "top-k") return this.#through(update, String(node));
    let memory = this.#memories.get(node);
    if (memory === undefined) this.#memories.set(node, (memory = new ErrorFeedback(PARAMETERS)));
    return this.#read(memory.compress(update, this.#spec, this.#context(String(node))));
  }

  /** What arrives of a liar's row: it too has to be written in the round's code. */
  liar(row: Float32Array): Float32Array {
    if (this.#spec.kind === "none") return row;
    let arrived = this.#liars.get(row);
    if (arrived === undefined) this.#liars.set(row, (arrived = this.#through(row, "liars")));
    return arrived;
  }

  #through(update: Float32Array, author: string): Float32Array {
    return this.#read(compress(update, this.#spec, this.#context(author)));
  }

  #read(bytes: Uint8Array): Float32Array {
    const row = decompress(bytes, this.#spec, this.#context(""));
    if (!row.ok) throw new Error(row.code);
    return row.value;
  }

  #context(author: string) {
    return { length: PARAMETERS, stepSize: this.#stepSize, seed: this.#seed, author };
  }
}
