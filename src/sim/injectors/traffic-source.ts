// What a mesh without users has to carry: changes in what nodes say of themselves, in the pattern of a scenario.
// Wraps a node and lets its load change on a timer; churn, the fifth pattern, is the world's doing (see Churn).

import type { Now } from "../../ports/index.ts";
import type { MeshDatagram } from "../mesh-datagrams.ts";
import type { MeshNode } from "../mesh-node.ts";
import type {
  GossipMessage,
  NodeAction,
  NodeEvent,
  NodeIndex,
  ReceiveResult,
  SimNode,
} from "../node-types.ts";
import type { SeededRandom } from "../random.ts";
import type { Traffic } from "../scenarios/schema.ts";

const TRAFFIC_TIMER = "traffic";
const MINUTE_MS = 60_000;
/** The highest intensity of any pattern. */
const PEAK = 10;

/**
 * How many changes a minute a node makes at a moment, as a multiple of the scenario's rate: always 1; all of a period's at
 * its beginning; from 0 to 2 through the run; or from 0 to 2 and back in a period.
 */
export function intensity(traffic: Traffic, atMs: number, totalMs: number): number {
  const phase = (atMs % traffic.period) / traffic.period;
  switch (traffic.pattern) {
    case "steady":
    case "churn":
      return 1;
    case "burst":
      return phase < 1 / PEAK ? PEAK : 0;
    case "ramp":
      return Math.min(2, (2 * atMs) / totalMs);
    case "diurnal":
      return 1 - Math.cos(2 * Math.PI * phase);
  }
}

/** What a source needs beside its node. */
export interface TrafficParts {
  readonly node: MeshNode;
  readonly traffic: Traffic;
  readonly random: SeededRandom;
  /** True time. */
  readonly nowMs: () => number;
  readonly totalMs: number;
}

/** A node with traffic. */
export class TrafficSource implements SimNode<MeshDatagram> {
  readonly #parts: TrafficParts;

  constructor(parts: TrafficParts) {
    this.#parts = parts;
  }

  handle(event: NodeEvent<MeshDatagram>, now: Now): readonly NodeAction<MeshDatagram>[] {
    const { node, random, traffic, nowMs, totalMs } = this.#parts;
    if (event.kind === "timer" && event.id === TRAFFIC_TIMER) {
      const changes = random.chance(intensity(traffic, nowMs(), totalMs) / PEAK);
      return [
        ...(changes ? node.localChanged({ load: random.fraction() }, now) : []),
        this.#next(),
      ];
    }
    const actions = node.handle(event, now);
    const hasTraffic = event.kind === "started" && traffic.changes_per_minute > 0;
    return hasTraffic ? [...actions, this.#next()] : actions;
  }

  receive(message: GossipMessage, from: NodeIndex, now: Now): ReceiveResult<MeshDatagram> {
    return this.#parts.node.receive(message, from, now);
  }

  passesOn(message: GossipMessage, to: NodeIndex): boolean {
    return this.#parts.node.passesOn(message, to);
  }

  /** The next moment of a Poisson process at the pattern's peak; it is thinned to the pattern when it comes. */
  #next(): NodeAction<MeshDatagram> {
    const { random, traffic } = this.#parts;
    const meanMs = MINUTE_MS / (traffic.changes_per_minute * PEAK);
    const delayMs = -Math.log(1 - random.fraction()) * meanMs;
    return { kind: "set-timer", id: TRAFFIC_TIMER, delayMs: Math.max(1, delayMs) };
  }
}
