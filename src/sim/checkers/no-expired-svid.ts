// No expired SVID: an honest node accepts nothing from a node whose credential has ended by the observer's clock.

import type { Ailments } from "../ailments.ts";
import { type BeaconHeader, readBeaconHeader } from "../beacon-header.ts";
import type { NodeIndex } from "../node-types.ts";
import { Checker } from "./checker.ts";
import type { SwarmView } from "./swarm-view.ts";

/**
 * A fault that brings an end forward is known to others when they hang up, whatever their clocks say, and to what is on its way
 * not at all: that takes seconds where a network is slow and nodes stand still.
 */
const BROUGHT_FORWARD_MS = 5_000;

type Judged = Pick<SwarmView, "census" | "world"> & { readonly ailments: Pick<Ailments, "of"> };

/** Compares each accepted message with the end of its author's credential. */
export class NoExpiredSvid extends Checker {
  readonly name = "no-expired-svid";
  readonly #swarm: () => Judged;
  /** The newest of each kind that an author said while its credential was good, or that others took while they could not know better. */
  readonly #saidInTime = new Map<string, BeaconHeader>();
  /** Since when the others know of an end that was brought forward. */
  readonly #knownMs = new Map<NodeIndex, number>();

  constructor(swarm: () => Judged) {
    super();
    this.#swarm = swarm;
  }

  override check({ nowMs }: Pick<SwarmView, "nowMs">): void {
    const { census, ailments } = this.#swarm();
    for (const { index } of census.all)
      if (!ailments.of(index).expiredSvid) this.#knownMs.delete(index);
      else if (!this.#knownMs.has(index)) this.#knownMs.set(index, nowMs);
  }

  published(node: NodeIndex, bytes: Uint8Array, nowMs: number): void {
    const header = readBeaconHeader(bytes);
    const { census, world } = this.#swarm();
    const { wallMs } = world.clock(node).at(nowMs);
    if (header === undefined || census.at(node).identity.notAfterMs <= wallMs) return;
    this.#saidInTime.set(keyOf(header), header);
  }

  accepted(observer: NodeIndex, bytes: Uint8Array, nowMs: number): void {
    const header = readBeaconHeader(bytes);
    if (header === undefined) return;
    const { census, world, ailments } = this.#swarm();
    const origin = census.find(header.nodeId);
    if (origin === undefined) return;
    this.checks++;
    const { wallMs } = world.clock(observer).at(nowMs);
    const lateMs = wallMs - origin.identity.notAfterMs;
    const { renewalStuck, expiredSvid } = ailments.of(origin.index);
    if (renewalStuck || expiredSvid) {
      const knownMs = this.#knownMs.get(origin.index) ?? nowMs;
      if (this.#isSaidInTime(header)) return;
      if (nowMs - knownMs < BROUGHT_FORWARD_MS) {
        this.#saidInTime.set(keyOf(header), header);
        return;
      }
    } else if (lateMs < 0) return;
    this.report(nowMs, observer, origin.index, `accepted it ${lateMs} ms after its SVID ended`);
  }

  /** Who was cut off when an end was brought forward hears from others later what they took then. */
  #isSaidInTime(header: BeaconHeader): boolean {
    const last = this.#saidInTime.get(keyOf(header));
    if (last === undefined || header.epoch > last.epoch) return false;
    return header.epoch < last.epoch || header.number <= last.number;
  }
}

const keyOf = ({ kind, nodeId }: BeaconHeader): string => `${kind} ${nodeId}`;
