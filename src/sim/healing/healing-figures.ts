// What healing did in a run, and what it was worth: the actions and what they came to, harm, how long the mesh was not whole after a
// fault, and the share of node-seconds in which a node sees every live one and has a route to it.

import type { ActionOutcome, HealingEffect } from "../../healing/index.ts";
import type { Ailments } from "../ailments.ts";
import type { SwarmListener } from "../checkers/checker.ts";
import type { SwarmView } from "../checkers/swarm-view.ts";
import type { NodeIndex } from "../node-types.ts";
import type { HealingListener } from "./healing-world.ts";

/** Nodes have had time to find each other by then. */
const START_MS = 15_000;
const SAMPLES_MAX = 10_000;
/** A node that has been up for less, or whose crypto or identity was bad within it, has not joined yet: no member that others must see. */
const JOINED_MS = 2_000;
/** By then all views are to be equal again after something was wrong with a node (invariant 4 of the reference). */
const SETTLED_MS = 15_000;

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
  /** The same among nodes that have been up, with sound crypto and identity, for long enough to have joined; nothing else excuses them. */
  readonly joinedAvailability: number;
  /** The same among nodes with which nothing was wrong for long enough to have found each other again. */
  readonly settledAvailability: number;
  /** From the first moment that the mesh was not whole to the last; null: it was whole all the time. */
  readonly recoveryMs: number | null;
  /** From the opening of each incident to the end of the action that mended it. */
  readonly mendMs: readonly number[];
}

export class HealingMonitor implements HealingListener, SwarmListener {
  readonly #outcomes = new Map<ActionOutcome, number>();
  readonly #byKind = new Map<string, number>();
  readonly #mendMs: number[] = [];
  /** What is wrong with a node, in any words that tell one state from another. */
  readonly #stateOf: (node: NodeIndex) => string;
  /** That at the beginning of each action under way. */
  readonly #begunIn = new Map<string, string>();
  /** Before the first fault nothing is measured. */
  readonly #fromMs: number;
  #harmful = 0;
  #incidents = 0;
  readonly #all = { seconds: 0, good: 0 };
  readonly #joined = { seconds: 0, good: 0 };
  readonly #settled = { seconds: 0, good: 0 };
  readonly #startedMs = new Map<NodeIndex, number>();
  /** When the crypto or identity of each node was last seen to be bad. */
  readonly #illMs = new Map<NodeIndex, number>();
  readonly #wellSinceMs = new Map<NodeIndex, number>();
  #brokenMs: { readonly firstMs: number; readonly lastMs: number } | undefined;

  constructor(stateOf: (node: NodeIndex) => string, firstFaultMs = 0) {
    this.#stateOf = stateOf;
    this.#fromMs = Math.max(START_MS, firstFaultMs);
  }

  effect(node: NodeIndex, effect: HealingEffect): void {
    if (effect.kind === "incident" && effect.change === "opened") this.#incidents++;
    if (effect.kind !== "action") return;
    const { playbook, action, target, startedMs, outcome } = effect.action;
    const id = [node, playbook, action, target, startedMs].join(" ");
    if (outcome === "running") {
      this.#begunIn.set(id, this.#stateOf(node));
      return;
    }
    if (outcome === "worse" && this.#begunIn.get(id) === this.#stateOf(node)) this.#harmful++;
    this.#begunIn.delete(id);
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
    if (outcome === "mended" && this.#mendMs.length < SAMPLES_MAX)
      this.#mendMs.push((effect.action.endedMs ?? 0) - effect.incident.openedAtMs);
    const key = `${action} ${outcome}`;
    this.#byKind.set(key, (this.#byKind.get(key) ?? 0) + 1);
  }

  restarted(node: NodeIndex, _: boolean, nowMs: number): void {
    this.#startedMs.set(node, nowMs);
  }

  /** Once a virtual second. */
  look(swarm: SwarmView, ailments: Pick<Ailments, "ails" | "isIll">): void {
    const healthy = swarm.healthy();
    const all = Array.from({ length: swarm.size }, (_, node) => node);
    for (const node of all) if (ailments.isIll(node)) this.#illMs.set(node, swarm.nowMs);
    const settled = this.#settledOf(healthy, swarm.nowMs);
    if (swarm.nowMs < this.#fromMs) return;
    const everyone = new Set(healthy);
    const joined = everyone.difference(this.#joining(swarm.nowMs));
    const zones = Map.groupBy(healthy, (node) => swarm.zoneOf(node));
    let good = 0;
    for (const node of healthy) {
      const missed = missedBy(swarm, node, zones.get(swarm.zoneOf(node)) ?? []);
      if (missed.length === 0) good++;
      count(this.#all, everyone, node, missed);
      count(this.#joined, joined, node, missed);
      count(this.#settled, settled, node, missed);
    }
    const isWhole =
      good === healthy.length &&
      all.every((node) => swarm.world.isUp(node) && !ailments.ails(node));
    if (isWhole) return;
    this.#brokenMs = { firstMs: this.#brokenMs?.firstMs ?? swarm.nowMs, lastMs: swarm.nowMs };
  }

  #joining(nowMs: number): ReadonlySet<NodeIndex> {
    const young = [...this.#startedMs].filter(([, startedMs]) => nowMs - startedMs < JOINED_MS);
    const frail = [...this.#illMs].filter(([, illMs]) => nowMs - illMs <= JOINED_MS);
    return new Set([...young, ...frail].map(([node]) => node));
  }

  #settledOf(healthy: readonly NodeIndex[], nowMs: number): ReadonlySet<NodeIndex> {
    const before = new Map(this.#wellSinceMs);
    this.#wellSinceMs.clear();
    for (const node of healthy) this.#wellSinceMs.set(node, before.get(node) ?? nowMs);
    const isSettled = (node: NodeIndex): boolean =>
      nowMs - (this.#wellSinceMs.get(node) ?? nowMs) >= SETTLED_MS;
    return new Set(healthy.filter(isSettled));
  }

  figures(): HealingFigures {
    const broken = this.#brokenMs;
    return {
      incidents: this.#incidents,
      actions: Object.fromEntries(this.#outcomes),
      byKind: Object.fromEntries(this.#byKind),
      harmful: this.#harmful,
      availability: shareOf(this.#all),
      joinedAvailability: shareOf(this.#joined),
      settledAvailability: shareOf(this.#settled),
      mendMs: this.#mendMs,
      recoveryMs: broken === undefined ? null : broken.lastMs - broken.firstMs,
    };
  }
}

/** Node-seconds, and those of them in which a node missed nobody. */
interface Share {
  seconds: number;
  good: number;
}

/** A second of a node, if it is among those who count: whom else it missed is no matter. */
function count(
  share: Share,
  counted: ReadonlySet<NodeIndex>,
  node: NodeIndex,
  missed: readonly NodeIndex[],
): void {
  if (!counted.has(node)) return;
  share.seconds++;
  if (!missed.some((other) => counted.has(other))) share.good++;
}

function shareOf({ seconds, good }: Share): number {
  return seconds === 0 ? 1 : good / seconds;
}

/** The others of its zone that a node does not see alive, or has no route to. */
function missedBy(
  swarm: SwarmView,
  node: NodeIndex,
  others: readonly NodeIndex[],
): readonly NodeIndex[] {
  const machine = swarm.node(node)?.machine;
  if (machine === undefined) return others;
  const states = new Map(machine.members().map(({ nodeId, state }) => [nodeId, state]));
  const routes = new Set(machine.routes().map(({ target }) => target));
  return others.filter((other) => {
    if (other === node) return false;
    const { nodeId } = swarm.census.at(other).identity;
    const state = states.get(nodeId);
    return (state !== "alive" && state !== "suspect") || !routes.has(nodeId);
  });
}
