// Faults of the network. What holds at a moment follows from the faults that are active then, not from their order:
// the worst of each kind counts, and every partition cuts on its own.

import type { NetworkOptions } from "../network.ts";
import type { NodeIndex } from "../node-types.ts";
import type { Fault, faultKinds } from "../scenarios/faults.ts";
import type { Swarm } from "../swarm.ts";
import type { Injector } from "./injector.ts";

type NetworkKind = (typeof faultKinds.network)[number];
type NetworkFault = Fault<NetworkKind>;
type Partition = Fault<"partition">;

/** More loss than this takes the ground from under any failure detector for a while. */
const HARMLESS_LOSS = 0.1;
const HARMLESS_LATENCY_MS = 500;

/** Injects network faults. */
export class NetworkFailureInjector implements Injector<NetworkKind> {
  readonly #swarm: Swarm;
  readonly #calm: NetworkOptions;
  readonly #active = new Set<NetworkFault>();
  #before = { lost: 0, duplicated: 0, corrupted: 0, blocked: 0, sent: 0 };

  /** `calm`: the network without any fault. */
  constructor(swarm: Swarm, calm: NetworkOptions) {
    this.#swarm = swarm;
    this.#calm = calm;
  }

  begin(fault: NetworkFault): void {
    this.tick();
    this.#active.add(fault);
    if (fault.inject === "partition") this.#cut();
    this.#configure();
    this.#disturb();
  }

  end(fault: NetworkFault): void {
    this.tick();
    this.#disturb();
    this.#active.delete(fault);
    if (fault.inject === "partition") this.#cut();
    this.#configure();
  }

  /** Counts what the active faults did since the last time. */
  tick(): void {
    const { ailments, world } = this.#swarm;
    const { counts } = world.network;
    const before = this.#before;
    const effect: Record<NetworkKind, number> = {
      partition: counts.blocked - before.blocked,
      loss: counts.lost - before.lost,
      duplication: counts.duplicated - before.duplicated,
      corruption: counts.corrupted - before.corrupted,
      reordering: counts.sent - before.sent,
      latency: counts.sent - before.sent,
      bandwidth: counts.sent - before.sent,
    };
    for (const kind of new Set([...this.#active].map(({ inject }) => inject))) {
      ailments.bite(kind, effect[kind]);
    }
    this.#before = { ...counts };
    if (this.#active.size > 0) this.#disturb();
  }

  #configure(): void {
    const now: { -readonly [Key in keyof NetworkOptions]: NetworkOptions[Key] } = { ...this.#calm };
    for (const fault of this.#active) {
      switch (fault.inject) {
        case "loss":
          now.lossRatio = Math.max(now.lossRatio, fault.ratio);
          break;
        case "duplication":
          now.duplicateRatio = Math.max(now.duplicateRatio, fault.ratio);
          break;
        case "corruption":
          now.corruptRatio = Math.max(now.corruptRatio, fault.ratio);
          break;
        case "reordering":
          now.jitterMs = Math.max(now.jitterMs, fault.jitter);
          break;
        case "bandwidth":
          now.bytesPerMs = Math.min(now.bytesPerMs, fault.bytes_per_second / 1_000);
          break;
        case "latency":
          now.extraLatencyMs = Math.max(now.extraLatencyMs, fault.extra);
          now.tailMs = Math.max(now.tailMs, fault.tail);
          if (fault.tail > 0) now.tailRatio = Math.max(now.tailRatio, fault.tail_share);
          break;
        case "partition":
          break;
      }
    }
    this.#swarm.world.network.configure(now);
  }

  /** Cuts anew along every active partition. */
  #cut(): void {
    const { world } = this.#swarm;
    world.network.heal();
    for (const fault of this.#active) if (fault.inject === "partition") this.#apply(fault);
  }

  #apply({ nodes, shape }: Partition): void {
    const { world } = this.#swarm;
    const inside = new Set<NodeIndex>(nodes);
    const all = Array.from({ length: world.size }, (_, node) => node);
    const outside = all.filter((node) => !inside.has(node));
    if (shape === "symmetric") world.partition([nodes, outside]);
    // They hear the others and are not heard.
    else if (shape === "asymmetric") world.block(nodes, outside);
    // One of the others still reaches both sides.
    else world.partition([nodes, outside.slice(1)]);
  }

  #disturb(): void {
    const { jitterMs } = this.#calm;
    const harmful = [...this.#active].some((fault) => {
      switch (fault.inject) {
        case "duplication":
          return false;
        case "loss":
          return fault.ratio > HARMLESS_LOSS;
        case "latency":
          return fault.extra + fault.tail > HARMLESS_LATENCY_MS;
        case "reordering":
          return fault.jitter > Math.max(jitterMs, HARMLESS_LATENCY_MS);
        case "partition":
        case "bandwidth":
        case "corruption":
          return true;
      }
    });
    if (harmful) this.#swarm.disturbed();
  }
}
