// Copies of heartbeats that their origin sends to the receiver, too. They are for the case that it does not arrive, and may be a second late: kept
// here, those for one peer go in one frame. In a mesh of 24, where all are connected with all, that was half of all frames.

import type { RPC } from "@libp2p/gossipsub/message";

/** For one peer between two heartbeats of gossip: half of what it takes in one RPC. Of more, the first go unsent. */
const COPIES_MAX = 32;

/** Waiting copies by PeerId. */
export class SpareCopies {
  readonly #waiting = new Map<string, RPC.Message[]>();

  add(peerId: string, message: RPC.Message): void {
    const copies = this.#waiting.get(peerId) ?? [];
    copies.push(message);
    if (copies.length > COPIES_MAX) copies.shift();
    this.#waiting.set(peerId, copies);
  }

  /** Gives all away, a peer at a time. */
  send(give: (peerId: string, copies: RPC.Message[]) => void): void {
    for (const [peerId, copies] of this.#waiting) give(peerId, copies);
    this.#waiting.clear();
  }
}
