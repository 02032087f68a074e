// Remembers, for each connection, what its handshake proved. The key is the connection's timeline: the one
// object that libp2p shares between the raw stream that an encrypter sees and the Connection made from it.
// Keyed by PeerId instead, a joining peer with a stolen Ed25519 key could put on the identity of a member.

import type { AuthenticatedPeer } from "../../handshake/index.ts";

/** What has a timeline: raw streams, encrypted streams, connections. */
interface Timed {
  readonly timeline: object;
}

export class PeerRegistry {
  readonly #peers = new WeakMap<object, AuthenticatedPeer>();

  remember(connection: Timed, peer: AuthenticatedPeer): void {
    this.#peers.set(connection.timeline, peer);
  }

  of(connection: Timed): AuthenticatedPeer | undefined {
    return this.#peers.get(connection.timeline);
  }
}
