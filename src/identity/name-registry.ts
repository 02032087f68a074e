// Which node holds which name. One name belongs to one NodeId and one NodeId to one name, for as long as the
// issuer remembers: a name never silently passes to other keys.

import type { NodeId } from "./peer-identity.ts";

/** Most names a registry holds. */
export const NAMES_MAX = 16_384;

/** What came of a claim. `full`: the registry holds as many names as it may. */
export type NameClaim = "held" | "name-taken" | "node-has-other-name" | "full";

/** Where names are kept. */
export interface NameRegistry {
  /** Whether a claim would succeed; changes nothing. */
  check(name: string, nodeId: NodeId): NameClaim;
  /** Atomic; `held` again when the node holds the name already. */
  claim(name: string, nodeId: NodeId): NameClaim;
}

/** Names in memory, for simulations. */
export class MemoryNameRegistry implements NameRegistry {
  readonly #holders = new Map<string, NodeId>();
  readonly #names = new Map<NodeId, string>();
  readonly #namesMax: number;

  constructor(namesMax: number = NAMES_MAX) {
    this.#namesMax = namesMax;
  }

  check(name: string, nodeId: NodeId): NameClaim {
    const holder = this.#holders.get(name);
    if (holder !== undefined) return holder === nodeId ? "held" : "name-taken";
    if (this.#names.has(nodeId)) return "node-has-other-name";
    return this.#holders.size < this.#namesMax ? "held" : "full";
  }

  claim(name: string, nodeId: NodeId): NameClaim {
    const outcome = this.check(name, nodeId);
    if (outcome === "held") {
      this.#holders.set(name, nodeId);
      this.#names.set(nodeId, name);
    }
    return outcome;
  }
}
