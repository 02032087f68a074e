// How much memory the updates and models of a node may take: a sum with a limit. What does not fit is refused before it is fetched.

import { MeshError } from "../../foundation/index.ts";
import type { Meter } from "../../ports/index.ts";

export class MemoryBudget {
  readonly bytesMax: number;
  readonly #meter: Meter;
  #taken = 0;

  constructor(meter: Meter, bytesMax: number) {
    this.#meter = meter;
    this.bytesMax = bytesMax;
  }

  get taken(): number {
    return this.#taken;
  }

  /**
   * Takes memory; give it back with {@link release}.
   * @throws MeshError `learning/memory-budget`
   */
  take(bytes: number): void {
    if (this.#taken + bytes > this.bytesMax) {
      this.#meter.count("meshd_learning_memory_refusals_total");
      throw new MeshError(
        "learning/memory-budget",
        `Cannot hold ${bytes} more bytes of updates: ${this.#taken} of ${this.bytesMax} are taken. Raise learning.memory_mebibytes, or train a smaller model with fewer participants.`,
        { bytes, taken: this.#taken, bytesMax: this.bytesMax },
      );
    }
    this.#set(this.#taken + bytes);
  }

  release(bytes: number): void {
    this.#set(this.#taken - bytes);
  }

  #set(taken: number): void {
    this.#taken = taken;
    this.#meter.set("meshd_learning_memory_bytes", taken);
  }
}
