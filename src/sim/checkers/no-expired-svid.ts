// No expired SVID: an honest node accepts nothing from a node whose credential has ended by the observer's clock.

import { readBeaconHeader } from "../beacon-header.ts";
import type { NodeIndex } from "../node-types.ts";
import { Checker } from "./checker.ts";
import type { SwarmView } from "./swarm-view.ts";

/** Compares each accepted message with the end of its author's credential. */
export class NoExpiredSvid extends Checker {
  readonly name = "no-expired-svid";
  readonly #swarm: () => Pick<SwarmView, "census" | "world">;

  constructor(swarm: () => Pick<SwarmView, "census" | "world">) {
    super();
    this.#swarm = swarm;
  }

  accepted(observer: NodeIndex, bytes: Uint8Array, nowMs: number): void {
    const header = readBeaconHeader(bytes);
    if (header === undefined) return;
    const { census, world } = this.#swarm();
    const origin = census.find(header.nodeId);
    if (origin === undefined) return;
    this.checks++;
    const { wallMs } = world.clock(observer).at(nowMs);
    const lateMs = wallMs - origin.identity.notAfterMs;
    if (lateMs < 0) return;
    this.report(nowMs, observer, origin.index, `accepted it ${lateMs} ms after its SVID ended`);
  }
}
