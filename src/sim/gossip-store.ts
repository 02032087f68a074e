// Gives every distinct gossip message of a run its number. Messages are told apart by topic and bytes, as
// gossipsub's content-derived message ids do, so that a replayed copy is the old message while anyone
// remembers it, and a new one afterwards.

import { toHex } from "../foundation/index.ts";
import type { GossipMessage } from "./node-types.ts";

const WORD_HEX_DIGITS = 8;

/** The messages that somebody may still remember. */
export class GossipStore {
  readonly #sha256: (data: Uint8Array) => Uint8Array;
  readonly #halfLifeMs: number;
  readonly #max: number;
  #young = new Map<string, GossipMessage>();
  #old = new Map<string, GossipMessage>();
  #turnedAtMs = 0;
  #count = 0;

  /** Remembers at most `2 * max` messages, each for one to two half-lives after it was last published. */
  constructor(sha256: (data: Uint8Array) => Uint8Array, halfLifeMs: number, max: number) {
    this.#sha256 = sha256;
    this.#halfLifeMs = halfLifeMs;
    this.#max = max;
  }

  /** Distinct messages so far. */
  get count(): number {
    return this.#count;
  }

  /** The message of these bytes: the one it was before, or a new one. The bytes are copied. */
  intern(topic: string, bytes: Uint8Array, nowMs: number): GossipMessage {
    if (nowMs - this.#turnedAtMs >= this.#halfLifeMs || this.#young.size >= this.#max) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#turnedAtMs = nowMs;
    }
    const hash = toHex(this.#sha256(bytes));
    const key = `${topic}/${hash}`;
    let message = this.#young.get(key) ?? this.#old.get(key);
    if (message === undefined) {
      const word = Number.parseInt(hash.slice(0, WORD_HEX_DIGITS), 16);
      message = { number: ++this.#count, topic, bytes: bytes.slice(), word };
    }
    this.#young.set(key, message);
    return message;
  }
}
