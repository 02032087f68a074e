// Sequences rise: what a node publishes, and what each other node accepts from it, carries a strictly rising
// number within an epoch, and an epoch that never falls. State beacons and heartbeats count apart. A replay
// that anyone accepts, or a boot counter that was lost, breaks this.

import { readBeaconHeader } from "../beacon-header.ts";
import type { NodeIndex } from "../node-types.ts";
import { Checker, type IndexOf, type MemberChange } from "./checker.ts";

/** The place in an origin's history that was reached last. */
interface Place {
  epoch: number;
  number: number;
}

/** Watches the numbers of beacons and heartbeats. */
export class SequenceRises extends Checker {
  readonly name = "sequence-rises";
  readonly #indexOf: IndexOf;
  /** Per observer: kind and origin to place. */
  readonly #accepted = new Map<NodeIndex, Map<string, Place>>();
  readonly #published = new Map<string, Place>();

  constructor(indexOf: IndexOf) {
    super();
    this.#indexOf = indexOf;
  }

  /**
   * The observer lost its memory: what it accepts from now on is compared with nothing before. With a disk that
   * has lost time it may also say again what it said, until the others tell it.
   */
  restarted(observer: NodeIndex, forgetful = false): void {
    this.#accepted.delete(observer);
    if (!forgetful) return;
    for (const key of this.#published.keys()) {
      if (key.endsWith(`@${observer}`)) this.#published.delete(key);
    }
  }

  /**
   * The observer has forgotten a member, as it does those of other zones that it is not connected to any more: what it
   * accepts of it from now on is compared with nothing before.
   */
  memberChanged({ observer, subject, to }: MemberChange): void {
    if (to !== undefined || subject === undefined) return;
    for (const kind of ["state", "heartbeat"])
      this.#accepted.get(observer)?.delete(`${kind}${subject}`);
  }

  /** An honest node published this under its own name; outlives its restarts. */
  published(node: NodeIndex, bytes: Uint8Array, nowMs: number): void {
    this.#judge(this.#published, node, bytes, nowMs, "published", `@${node}`);
  }

  /** An honest node accepted this. */
  accepted(observer: NodeIndex, bytes: Uint8Array, nowMs: number): void {
    let places = this.#accepted.get(observer);
    if (places === undefined) {
      places = new Map();
      this.#accepted.set(observer, places);
    }
    this.#judge(places, observer, bytes, nowMs, "accepted");
  }

  #judge(
    places: Map<string, Place>,
    observer: NodeIndex,
    bytes: Uint8Array,
    atMs: number,
    verb: string,
    suffix = "",
  ): void {
    const header = readBeaconHeader(bytes);
    if (header === undefined) return;
    const { kind, nodeId, epoch, number } = header;
    const origin = this.#indexOf(nodeId);
    const key = `${kind}${origin ?? nodeId}${suffix}`;
    const place = places.get(key);
    this.checks++;
    if (place === undefined) {
      places.set(key, { epoch, number });
      return;
    }
    if (epoch < place.epoch || (epoch === place.epoch && number <= place.number)) {
      const what = `${verb} ${kind} ${epoch}/${number} after ${place.epoch}/${place.number}`;
      this.report(atMs, observer, origin ?? observer, what);
      return;
    }
    place.epoch = epoch;
    place.number = number;
  }
}
