// Challenges that are out: one a node, each for one use within a minute.

import { ok, refuse, type Result } from "../../foundation/index.ts";
import type { MonoMs, Random } from "../../ports/index.ts";
import type { NodeId } from "../peer-identity.ts";
import { CHALLENGE_BYTES } from "./evidence.ts";

/** How long a challenge may be answered. */
export const CHALLENGE_LIFETIME_MS = 60_000;
/** Most challenges that are out; the oldest is forgotten first. */
export const CHALLENGES_MAX = 1024;

export class Challenges {
  readonly #random: Pick<Random, "bytes">;
  /** Insertion order is age. */
  readonly #open = new Map<NodeId, { readonly nonce: Uint8Array; readonly untilMs: number }>();

  constructor(random: Pick<Random, "bytes">) {
    this.#random = random;
  }

  /** A new one; an earlier one of that node is void. */
  make(node: NodeId, nowMs: MonoMs): Uint8Array {
    const nonce = this.#random.bytes(CHALLENGE_BYTES);
    this.#open.delete(node);
    this.#open.set(node, { nonce, untilMs: nowMs + CHALLENGE_LIFETIME_MS });
    const [oldest] = this.#open.keys();
    if (this.#open.size > CHALLENGES_MAX && oldest !== undefined) this.#open.delete(oldest);
    return nonce;
  }

  /** The challenge of a node, used up. Code: `identity/challenge-unknown`. */
  take(node: NodeId, nowMs: MonoMs): Result<Uint8Array, "identity/challenge-unknown"> {
    const open = this.#open.get(node);
    this.#open.delete(node);
    return open !== undefined && nowMs <= open.untilMs
      ? ok(open.nonce)
      : refuse("identity/challenge-unknown");
  }
}
