// The next hop to each node, held with hysteresis: another one takes over when its path is better by a tenth for two half-times,
// or when the one in use is gone. What is held must also be nearer to the target than this node is (the condition for loop-free
// alternates of RFC 5286), so the cost to go falls along the next hops whatever each node holds, and no loop can form.

import type { NodeId } from "../../identity/index.ts";
import type { MonoMs } from "../../ports/index.ts";
import { HYSTERESIS_HOLD_MS, isClearlyBetter } from "../links/hysteresis.ts";
import type { Topology } from "../topology/topology.ts";
import { type Path, ShortestPaths } from "./shortest-paths.ts";

interface Held {
  via: NodeId;
  /** Since when some other path has been better by the margin. */
  betterSinceMs: MonoMs | undefined;
}

/** Next hops from one node; `update` first, then the rest speaks of that moment. */
export class NextHops {
  readonly #topology: Topology;
  readonly #self: NodeId;
  readonly #best = new ShortestPaths();
  readonly #held = new Map<NodeId, Held>();
  /** Paths from a neighbour that do not come back through here. Few: only those that are held without being the best. */
  readonly #from = new Map<number, ShortestPaths>();
  /** Workspaces of paths that the topology has outdated: as many as there ever were at once. */
  readonly #idle: ShortestPaths[] = [];
  #version = -1;
  #waiting = false;

  constructor(topology: Topology, self: NodeId) {
    this.#topology = topology;
    this.#self = self;
  }

  /** Looks at the topology; true when paths were computed anew. */
  update(nowMs: MonoMs): boolean {
    const isNew = this.#version !== this.#topology.version;
    if (isNew) {
      this.#version = this.#topology.version;
      this.#idle.push(...this.#from.values());
      this.#from.clear();
      this.#best.run(this.#topology, this.#topology.slot(this.#self));
    }
    if (isNew || this.#waiting) this.#holdAll(nowMs);
    return isNew;
  }

  /** The path in use; `undefined` when there is none. */
  path(target: NodeId): Path | undefined {
    const slot = this.#topology.slot(target);
    const via = this.#held.get(target)?.via;
    if (slot === -1 || via === undefined) return undefined;
    const viaSlot = this.#topology.slot(via);
    if (this.#best.nextHop(slot) === viaSlot) return this.#best.path(slot);
    return this.pathVia(viaSlot, slot);
  }

  /** The best path that begins with a neighbour and does not come back; slots. */
  pathVia(via: number, target: number): Path | undefined {
    const self = this.#topology.slot(this.#self);
    const first = this.#topology.edge(self, via);
    const rest = this.#pathsFrom(via).path(target);
    if (first === undefined || rest === undefined) return undefined;
    return { nodes: [self, ...rest.nodes], cost: first.cost + rest.cost };
  }

  /** Since when a path has been better by the margin than the one in use; `undefined`: none is. */
  betterSinceMs(target: NodeId): MonoMs | undefined {
    return this.#held.get(target)?.betterSinceMs;
  }

  #holdAll(nowMs: MonoMs): void {
    this.#waiting = false;
    for (const target of this.#held.keys()) {
      const slot = this.#topology.slot(target);
      if (slot === -1 || this.#best.nextHop(slot) === -1) this.#held.delete(target);
    }
    for (let slot = 0; slot < this.#topology.slots; slot++) {
      const target = this.#topology.id(slot);
      const best = this.#topology.id(this.#best.nextHop(slot));
      if (target === undefined || best === undefined) continue;
      const held = this.#held.get(target);
      if (held === undefined) this.#held.set(target, { via: best, betterSinceMs: undefined });
      else this.#hold(held, slot, best, nowMs);
    }
  }

  #hold(held: Held, target: number, best: NodeId, nowMs: MonoMs): void {
    const inUse = held.via === best ? undefined : this.#costInUse(held.via, target);
    const better = inUse !== undefined && isClearlyBetter(this.#best.cost(target), inUse);
    held.betterSinceMs = better ? (held.betterSinceMs ?? nowMs) : undefined;
    const isOver = better && nowMs - (held.betterSinceMs ?? nowMs) >= HYSTERESIS_HOLD_MS;
    if (inUse === undefined || isOver) {
      held.via = best;
      held.betterSinceMs = undefined;
    }
    this.#waiting ||= held.betterSinceMs !== undefined;
  }

  /** `undefined`: it must not be used any more, because it is gone or not nearer to the target than this node. */
  #costInUse(via: NodeId, target: number): number | undefined {
    const viaSlot = this.#topology.slot(via);
    const first = this.#topology.edge(this.#topology.slot(this.#self), viaSlot);
    if (first === undefined) return undefined;
    const rest = this.#pathsFrom(viaSlot).cost(target);
    return rest < this.#best.cost(target) ? first.cost + rest : undefined;
  }

  #pathsFrom(via: number): ShortestPaths {
    const known = this.#from.get(via);
    if (known !== undefined) return known;
    const paths = this.#idle.pop() ?? new ShortestPaths();
    paths.run(this.#topology, via, this.#topology.slot(this.#self));
    this.#from.set(via, paths);
    return paths;
  }
}
