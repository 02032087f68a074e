// Crash detected: a node that lost power is held alive by nobody who could know better, once the bound is over.

import type { NodeIndex } from "../node-types.ts";
import { Checker } from "./checker.ts";
import type { SwarmView } from "./swarm-view.ts";

/** Who comes back so short before a crash hears of the node from others, and may do so after it has crashed. */
const HEARSAY_MS = 5_000;

/** Watches what becomes of crashed nodes. */
export class CrashDetected extends Checker {
  readonly name = "crash-detected";
  readonly #detectMs: number;
  readonly #crashedAtMs = new Map<NodeIndex, number>();
  #worldDisturbedAtMs = 0;
  readonly #nodeDisturbedAtMs = new Map<NodeIndex, number>();

  /** `detectMs`: the longest suspicion and what comes before it. */
  constructor(detectMs: number) {
    super();
    this.#detectMs = detectMs;
  }

  disturbed(nowMs: number, node?: NodeIndex): void {
    if (node === undefined) this.#worldDisturbedAtMs = nowMs;
    else this.#nodeDisturbedAtMs.set(node, nowMs);
  }

  crashed(node: NodeIndex, swarm: SwarmView): void {
    this.#crashedAtMs.set(node, swarm.nowMs);
  }

  restarted(node: NodeIndex): void {
    this.#crashedAtMs.delete(node);
  }

  override check(swarm: SwarmView): void {
    for (const [subject, crashedAtMs] of [...this.#crashedAtMs]) {
      const since = Math.max(crashedAtMs, this.#worldDisturbedAtMs);
      if (swarm.nowMs < since + this.#detectMs) continue;
      this.#crashedAtMs.delete(subject);
      for (const observer of swarm.healthy()) {
        const disturbedAtMs = this.#nodeDisturbedAtMs.get(observer) ?? -Infinity;
        if (disturbedAtMs > crashedAtMs - HEARSAY_MS) continue;
        this.checks++;
        const state = new Map(swarm.states(observer)).get(subject);
        if (state !== "alive" && state !== "suspect") continue;
        const afterMs = swarm.nowMs - crashedAtMs;
        this.report(
          swarm.nowMs,
          observer,
          subject,
          `sees it ${state} ${afterMs} ms after its crash`,
        );
      }
    }
  }
}
