// Gives every distinct gossip message of a run its number. Messages are told apart by topic and bytes, as
// gossipsub's content-derived message ids do, so that a replayed copy is the old message while anyone
// remembers it, and a new one afterwards. Time is cut into generations: a message is remembered until the
// end of the generation after its own, here and by the nodes (seen-messages.ts).

import { toHex } from "../foundation/index.ts";
import type { GossipMessage } from "./node-types.ts";

const WORD_HEX_DIGITS = 8;

/** The messages that somebody may still remember. */
export class GossipStore {
  readonly #sha256: (data: Uint8Array) => Uint8Array;
  readonly #generationMs: number;
  readonly #max: number;
  #generation = 0;
  #young = new Map<string, GossipMessage>();
  #old = new Map<string, GossipMessage>();
  /** Messages of this generation by topic. */
  #places = new Map<string, number>();
  readonly #topics = new Map<string, string>();
  #count = 0;

  /** Remembers at most `max` messages of a generation; a repeat of one beyond is a new message. */
  constructor(sha256: (data: Uint8Array) => Uint8Array, generationMs: number, max: number) {
    this.#sha256 = sha256;
    this.#generationMs = generationMs;
    this.#max = max;
  }

  /** Distinct messages so far. */
  get count(): number {
    return this.#count;
  }

  /** The one string object for a topic's name: maps find it without comparing letters. */
  topic(name: string): string {
    const known = this.#topics.get(name);
    if (known !== undefined) return known;
    this.#topics.set(name, name);
    return name;
  }

  /** The generation of a moment. */
  generationAt(nowMs: number): number {
    return Math.floor(nowMs / this.#generationMs);
  }

  /** The message of these bytes: the one it was before, or a new one. The bytes are copied. */
  intern(name: string, bytes: Uint8Array, nowMs: number): GossipMessage {
    const topic = this.topic(name);
    this.#turn(this.generationAt(nowMs));
    const hash = toHex(this.#sha256(bytes));
    const key = `${topic}/${hash}`;
    const known = this.#young.get(key) ?? this.#old.get(key);
    if (known !== undefined) return known;
    const word = Number.parseInt(hash.slice(0, WORD_HEX_DIGITS), 16);
    const place = this.#places.get(topic) ?? 0;
    this.#places.set(topic, place + 1);
    const number = ++this.#count;
    const generation = this.#generation;
    const message = { number, topic, bytes: bytes.slice(), word, generation, place };
    if (this.#young.size < this.#max) this.#young.set(key, message);
    return message;
  }

  #turn(generation: number): void {
    if (generation === this.#generation) return;
    this.#old =
      generation === this.#generation + 1 ? this.#young : new Map<string, GossipMessage>();
    this.#young = new Map();
    this.#places = new Map();
    this.#generation = generation;
  }
}
