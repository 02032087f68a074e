// Updates and models that this node holds and gives to others of the task, within a budget. What goes out of use is
// dropped by whoever put it in.

import { type ContentId, type HeldContent, leavesOf, type Sha256 } from "../../learning/index.ts";
import type { MemoryBudget } from "./memory-budget.ts";

export class ContentStore {
  readonly #sha256: Sha256;
  readonly #budget: MemoryBudget;
  readonly #held = new Map<string, HeldContent>();

  constructor(sha256: Sha256, budget: MemoryBudget) {
    this.#sha256 = sha256;
    this.#budget = budget;
  }

  get(digest: string): HeldContent | undefined {
    return this.#held.get(digest);
  }

  /**
   * Holds a content made here. One that is held already costs nothing.
   * @throws MeshError `learning/memory-budget`
   */
  put({ digest }: ContentId, bytes: Uint8Array): void {
    if (this.#held.has(digest)) return;
    this.#budget.take(bytes.length);
    this.#held.set(digest, { bytes, leaves: leavesOf(this.#sha256, bytes) });
  }

  /** Holds a content that has come whole; its memory was taken when it was begun. */
  adopt({ digest, bytes }: ContentId, held: HeldContent): void {
    if (this.#held.has(digest)) this.#budget.release(bytes);
    else this.#held.set(digest, held);
  }

  /** Drops everything but these. */
  keepOnly(digests: ReadonlySet<string>): void {
    for (const [digest, { bytes }] of this.#held) {
      if (digests.has(digest)) continue;
      this.#held.delete(digest);
      this.#budget.release(bytes.length);
    }
  }
}
