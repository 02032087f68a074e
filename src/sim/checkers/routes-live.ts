// Routes live: no route goes to or through a node that has been gone for longer than the bound, and next hops lead
// to the target: nodes whose beacons were lost may disagree on the way for a beacon period more, then no route
// ends nowhere or goes round. Random routes are followed, hop by hop.

import type { NodeId } from "../../identity/index.ts";
import type { NodeIndex } from "../node-types.ts";
import type { SeededRandom } from "../random.ts";
import { Checker } from "./checker.ts";
import type { SwarmView } from "./swarm-view.ts";

/** Routes followed at once. */
const ROUTES_PER_CHECK = 8;
/** Routes count for availability when the nodes have had time to find each other. */
const START_MS = 15_000;
/** Bad routes remembered, to be looked at again. */
const BAD_MAX = 256;

/** What became of a message that follows the next hops; what a liar does with it whom nobody has convicted yet is no fault of the routes. */
type Outcome = "arrives" | "no-route" | "dead-node" | "dead-end" | "loop" | "liar";

const harmless: readonly Outcome[] = ["arrives", "no-route", "liar"];

/** Follows routes. Also the measure of availability: the share of them that arrive. */
export class RoutesLive extends Checker {
  readonly name = "routes-live";
  arrived = 0;
  followed = 0;
  readonly #random: SeededRandom;
  readonly #boundMs: number;
  readonly #periodMs: number;
  /** Pair to the moment since when its route is bad. */
  readonly #bad = new Map<string, { from: NodeIndex; to: NodeIndex; sinceMs: number }>();
  #disturbedAtMs = 0;

  /** `boundMs`: until a crash is known; `periodMs`: until every node has told its links again. */
  constructor(random: SeededRandom, boundMs: number, periodMs: number) {
    super();
    this.#random = random;
    this.#boundMs = boundMs;
    this.#periodMs = periodMs;
  }

  disturbed(nowMs: number): void {
    this.#disturbedAtMs = nowMs;
  }

  override check(swarm: SwarmView): void {
    const healthy = swarm.healthy();
    if (healthy.length < 2) return;
    for (let turn = 0; turn < ROUTES_PER_CHECK; turn++) {
      const from = healthy[this.#random.below(healthy.length)];
      if (from === undefined) return;
      const [to] = this.#random.sample(
        healthy.filter((node) => swarm.shouldKnow(from, node)),
        1,
      );
      if (to === undefined) continue;
      const outcome = follow(swarm, from, to);
      if (swarm.nowMs > START_MS) {
        this.followed++;
        if (outcome === "arrives") this.arrived++;
      }
      this.#note(swarm.nowMs, from, to, outcome);
    }
    for (const { from, to } of [...this.#bad.values()]) {
      this.#note(swarm.nowMs, from, to, follow(swarm, from, to));
    }
  }

  #note(atMs: number, from: NodeIndex, to: NodeIndex, outcome: Outcome): void {
    this.checks++;
    const key = `${from}>${to}`;
    if (harmless.includes(outcome)) {
      this.#bad.delete(key);
      return;
    }
    const known = this.#bad.get(key);
    if (known === undefined) {
      if (this.#bad.size < BAD_MAX) this.#bad.set(key, { from, to, sinceMs: atMs });
      return;
    }
    const badMs = atMs - Math.max(known.sinceMs, this.#disturbedAtMs);
    const boundMs = outcome === "dead-node" ? this.#boundMs : this.#boundMs + this.#periodMs;
    if (badMs <= boundMs) return;
    this.#bad.delete(key);
    this.report(atMs, from, to, `its route is a ${outcome} for ${badMs} ms`);
  }
}

/** Goes from hop to hop as each node on the way says. */
function follow(swarm: SwarmView, from: NodeIndex, to: NodeIndex): Outcome {
  const target = swarm.census.at(to).identity.nodeId;
  const visited = new Set<NodeIndex>([from]);
  for (let at = from; at !== to; ) {
    const next = nextHop(swarm, at, target);
    if (next === undefined) return at === from ? "no-route" : "dead-end";
    if (!swarm.world.isUp(next)) return "dead-node";
    if (next !== to && isUnconvictedLiar(swarm, at, next)) return "liar";
    if (visited.has(next)) return "loop";
    visited.add(next);
    at = next;
  }
  return "arrives";
}

/** Its next hops are nobody's to see. */
function isUnconvictedLiar(swarm: SwarmView, at: NodeIndex, next: NodeIndex): boolean {
  const { nodeId } = swarm.census.at(next).identity;
  const isConvicted = swarm.node(at)?.machine.isQuarantined(nodeId) === true;
  return swarm.node(next) === undefined && !isConvicted;
}

function nextHop(swarm: SwarmView, at: NodeIndex, target: NodeId): NodeIndex | undefined {
  const route = swarm
    .node(at)
    ?.machine.routes()
    .find((one) => one.target === target);
  return route === undefined ? undefined : swarm.census.find(route.nextHop)?.index;
}
