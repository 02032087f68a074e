// Faults of hosts that healing is there for: a renewal that is stuck, memory that leaks, a store that has grown until the disk is full;
// and sensors that say what is not so. Each can be ended by the node itself, if it does the right thing.

import type { WallMs } from "../../ports/index.ts";
import type { NodeIndex } from "../node-types.ts";
import type { Fault, faultKinds } from "../scenarios/faults.ts";
import type { Swarm } from "../swarm.ts";
import type { Injector } from "./injector.ts";

type HostKind = (typeof faultKinds.host)[number];
type HostFault = Fault<HostKind>;

/** A daemon that ran out of memory is started again by its manager after this. */
const RESTART_MS = 5_000;

/** Injects host faults. */
export class HostFailureInjector implements Injector<HostKind> {
  readonly #swarm: Swarm;
  readonly #active = new Set<HostFault>();
  #lastTickMs = 0;

  constructor(swarm: Swarm) {
    this.#swarm = swarm;
  }

  begin(fault: HostFault): void {
    const { ailments, census, world } = this.#swarm;
    this.#active.add(fault);
    for (const node of fault.nodes) {
      const ailment = ailments.of(node);
      ailments.bite(fault.inject);
      switch (fault.inject) {
        case "renewal_stuck": {
          ailment.renewalStuck = true;
          const { wallMs } = world.clock(node).at(world.nowMs);
          census.renew(node, (wallMs + fault.left) as WallMs);
          break;
        }
        case "leak":
          ailment.leaks = true;
          break;
        case "store_grows":
          ailment.storeGrown = true;
          ailment.diskFull = true;
          break;
        case "lying_sensors":
          ailment.sensorLie = fault.say;
          break;
      }
    }
  }

  end(fault: HostFault): void {
    const { ailments } = this.#swarm;
    this.#active.delete(fault);
    for (const node of fault.nodes) {
      const ailment = ailments.of(node);
      switch (fault.inject) {
        case "renewal_stuck":
          if (ailment.renewalStuck) this.#swarm.renew(node);
          break;
        case "leak":
          ailment.leaks = false;
          ailment.leaked = 0;
          break;
        case "store_grows":
          if (ailment.storeGrown) ailment.diskFull = false;
          ailment.storeGrown = false;
          break;
        case "lying_sensors":
          ailment.sensorLie = undefined;
          break;
      }
    }
  }

  tick(): void {
    const { nowMs } = this.#swarm;
    const passedMs = nowMs - this.#lastTickMs;
    this.#lastTickMs = nowMs;
    for (const fault of this.#active)
      for (const node of fault.nodes) {
        if (fault.inject === "leak") this.#leak(node, passedMs / fault.full_after);
        if (fault.inject === "renewal_stuck") this.#expire(node);
      }
  }

  /** Until somebody restarts the part that leaks, or the kernel ends the process. */
  #leak(node: NodeIndex, share: number): void {
    const ailment = this.#swarm.ailments.of(node);
    if (!ailment.leaks || !this.#swarm.world.isUp(node)) return;
    ailment.leaked += share;
    if (ailment.leaked < 1) return;
    ailment.leaked = 0;
    this.#swarm.crash(node);
    const { world } = this.#swarm;
    world.plan(world.nowMs + RESTART_MS, "restart after out of memory", () =>
      this.#swarm.restart(node),
    );
  }

  /** Once its SVID has ended, the others hang up. */
  #expire(node: NodeIndex): void {
    const { ailments, census, world } = this.#swarm;
    const ailment = ailments.of(node);
    const { wallMs } = world.clock(node).at(world.nowMs);
    const isOver = census.at(node).identity.notAfterMs <= wallMs;
    if (!ailment.renewalStuck || !isOver) return;
    this.#swarm.disturbed(node);
    if (ailment.expiredSvid) return;
    ailment.expiredSvid = true;
    for (const peer of world.peers(node)) world.disconnect(node, peer);
  }
}
