// A bounded least-recently-used set of prepared keys in wasm memory. A prepared key is what every operation with the key computes anew
// otherwise: the matrix expanded from its seed and its vectors in the NTT domain.
//
// Slots of one kind have one size, so a released slot serves any later key and nothing fragments. A slot is wiped when its key leaves,
// whether released or evicted. Whoever holds an evicted key prepares it again at the next use, so a full set costs time and never fails.

import type { Meter } from "../../ports/index.ts";
import type { Kernels } from "./kernels.ts";

export interface PreparedKeysOptions {
  /** Label of the counters. */
  readonly kind: "verification" | "signing" | "decapsulation";
  readonly slotBytes: number;
  /** Most keys held, >= 1; when full, the one used longest ago goes. */
  readonly keysMax: number;
}

/** Addresses of prepared keys by `Key`: a string, or the object that stands for the key. */
export class PreparedKeys<Key> {
  readonly #kernels: Kernels;
  readonly #meter: Meter | undefined;
  readonly #options: PreparedKeysOptions;
  // A Map iterates in insertion order, so the first entry is the one used longest ago.
  readonly #slots = new Map<Key, number>();
  readonly #free: number[] = [];
  #reserved = 0;

  /** Reserves the first slot, so that `get` always finds one. */
  constructor(
    deps: { readonly kernels: Kernels; readonly meter: Meter | undefined },
    options: PreparedKeysOptions,
  ) {
    this.#kernels = deps.kernels;
    this.#meter = deps.meter;
    this.#options = options;
    this.#free.push(this.#reserve());
  }

  /** How many keys are held. */
  get size(): number {
    return this.#slots.size;
  }

  /**
   * How many slots there are by now, held or free. So many different keys in a row, the ones of `get` since, do not evict one another.
   */
  get slots(): number {
    return this.#reserved;
  }

  /** The address of a key, prepared by `prepare` when it is not held. Good until the key is released or evicted. */
  get(key: Key, prepare: (slot: number) => void): number {
    const { kind } = this.#options;
    const held = this.#slots.get(key);
    if (held !== undefined) {
      this.#slots.delete(key);
      this.#slots.set(key, held);
      this.#meter?.count("meshd_crypto_prepared_keys_total", { kind, result: "hit" });
      return held;
    }
    const slot = this.#freeSlot();
    prepare(slot);
    this.#slots.set(key, slot);
    this.#meter?.count("meshd_crypto_prepared_keys_total", { kind, result: "miss" });
    return slot;
  }

  /** Wipes a key's slot; nothing happens when it is not held. */
  release(key: Key): void {
    const slot = this.#slots.get(key);
    if (slot === undefined) return;
    this.#slots.delete(key);
    this.#kernels.wipe(slot, this.#options.slotBytes);
    this.#free.push(slot);
  }

  #freeSlot(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#reserved < this.#options.keysMax) {
      try {
        return this.#reserve();
      } catch (error) {
        // The host has no more memory: as many keys as there are slots must do.
        if (!(error instanceof RangeError)) throw error;
      }
    }
    return this.#evict();
  }

  #reserve(): number {
    const slot = this.#kernels.reserve(this.#options.slotBytes);
    this.#reserved++;
    return slot;
  }

  #evict(): number {
    for (const [oldest, slot] of this.#slots) {
      this.#slots.delete(oldest);
      this.#kernels.wipe(slot, this.#options.slotBytes);
      const { kind } = this.#options;
      this.#meter?.count("meshd_crypto_prepared_key_evictions_total", { kind });
      return slot;
    }
    throw new RangeError("a set of prepared keys without a slot");
  }
}
