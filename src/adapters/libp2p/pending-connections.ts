// Connections that have not authenticated yet, by address: one host must not take the places of all.

import type { MultiaddrConnection } from "@libp2p/interface";
import { limiterKey } from "../../handshake/index.ts";

/** Inbound connections of one address before their handshake has ended. */
const PER_ADDRESS_MAX = 48;

export class PendingConnections {
  readonly #pending = new Map<string, Set<MultiaddrConnection>>();
  readonly #isAuthenticated: (raw: MultiaddrConnection) => boolean;
  readonly #addressesMax: number;

  constructor(isAuthenticated: (raw: MultiaddrConnection) => boolean, addressesMax: number) {
    this.#isAuthenticated = isAuthenticated;
    this.#addressesMax = addressesMax;
  }

  /** Takes a new raw connection in. @returns whether there are too many of its address */
  refuses(raw: MultiaddrConnection): boolean {
    const host = raw.remoteAddr
      .getComponents()
      .find(({ name }) => name === "ip4" || name === "ip6");
    const key = limiterKey(host?.value ?? "unknown");
    const pending = (this.#pending.get(key) ?? new Set()).add(raw);
    // Else the last of each address would stay with all that hangs on it, 90 KB, until the next comes.
    raw.addEventListener("close", () => pending.delete(raw), { once: true });
    for (const other of pending) {
      if (other.status !== "open" || this.#isAuthenticated(other)) pending.delete(other);
    }
    const refused = pending.size > PER_ADDRESS_MAX;
    if (refused) pending.delete(raw);
    this.#pending.set(key, pending);
    for (const [address, waiting] of this.#pending) {
      if (waiting.size === 0 || this.#pending.size > this.#addressesMax)
        this.#pending.delete(address);
    }
    return refused;
  }
}
