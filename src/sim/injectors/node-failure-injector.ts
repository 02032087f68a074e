// Faults of nodes: power cuts once or again and again, event loops that stall, clocks that step or drift, disks that
// are full or have lost time.

import type { NodeIndex } from "../node-types.ts";
import type { Fault, faultKinds } from "../scenarios/faults.ts";
import type { Swarm } from "../swarm.ts";
import type { Injector } from "./injector.ts";

type NodeKind = (typeof faultKinds.node)[number];
type NodeFault = Fault<NodeKind>;

/** A node in a crash loop is up for this share of each turn. */
const UP_SHARE = 0.5;

/** Injects node faults. */
export class NodeFailureInjector implements Injector<NodeKind> {
  readonly #swarm: Swarm;
  readonly #active = new Set<NodeFault>();
  /** How many active faults keep a node down. */
  readonly #down = new Map<NodeIndex, number>();

  constructor(swarm: Swarm) {
    this.#swarm = swarm;
  }

  begin(fault: NodeFault): void {
    this.#active.add(fault);
    for (const node of fault.nodes) this.#begin(fault, node);
    if (fault.inject === "crash_loop") this.#turn(fault);
    if (fault.inject === "slow") this.#pause(fault);
  }

  end(fault: NodeFault): void {
    this.#active.delete(fault);
    for (const node of fault.nodes) this.#end(fault, node);
  }

  tick(): void {
    for (const fault of this.#active) {
      if (fault.inject === "crash" || fault.inject === "disk_full") continue;
      for (const node of fault.nodes) this.#swarm.disturbed(node);
    }
  }

  #begin(fault: NodeFault, node: NodeIndex): void {
    const { ailments, world } = this.#swarm;
    switch (fault.inject) {
      case "crash":
        this.#cutPower(node);
        ailments.bite("crash");
        break;
      case "clock_step":
        world.clock(node).stepWall(fault.by_seconds * 1_000);
        ailments.bite("clock_step");
        break;
      case "clock_drift":
        world.clock(node).drift(fault.ppm, world.nowMs);
        ailments.bite("clock_drift");
        break;
      case "disk_full":
        ailments.of(node).diskFull = true;
        break;
      case "crash_loop":
      case "slow":
        break;
    }
    this.#swarm.disturbed(node);
  }

  #end(fault: NodeFault, node: NodeIndex): void {
    const { ailments, world } = this.#swarm;
    switch (fault.inject) {
      case "crash":
        this.#restorePower(node, fault.stale_disk);
        break;
      case "clock_step":
        world.clock(node).stepWall(-fault.by_seconds * 1_000);
        break;
      case "clock_drift":
        world.clock(node).drift(0, world.nowMs);
        break;
      case "disk_full":
        ailments.of(node).diskFull = false;
        break;
      case "crash_loop":
      case "slow":
        break;
    }
    this.#swarm.disturbed(node);
  }

  #cutPower(node: NodeIndex): void {
    this.#down.set(node, (this.#down.get(node) ?? 0) + 1);
    this.#swarm.crash(node);
  }

  #restorePower(node: NodeIndex, staleDisk: boolean): void {
    const left = (this.#down.get(node) ?? 1) - 1;
    this.#down.set(node, left);
    if (left === 0) this.#swarm.restart(node, staleDisk);
  }

  /** One turn of a crash loop: down, then up, then the next turn. */
  #turn(fault: Fault<"crash_loop">): void {
    const { world, ailments } = this.#swarm;
    if (!this.#active.has(fault)) return;
    for (const node of fault.nodes) {
      this.#cutPower(node);
      ailments.bite("crash_loop");
    }
    const upAtMs = world.nowMs + fault.every * (1 - UP_SHARE);
    world.plan(upAtMs, "power returns", () => {
      for (const node of fault.nodes) this.#restorePower(node, false);
    });
    world.plan(world.nowMs + fault.every, "crash loop", () => this.#turn(fault));
  }

  #pause(fault: Fault<"slow">): void {
    const { world, ailments } = this.#swarm;
    if (!this.#active.has(fault)) return;
    for (const node of fault.nodes) {
      this.#swarm.stall(node, fault.pause);
      ailments.bite("slow");
    }
    world.plan(world.nowMs + fault.every, "slow", () => this.#pause(fault));
  }
}
