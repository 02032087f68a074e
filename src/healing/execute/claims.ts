// The mesh-wide budget: a node that disturbs itself or another one says so first, and only so many may at once. Each node
// holds one token at most; one that claims again and again is not counted after a while, so that a liar cannot stop all
// others. Honest nodes pause long before.

import type { MonoMs } from "../../ports/index.ts";
import type { HealingOptions } from "../options.ts";

/** Claims remembered; a mesh with more nodes under repair at once has other troubles, and those count as many enough. */
const CLAIMS_MAX = 1_024;
/** Claims of one node with no pause as long as this between them count for as long as this in all, in claim times. */
const SERIES_CLAIMS = 10;

interface Held {
  /** Since when without a break. */
  readonly sinceMs: MonoMs;
  /** Since when without a long pause. */
  readonly seriesMs: MonoMs;
  readonly untilMs: MonoMs;
}

export class Claims {
  readonly #options: Pick<HealingOptions, "claimMs" | "meshShareMax">;
  readonly #held = new Map<string, Held>();

  constructor(options: Pick<HealingOptions, "claimMs" | "meshShareMax">) {
    this.#options = options;
  }

  /** A node's claim, or this one's own; one of no length gives the token back. */
  take(nodeId: string, leftMs: number, nowMs: MonoMs): void {
    const { claimMs } = this.#options;
    const before = this.#held.get(nodeId);
    const isHeld = before !== undefined && nowMs <= before.untilMs;
    const isSeries = before !== undefined && nowMs - before.untilMs <= this.#seriesMs;
    if (before === undefined && this.#held.size >= CLAIMS_MAX) this.#forget(nowMs);
    if (before === undefined && this.#held.size >= CLAIMS_MAX) return;
    this.#held.set(nodeId, {
      sinceMs: isHeld ? before.sinceMs : nowMs,
      seriesMs: isSeries ? before.seriesMs : nowMs,
      untilMs: (nowMs + Math.min(Math.max(0, leftMs), claimMs)) as MonoMs,
    });
  }

  /** How many other nodes hold a token now. */
  others(self: string, nowMs: MonoMs): number {
    return this.#holders(nowMs).filter(([nodeId]) => nodeId !== self).length;
  }

  /** Whether a node must pause before it claims again: the rest of its series is for what it has begun. */
  mustPause(nodeId: string, nowMs: MonoMs): boolean {
    const held = this.#held.get(nodeId);
    if (held === undefined || nowMs - held.untilMs > this.#seriesMs) return false;
    return nowMs - held.seriesMs >= this.#seriesMs / 2;
  }

  get #seriesMs(): number {
    return SERIES_CLAIMS * this.#options.claimMs;
  }

  /**
   * Whether a node that has claimed since `sinceMs` has its turn. Ahead of it are those that it heard of before it claimed,
   * and of the others those with a lower id. Of two that claim at once each hears the other before it acts, and at least
   * one takes the other for ahead: so k nodes that act together have k(k-1)/2 others ahead of them in all, each of them fewer
   * than `turns`, and k is at most 2 · turns - 1, which is no more than there are tokens.
   */
  hasTurn(self: string, sinceMs: number, nodes: number, nowMs: MonoMs): boolean {
    const turns = (this.most(nodes) + 1) >> 1;
    const ahead = this.#holders(nowMs).filter(
      ([nodeId, held]) => nodeId !== self && (held.sinceMs < sinceMs || nodeId < self),
    );
    return ahead.length < turns;
  }

  #holders(nowMs: MonoMs): [string, Held][] {
    return [...this.#held].filter(
      ([, { seriesMs, untilMs }]) => untilMs > nowMs && nowMs - seriesMs <= this.#seriesMs,
    );
  }

  /** Tokens that there are in a mesh of so many nodes. */
  most(nodes: number): number {
    return Math.max(1, Math.floor(this.#options.meshShareMax * nodes));
  }

  /** What is over for so long that it says nothing about whoever held it. */
  #forget(nowMs: MonoMs): void {
    for (const [nodeId, { untilMs }] of this.#held)
      if (nowMs - untilMs > this.#seriesMs) this.#held.delete(nodeId);
  }
}
