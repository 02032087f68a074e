// Peers without an SVID: they may ask for one, for a short time, and few of them at once.

import type { Connection } from "@libp2p/interface";
import { MeshError } from "../../foundation/index.ts";
import type { NetworkErrorCode } from "./network-errors.ts";

/** How long such a peer may stay (handshake reference 2.4), and how many at once. */
const JOINING_TIME_MS = 30_000;
const JOINING_MAX = 8;

export class JoiningPeers {
  readonly #timeMs: number;
  /** Each with the timer that ends it, oldest first. */
  readonly #timers = new Map<Connection, NodeJS.Timeout>();

  /** @param timeMs how long one may stay; 30 s unless given */
  constructor(timeMs = JOINING_TIME_MS) {
    this.#timeMs = timeMs;
  }

  /** The oldest gives way to the new one: a joiner needs a second, who stays longer only holds the place. */
  admit(connection: Connection): void {
    if (this.#timers.size >= JOINING_MAX) {
      const [oldest] = this.#timers.keys();
      oldest?.abort(refused("Too many joining peers."));
    }
    const end = (): void => connection.abort(refused("Joining took too long."));
    this.#timers.set(connection, setTimeout(end, this.#timeMs));
  }

  /** The connection is closed. Any may be handed in. */
  forget(connection: Connection): void {
    clearTimeout(this.#timers.get(connection));
    this.#timers.delete(connection);
  }

  stop(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}

function refused(why: string): MeshError<NetworkErrorCode> {
  return new MeshError<NetworkErrorCode>("network/request-failed", why);
}
