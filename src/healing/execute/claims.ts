// The mesh-wide budget: a node that disturbs itself or another one says so first, and only so many may at once. Each node
// holds one token at most; who holds one without end is not counted after a while, so that a liar cannot stop all others.

import type { MonoMs } from "../../ports/index.ts";
import type { HealingOptions } from "../options.ts";

/** Claims remembered; a mesh with more nodes under repair at once has other troubles, and those count as many enough. */
const CLAIMS_MAX = 1_024;
/** Held for so many claim times without a break a token counts no more, until it has been away for as long. */
const HELD_MAX = 10;

interface Held {
  readonly sinceMs: MonoMs;
  readonly untilMs: MonoMs;
}

export class Claims {
  readonly #options: Pick<HealingOptions, "claimMs" | "meshShareMax">;
  readonly #held = new Map<string, Held>();

  constructor(options: Pick<HealingOptions, "claimMs" | "meshShareMax">) {
    this.#options = options;
  }

  /** Another node's claim; one of no length gives the token back. */
  take(nodeId: string, leftMs: number, nowMs: MonoMs): void {
    const { claimMs } = this.#options;
    const before = this.#held.get(nodeId);
    const isSame = before !== undefined && nowMs - before.untilMs < HELD_MAX * claimMs;
    if (before === undefined && this.#held.size >= CLAIMS_MAX) this.#forget(nowMs);
    if (before === undefined && this.#held.size >= CLAIMS_MAX) return;
    this.#held.set(nodeId, {
      sinceMs: isSame ? before.sinceMs : nowMs,
      untilMs: (nowMs + Math.min(Math.max(0, leftMs), claimMs)) as MonoMs,
    });
  }

  /** Nodes that hold a token now, in the order of their ids. */
  holders(nowMs: MonoMs): string[] {
    const longest = HELD_MAX * this.#options.claimMs;
    return [...this.#held]
      .filter(([, { sinceMs, untilMs }]) => untilMs > nowMs && nowMs - sinceMs <= longest)
      .map(([nodeId]) => nodeId)
      .sort();
  }

  /** Tokens that there are in a mesh of so many nodes. */
  most(nodes: number): number {
    return Math.max(1, Math.floor(this.#options.meshShareMax * nodes));
  }

  /** What is over for so long that it says nothing about whoever held it. */
  #forget(nowMs: MonoMs): void {
    for (const [nodeId, { untilMs }] of this.#held)
      if (nowMs - untilMs >= HELD_MAX * this.#options.claimMs) this.#held.delete(nodeId);
  }
}
