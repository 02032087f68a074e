// What healing did in a run, and what it was worth: the actions and what they came to, harm, how long the mesh was not whole after a
// fault, and the share of node-seconds in which a node sees every live one and has a route to it.

import type { ActionOutcome, HealingEffect } from "../../healing/index.ts";
import type { SwarmView } from "../checkers/swarm-view.ts";
import type { NodeIndex } from "../node-types.ts";
import type { HealingListener } from "./healing-world.ts";

/** Node-seconds count when the nodes have had time to find each other. */
const START_MS = 15_000;
const SAMPLES_MAX = 10_000;

export interface HealingFigures {
  readonly incidents: number;
  readonly actions: Readonly<Partial<Record<ActionOutcome, number>>>;
  /** Actions by `kind outcome`. */
  readonly byKind: Readonly<Record<string, number>>;
  /**
   * Actions after which an error stood that was not there before (the machine calls them worse), while nothing else began
   * or ended to be wrong with that node.
   */
  readonly harmful: number;
  /** Share of node-seconds with a right view and a route to every live node. */
  readonly availability: number;
  /** From the first moment that the mesh was not whole to the last; null: it was whole all the time. */
  readonly recoveryMs: number | null;
  /** From the opening of each incident to the end of the action that mended it. */
  readonly mendMs: readonly number[];
}

export class HealingMonitor implements HealingListener {
  readonly #outcomes = new Map<ActionOutcome, number>();
  readonly #byKind = new Map<string, number>();
  readonly #mendMs: number[] = [];
  /** What is wrong with a node, in any words that tell one state from another. */
  readonly #stateOf: (node: NodeIndex) => string;
  /** That at the beginning of its newest action. */
  readonly #begunIn = new Map<NodeIndex, string>();
  #harmful = 0;
  #incidents = 0;
  #nodeSeconds = 0;
  #goodSeconds = 0;
  #brokenMs: { readonly firstMs: number; readonly lastMs: number } | undefined;

  constructor(stateOf: (node: NodeIndex) => string) {
    this.#stateOf = stateOf;
  }

  effect(node: NodeIndex, effect: HealingEffect): void {
    if (effect.kind === "incident" && effect.change === "opened") this.#incidents++;
    if (effect.kind !== "action") return;
    const { action, outcome } = effect.action;
    if (outcome === "running") {
      this.#begunIn.set(node, this.#stateOf(node));
      return;
    }
    if (outcome === "worse" && this.#begunIn.get(node) === this.#stateOf(node)) this.#harmful++;
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
    if (outcome === "mended" && this.#mendMs.length < SAMPLES_MAX)
      this.#mendMs.push((effect.action.endedMs ?? 0) - effect.incident.openedAtMs);
    const key = `${action} ${outcome}`;
    this.#byKind.set(key, (this.#byKind.get(key) ?? 0) + 1);
  }

  /** Once a virtual second; `ailing`: whether something is still wrong with a node. */
  look(swarm: SwarmView, ailing: (node: NodeIndex) => boolean): void {
    if (swarm.nowMs < START_MS) return;
    const healthy = swarm.healthy();
    let good = 0;
    for (const node of healthy) if (seesAll(swarm, node, healthy)) good++;
    this.#nodeSeconds += healthy.length;
    this.#goodSeconds += good;
    const all = Array.from({ length: swarm.size }, (_, node) => node);
    const isWhole =
      good === healthy.length && all.every((node) => swarm.world.isUp(node) && !ailing(node));
    if (isWhole) return;
    this.#brokenMs = { firstMs: this.#brokenMs?.firstMs ?? swarm.nowMs, lastMs: swarm.nowMs };
  }

  figures(): HealingFigures {
    const broken = this.#brokenMs;
    return {
      incidents: this.#incidents,
      actions: Object.fromEntries(this.#outcomes),
      byKind: Object.fromEntries(this.#byKind),
      harmful: this.#harmful,
      availability: this.#nodeSeconds === 0 ? 1 : this.#goodSeconds / this.#nodeSeconds,
      mendMs: this.#mendMs,
      recoveryMs: broken === undefined ? null : broken.lastMs - broken.firstMs,
    };
  }
}

function seesAll(swarm: SwarmView, node: NodeIndex, healthy: readonly NodeIndex[]): boolean {
  const machine = swarm.node(node)?.machine;
  if (machine === undefined) return false;
  const states = new Map(machine.members().map(({ nodeId, state }) => [nodeId, state]));
  const routes = new Set(machine.routes().map(({ target }) => target));
  return healthy.every((other) => {
    if (!swarm.shouldKnow(node, other)) return true;
    const { nodeId } = swarm.census.at(other).identity;
    const state = states.get(nodeId);
    return (state === "alive" || state === "suspect") && routes.has(nodeId);
  });
}
