// Lying members: who does which trick at the moment. What they do is in liar.ts.

import type { NodeIndex, SimNode } from "../node-types.ts";
import type { MeshDatagram } from "../mesh-datagrams.ts";
import type { LearningLies } from "../learning/learning-types.ts";
import { classOf, type Fault, type FaultKind, type faultKinds } from "../scenarios/faults.ts";
import type { IntruderMaker, Swarm } from "../swarm.ts";
import type { Injector } from "./injector.ts";
import { Liar, type Trick } from "./liar.ts";

type ByzantineKind = (typeof faultKinds.byzantine)[number];
type ByzantineFault = Fault<ByzantineKind>;

/** Injects lies. It is also what makes the liars, so it exists before the swarm. */
export class ByzantineInjector implements Injector<ByzantineKind>, LearningLies {
  /** Everyone who will lie at some time: nobody's truth depends on them. */
  readonly liars: ReadonlySet<NodeIndex>;
  /** Who has said two things so far. */
  readonly equivocators = new Set<NodeIndex>();
  /** Who has said two things in a round of training so far. */
  readonly contradictors = new Set<NodeIndex>();
  readonly #active = new Set<ByzantineFault>();
  #swarm: Swarm | undefined;

  constructor(faults: readonly Fault[]) {
    const nodes = faults.filter(isByzantine).flatMap((fault) => fault.nodes);
    this.liars = new Set(nodes);
  }

  /** The swarm that the liars live in; before its nodes start. */
  enter(swarm: Swarm): void {
    this.#swarm = swarm;
  }

  /** For the swarm's options. */
  readonly makeIntruder: IntruderMaker = ({ node, honest, signer, engine, random }) =>
    this.liars.has(node) ? this.#liar(node, { honest, signer, engine, random }) : undefined;

  begin(fault: ByzantineFault): void {
    this.#active.add(fault);
  }

  end(fault: ByzantineFault): void {
    this.#active.delete(fault);
  }

  tick(): void {}

  active<Kind extends FaultKind>(node: NodeIndex, kind: Kind): Fault<Kind> | undefined {
    for (const fault of this.#active) {
      if (fault.inject === kind && fault.nodes.includes(node)) return fault as Fault<Kind>;
    }
    return undefined;
  }

  did(kind: FaultKind, node: NodeIndex): void {
    this.#swarm?.ailments.bite(kind);
    if (kind === "equivocate") this.equivocators.add(node);
    if (kind === "contradict" || kind === "flood_updates") this.contradictors.add(node);
  }

  get #within(): Swarm {
    if (this.#swarm === undefined) throw new RangeError("the liars are in no swarm yet");
    return this.#swarm;
  }

  #liar(
    node: NodeIndex,
    parts: Omit<ConstructorParameters<typeof Liar>[0], "nodeId" | "rate" | "did">,
  ): SimNode<MeshDatagram> {
    return new Liar({
      ...parts,
      nodeId: () => this.#within.census.at(node).identity.nodeId,
      rate: (trick) => this.#rate(node, trick),
      did: (trick) => this.did(trick, node),
    });
  }

  #rate(node: NodeIndex, trick: Trick): number {
    const fault: Fault<Trick> | undefined = this.active(node, trick);
    if (fault === undefined) return 0;
    return fault.inject === "sybil_flood" ? fault.per_second : 1;
  }
}

function isByzantine(fault: Fault): fault is ByzantineFault {
  return classOf(fault.inject) === "byzantine";
}
