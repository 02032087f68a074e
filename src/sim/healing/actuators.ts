// What a simulated node can do about itself: what a daemon's actuators do, as far as the simulator has the part. An action works
// where its cause is what it cures and what it needs is in reach; nothing is cured by saying so.

import {
  type ActionEnd,
  type ActionKind,
  type ActionOrder,
  type Actuators,
} from "../../healing/index.ts";
import type { MeshDatagram } from "../mesh-datagrams.ts";
import type { MeshNode } from "../mesh-node.ts";
import type { NodeAction, NodeIndex } from "../node-types.ts";
import type { SeededRandom } from "../random.ts";
import type { Swarm } from "../swarm.ts";

type Action = NodeAction<MeshDatagram>;

/** How long the work of each kind takes, from and to. */
const WORK_MS: Readonly<Partial<Record<ActionKind, readonly [number, number]>>> = {
  "redial-peer": [200, 600],
  "change-engine": [5, 50],
  rejoin: [200, 600],
  "resync-beacons": [100, 400],
  "renew-svid": [50, 300],
  "fetch-bundle": [50, 300],
  "compact-store": [200, 1_000],
  "free-memory": [10, 100],
  "restart-part": [500, 2_000],
  "shed-load": [1, 10],
};
/** A node of a hundred issues, and at least one. */
const ISSUER_SHARE = 0.01;
/** Members dialled at once to come back into the mesh. */
const REJOIN_DIALS = 16;

export interface ActuatorParts {
  readonly node: NodeIndex;
  readonly swarm: Swarm;
  readonly mesh: MeshNode;
  readonly random: SeededRandom;
  /** To be told later: an order is never answered from within itself. */
  readonly later: (order: ActionOrder, delayMs: number) => void;
  /** To be done by the world. */
  readonly emit: (action: Action) => void;
}

export class SimActuators implements Actuators {
  static readonly kinds: ReadonlySet<ActionKind> = new Set(Object.keys(WORK_MS) as ActionKind[]);
  readonly kinds = SimActuators.kinds;
  readonly #parts: ActuatorParts;
  readonly #waiting = new Map<number, (end: ActionEnd) => void>();

  constructor(parts: ActuatorParts) {
    this.#parts = parts;
  }

  begin(order: ActionOrder, ended: (end: ActionEnd) => void): void {
    const { random, later } = this.#parts;
    const [least, most] = WORK_MS[order.kind] ?? [0, 0];
    this.#waiting.set(order.id, ended);
    this.#start(order);
    later(order, least + random.fraction() * (most - least));
  }

  /** The time that the work takes is over. */
  finish(order: ActionOrder): void {
    const ended = this.#waiting.get(order.id);
    this.#waiting.delete(order.id);
    const problem = this.#work(order);
    if (problem === undefined) ended?.({ ok: true });
    else ended?.({ ok: false, code: "sim/no-way", message: problem });
  }

  undo(): void {}

  /** What is sent out at once. */
  #start({ kind, target }: ActionOrder): void {
    const { mesh, emit } = this.#parts;
    if (kind === "redial-peer" && target !== undefined) this.#dial([target]);
    if (kind === "rejoin") this.#dial(this.#absent());
    if (kind === "resync-beacons") for (const action of mesh.resync()) emit(action);
  }

  /** The rest, after the time that it takes; why it did not work. */
  #work({ kind, target }: ActionOrder): string | undefined {
    const { node, swarm } = this.#parts;
    const ailment = swarm.ailments.of(node);
    switch (kind) {
      case "change-engine":
        if (!ailment.badVerification && !ailment.badSignature && !ailment.kemFailure)
          return "the engine passes its self-test";
        ailment.badVerification = ailment.badSignature = ailment.kemFailure = false;
        return undefined;
      case "rejoin":
        return swarm.peers(node).length > 0 ? undefined : "nobody answers";
      case "renew-svid":
        if (!this.#reachesIssuer()) return "no issuer is in reach";
        swarm.renew(node);
        return undefined;
      case "fetch-bundle":
        return this.#reachesIssuer() ? undefined : "no issuer is in reach";
      case "compact-store":
        if (ailment.storeGrown) ailment.diskFull = false;
        ailment.storeGrown = false;
        return undefined;
      case "restart-part":
        if (target !== "trainer") return `there is no part ${target ?? ""}`;
        ailment.leaks = false;
        ailment.leaked = 0;
        return undefined;
      default:
        return undefined;
    }
  }

  /** Renewal and bundles go over a connection of the mesh, which an expired SVID does not get. */
  #reachesIssuer(): boolean {
    const { node, swarm } = this.#parts;
    const issuers = Math.max(1, Math.round(ISSUER_SHARE * swarm.size));
    for (let issuer = 0; issuer < issuers; issuer++) {
      if (issuer === node) return true;
      if (swarm.isHealthy(issuer) && swarm.world.network.isOpen(node, issuer))
        return swarm.ailments.mayConnect(node, issuer);
    }
    return false;
  }

  #absent(): string[] {
    const { mesh, random } = this.#parts;
    const away = mesh.machine
      .members()
      .filter(({ state, connected }) => !connected && state !== "left" && state !== "quarantined");
    return random.sample(
      away.map(({ nodeId }) => nodeId),
      REJOIN_DIALS,
    );
  }

  #dial(nodeIds: readonly string[]): void {
    const { swarm, emit } = this.#parts;
    const wanted = new Set(nodeIds);
    for (const { index, identity } of swarm.census.all)
      if (wanted.has(identity.nodeId)) emit({ kind: "dial", to: index });
  }
}
