// Sequences rise: what a node publishes, and what each other node accepts from it, carries a strictly rising
// number within an epoch, and an epoch that never falls. State beacons and heartbeats count apart. A replay
// that anyone accepts, or a boot counter that was lost, breaks this.

import type { NodeId } from "../../identity/index.ts";
import { readBeaconHeader } from "../beacon-header.ts";
import type { NodeIndex } from "../node-types.ts";
import { type Violation, Violations } from "./violation.ts";

const CHECKER = "sequence-rises";

/** The place in an origin's history that was reached last. */
interface Place {
  epoch: number;
  number: number;
}

/** Watches the numbers of beacons and heartbeats. */
export class SequenceRises {
  readonly #indexOf: (nodeId: NodeId) => NodeIndex | undefined;
  readonly #violations = new Violations();
  /** Per observer: kind and origin to place. */
  readonly #accepted = new Map<NodeIndex, Map<string, Place>>();
  readonly #published = new Map<string, Place>();
  #checks = 0;

  constructor(indexOf: (nodeId: NodeId) => NodeIndex | undefined) {
    this.#indexOf = indexOf;
  }

  get violations(): readonly Violation[] {
    return this.#violations.list;
  }

  /** How many numbers were judged: 0 says that the checker never looked. */
  get checks(): number {
    return this.#checks;
  }

  /** The observer lost its memory: what it accepts from now on is compared with nothing before. */
  restarted(observer: NodeIndex): void {
    this.#accepted.delete(observer);
  }

  /** An honest node published this under its own name; outlives its restarts. */
  published(node: NodeIndex, bytes: Uint8Array, nowMs: number): void {
    this.#judge(this.#published, node, bytes, nowMs, "published");
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
  ): void {
    const header = readBeaconHeader(bytes);
    if (header === undefined) return;
    const { kind, nodeId, epoch, number } = header;
    const key = kind + nodeId;
    const place = places.get(key);
    this.#checks++;
    if (place === undefined) {
      places.set(key, { epoch, number });
      return;
    }
    if (epoch < place.epoch || (epoch === place.epoch && number <= place.number)) {
      const what = `${verb} ${kind} ${epoch}/${number} after ${place.epoch}/${place.number}`;
      const subject = this.#indexOf(nodeId) ?? observer;
      this.#violations.add({ checker: CHECKER, atMs, observer, subject, what });
      return;
    }
    place.epoch = epoch;
    place.number = number;
  }
}
