// Healing stays within its budget (invariant 8 of the reference): a node has only so many actions under way and within the window, only
// so many nodes of a mesh disturb something at once, nothing that disturbs begins while the node sees too much of the mesh unwell,
// nothing is undone and done again within the window, nobody is shut out without a proof, and each action has a recorded cause.

import {
  type ActionKind,
  type ActionOrder,
  type HealingEffect,
  type HealingMachine,
  type HealingOptions,
  type TakenAction,
} from "../../healing/index.ts";
import type { HealingListener } from "../healing/healing-world.ts";
import type { NodeIndex } from "../node-types.ts";
import { Checker } from "./checker.ts";
import { components } from "./no-false-death.ts";
import type { SwarmView } from "./swarm-view.ts";

/** What some of a node's or a peer's work suffers from. */
const disturbing: ReadonlySet<ActionKind> = new Set([
  ...(["quarantine-peer", "shed-load", "restart-part"] as const),
]);
/** Clocks run up to this much faster than true time. */
const CLOCK_ERROR = 0.94;

export class HealingBudget extends Checker implements HealingListener {
  readonly name = "healing-budget";
  readonly #swarm: SwarmView;
  readonly #options: HealingOptions;
  readonly #begun = new Map<NodeIndex, number[]>();
  readonly #disturbing = new Map<NodeIndex, Set<ActionKind>>();
  readonly #undoneMs = new Map<string, number>();

  constructor(swarm: SwarmView, options: HealingOptions) {
    super();
    this.#swarm = swarm;
    this.#options = options;
  }

  began(node: NodeIndex): void {
    this.#begun.delete(node);
    this.#disturbing.delete(node);
  }

  effect(node: NodeIndex, effect: HealingEffect, machine: HealingMachine): void {
    this.checks++;
    switch (effect.kind) {
      case "action":
        if (effect.action.outcome === "running") this.#runs(node, effect.action);
        else this.#disturbing.get(node)?.delete(effect.action.action);
        break;
      case "act":
        this.#acts(node, effect.order, machine);
        break;
      case "undo":
        this.#undoneMs.set(settingOf(node, effect.order), this.#swarm.nowMs);
        break;
      default:
    }
  }

  #runs(node: NodeIndex, { action, reason }: TakenAction): void {
    const { actionsPerWindow, budgetWindowMs } = this.#options;
    if (reason === "") this.#broken(node, `${action} without a recorded cause`);
    const sinceMs = this.#swarm.nowMs - CLOCK_ERROR * budgetWindowMs;
    const begun = (this.#begun.get(node) ?? []).filter((atMs) => atMs > sinceMs);
    begun.push(this.#swarm.nowMs);
    this.#begun.set(node, begun);
    if (begun.length > actionsPerWindow)
      this.#broken(node, `${begun.length} actions within the window`);
  }

  #acts(node: NodeIndex, order: ActionOrder, machine: HealingMachine): void {
    const { actionsAtOnce, flapWindowMs } = this.#options;
    const { nowMs, world, census } = this.#swarm;
    const { running, halted } = machine.view(world.clock(node).at(nowMs));
    if (running.length > actionsAtOnce) this.#broken(node, `${running.length} actions at once`);
    const undoneMs = this.#undoneMs.get(settingOf(node, order)) ?? -Infinity;
    if (nowMs - undoneMs < CLOCK_ERROR * flapWindowMs)
      this.#broken(node, `${order.kind} done, undone and done again`);
    const isProven = census.all.some(
      ({ identity }) =>
        identity.nodeId === order.target &&
        this.#swarm.node(node)?.machine.isQuarantined(identity.nodeId) === true,
    );
    if (order.kind === "quarantine-peer" && !isProven)
      this.#broken(node, "a peer is shut out without a proof");
    if (!disturbing.has(order.kind)) return;
    if (halted !== undefined) this.#broken(node, `${order.kind} although ${halted}`);
    const kinds = this.#disturbing.get(node) ?? new Set();
    this.#disturbing.set(node, kinds.add(order.kind));
    this.#countDisturbing(node);
  }

  /**
   * Claims bind those who can exchange them: within a part of the network that hangs together, and nodes whose engine, identity
   * and handshakes are sound. Who is cut off from all others has its own budget alone.
   */
  #countDisturbing(node: NodeIndex): void {
    const component = components(this.#swarm);
    if (component[node] === -1) return;
    const count = [...this.#disturbing].filter(
      ([other, { size }]) => size > 0 && component[other] === component[node],
    ).length;
    const most = Math.max(1, Math.floor(this.#options.meshShareMax * this.#swarm.size));
    if (count > most) this.#broken(node, `${count} nodes disturb something at once, ${most} may`);
  }

  #broken(node: NodeIndex, what: string): void {
    this.report(this.#swarm.nowMs, node, node, what);
  }
}

function settingOf(node: NodeIndex, { kind, target }: ActionOrder): string {
  return `${node} ${kind} ${target ?? ""}`;
}
