// What compression makes of the rows of a round, with the common step that follows from round to round.

import {
  allFinite,
  compress,
  type CompressionSpec,
  decompress,
  ErrorFeedback,
  FIRST_STEP,
  nextStep,
} from "../../src/learning/index.ts";
import { PARAMETERS } from "./network.ts";

/**
 * What a task can ask for, and what it cannot: `own-top-k`, where each node sends the coordinates of its own choice, its greatest, as
 * int8. Most columns are then mostly zeros, which is what rules that look at each coordinate answer.
 */
export type WireSpec = CompressionSpec | { readonly kind: "own-top-k"; readonly share: number };

export class Wire {
  readonly #spec: WireSpec;
  /** How the values that are sent are coded. */
  readonly #code: CompressionSpec;
  /** What nodes that choose their coordinates have not sent yet. */
  readonly #owed = new Map<number, Float32Array>();
  readonly #memories = new Map<number, ErrorFeedback>();
  /** The liars' rows of this round: a search sends one row in many copies. */
  readonly #liars = new Map<Float32Array, Float32Array | undefined>();
  #stepSize = FIRST_STEP;
  #seed = "0";

  constructor(spec: WireSpec) {
    this.#spec = spec;
    this.#code = spec.kind === "own-top-k" ? { kind: "int8" } : spec;
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
    if (this.#spec.kind === "own-top-k") return this.#chosen(update, node, this.#spec.share);
    if (this.#spec.kind !== "top-k") return this.#through(update, String(node));
    let memory = this.#memories.get(node);
    if (memory === undefined) this.#memories.set(node, (memory = new ErrorFeedback(PARAMETERS)));
    return this.#read(memory.compress(update, this.#spec, this.#context(String(node))));
  }

  /** What arrives of a liar's row, which too has to be written in the round's code; `undefined` where the gate refuses it. */
  liar(row: Float32Array): Float32Array | undefined {
    if (!this.#liars.has(row)) {
      const coded = (): Float32Array =>
        this.#spec.kind === "none" ? row : this.#through(this.#allowed(row), "liars");
      this.#liars.set(row, allFinite(row) ? coded() : undefined);
    }
    return this.#liars.get(row);
  }

  /** The greatest of what is owed; the rest is owed on. */
  #chosen(update: Float32Array, node: number, share: number): Float32Array {
    const before = this.#owed.get(node);
    const owed = update.map((value, i) => value + (before?.[i] ?? 0));
    const sent = this.#through(greatest(owed, share), String(node));
    this.#owed.set(
      node,
      owed.map((value, i) => value - (sent[i] as number)),
    );
    return sent;
  }

  /** A liar, too, can send no more coordinates than the code has. */
  #allowed(row: Float32Array): Float32Array {
    return this.#spec.kind === "own-top-k" ? greatest(row, this.#spec.share) : row;
  }

  #through(update: Float32Array, author: string): Float32Array {
    return this.#read(compress(update, this.#code, this.#context(author)));
  }

  #read(bytes: Uint8Array): Float32Array {
    const row = decompress(bytes, this.#code, this.#context(""));
    if (!row.ok) throw new Error(row.code);
    return row.value;
  }

  #context(author: string) {
    return { length: PARAMETERS, stepSize: this.#stepSize, seed: this.#seed, author };
  }
}

/** The share of values with the greatest magnitudes, ties to the lower coordinate; zeros elsewhere. */
function greatest(values: Float32Array, share: number): Float32Array {
  const order = [...values.keys()].sort(
    (a, b) => Math.abs(values[b] as number) - Math.abs(values[a] as number) || a - b,
  );
  const kept = new Float32Array(values.length);
  for (const at of order.slice(0, Math.ceil(share * values.length))) {
    kept[at] = values[at] as number;
  }
  return kept;
}
