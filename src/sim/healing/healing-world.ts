// All nodes of a swarm that heal themselves: makes each one's healing when it starts, and keeps what survives its restart, the
// knowledge. What happens is told to whoever watches.

import {
  actionKinds,
  type HealingEffect,
  HealingMachine,
  type HealingOptions,
  KnowledgeBase,
  MemoryArchive,
  parsePlaybooks,
  type Playbook,
  shippedPlaybooks,
} from "../../healing/index.ts";
import type { SimEngine } from "../census.ts";
import type { MeshDatagram } from "../mesh-datagrams.ts";
import type { MeshNode } from "../mesh-node.ts";
import type { NodeIndex, SimNode } from "../node-types.ts";
import type { Swarm } from "../swarm.ts";
import { SimActuators } from "./actuators.ts";
import { HealingNode } from "./healing-node.ts";
import { SimSensors } from "./sensors.ts";

/** Without the steps that nothing stands behind here: no link leads through a relay. */
function doable(playbook: Playbook): Playbook {
  return {
    ...playbook,
    steps: playbook.steps.filter(({ action }) => SimActuators.kinds.has(action)),
  };
}

/** Told of everything that healing does. */
export interface HealingListener {
  effect?(node: NodeIndex, effect: HealingEffect, machine: HealingMachine): void;
  /** A node's healing begins anew: it was started. */
  began?(node: NodeIndex): void;
}

/** How a world of healing nodes differs from what ships; for experiments and sabotage. */
export interface HealingWorldOptions {
  /** A file of playbooks beside the shipped ones. */
  readonly playbooks?: string;
  readonly options?: Partial<HealingOptions>;
  /** Whether nodes remember what they lived through and hear what others tell. @default true */
  readonly remembers?: boolean;
}

export class HealingWorld {
  readonly #swarm: Swarm;
  readonly #engine: SimEngine;
  readonly #options: HealingWorldOptions;
  readonly #playbooks: readonly Playbook[];
  readonly #archives: MemoryArchive[];
  readonly #listeners: HealingListener[] = [];
  readonly #boots: number[];

  constructor(swarm: Swarm, engine: SimEngine, options: HealingWorldOptions = {}) {
    this.#swarm = swarm;
    this.#engine = engine;
    this.#options = options;
    const shipped = parsePlaybooks(shippedPlaybooks, "shipped", new Set(actionKinds));
    const own = options.playbooks ?? "playbooks: []";
    this.#playbooks = [...parsePlaybooks(own, "own", SimActuators.kinds), ...shipped.map(doable)];
    this.#archives = Array.from({ length: swarm.size }, () => new MemoryArchive());
    this.#boots = new Array<number>(swarm.size).fill(0);
  }

  watch(...listeners: readonly HealingListener[]): void {
    this.#listeners.push(...listeners);
  }

  /** Puts healing around a node that starts; `outer` is what is around its mesh node already. */
  wrap(node: NodeIndex, mesh: MeshNode, outer: SimNode<MeshDatagram>): SimNode<MeshDatagram> {
    const { world, census, ailments } = this.#swarm;
    const now = (): ReturnType<typeof clock.at> => clock.at(world.nowMs);
    const clock = world.clock(node);
    const boot = (this.#boots[node] ?? 0) + 1;
    this.#boots[node] = boot;
    const random = world.random.fork(`healing of ${node} boot ${boot}`);
    const archive = this.#archives[node] ?? new MemoryArchive();
    const knowledge = new KnowledgeBase(archive, now().wallMs);
    if (this.#options.remembers === false) knowledge.recall = () => [];
    const self = census.at(node);
    const machine = new HealingMachine(
      { self: self.identity.nodeId, knowledge, playbooks: this.#playbooks },
      this.#options.options,
    );
    for (const listener of this.#listeners) listener.began?.(node);
    return new HealingNode({
      ...{ node, epoch: boot, inner: outer, machine, knowledge, random, now, census },
      sensors: new SimSensors({ node, swarm: this.#swarm, mesh, now }),
      actuators: (hooks) => new SimActuators({ node, swarm: this.#swarm, mesh, random, ...hooks }),
      engine: ailments.engine(node, this.#engine),
      signer: ailments.signer(node, self.signer),
      observer: {
        // A liar's healing is its own affair.
        effect: (at, effect) => {
          if (this.#swarm.node(at) === undefined) return;
          for (const listener of this.#listeners) listener.effect?.(at, effect, machine);
        },
      },
    });
  }
}
