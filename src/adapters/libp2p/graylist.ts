// Members that were disconnected for their gossip score. gossipsub 17 begins a peer's score anew with each connection,
// so without this a flooder would only have to dial again.

import type { NodeId } from "../../identity/index.ts";
import type { MonoMs } from "../../ports/index.ts";

/** Long enough to make flooding dull, short enough for a member whose fault was ours. */
const GRAYLIST_MS = 300_000;
const GRAYLISTED_MAX = 1_024;

export class Graylist {
  readonly #untilMs = new Map<NodeId, number>();

  /** Refuses a member from now on; of too many, the one refused for longest is let in again. */
  add(nodeId: NodeId, nowMs: MonoMs): void {
    this.#untilMs.delete(nodeId);
    this.#untilMs.set(nodeId, nowMs + GRAYLIST_MS);
    const [oldest] = this.#untilMs.keys();
    if (this.#untilMs.size > GRAYLISTED_MAX && oldest !== undefined) this.#untilMs.delete(oldest);
  }

  has(nodeId: NodeId, nowMs: MonoMs): boolean {
    const untilMs = this.#untilMs.get(nodeId);
    if (untilMs === undefined) return false;
    if (nowMs < untilMs) return true;
    this.#untilMs.delete(nodeId);
    return false;
  }
}
