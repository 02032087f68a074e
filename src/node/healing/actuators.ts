// How a daemon does what healing decides. What is not here this node cannot do, and a playbook that asks for it is refused.

import { collectGarbage } from "../../adapters/heap-size.ts";
import type { StateStore } from "../../adapters/sqlite/state-store.ts";
import type { EngineSwitch } from "../../crypto/index.ts";
import { errorCode, errorMessage, MeshError } from "../../foundation/index.ts";
import type { ActionEnd, ActionKind, ActionOrder, Actuators } from "../../healing/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { Federation } from "../federation.ts";
import type { Member } from "../member.ts";
import { type SocketName, socketNames, type SocketPart } from "../socket-part.ts";

export interface NodeActuatorsDeps {
  readonly member: () => Member | undefined;
  readonly engines: Pick<EngineSwitch, "renew">;
  readonly store: Pick<StateStore, "compact">;
  readonly federation: Pick<Federation, "refresh">;
  readonly sockets: () => Partial<Record<SocketName, SocketPart | undefined>>;
}

type Act = (target: string | undefined) => Promise<void> | void;

export class NodeActuators implements Actuators {
  readonly #deps: NodeActuatorsDeps;
  readonly #acts: ReadonlyMap<ActionKind, Act>;

  constructor(deps: NodeActuatorsDeps) {
    this.#deps = deps;
    this.#acts = new Map<ActionKind, Act>([
      ["rejoin", () => this.#member().repairs.rejoin()],
      ["redial-peer", (peer) => this.#member().repairs.redial(required(peer) as NodeId)],
      ["change-relay", (peer) => this.#member().repairs.changeRelay(peer as NodeId | undefined)],
      ["resync-beacons", () => this.#member().repairs.resync()],
      ["renew-svid", () => this.#member().repairs.renew()],
      ["fetch-bundle", (domain) => this.#fetchBundle(domain)],
      ["shed-load", () => this.#member().repairs.shed(true)],
      ["restart-part", (part) => this.#restart(required(part))],
      ["change-engine", () => this.#changeEngine()],
      ["free-memory", collectGarbage],
      ["compact-store", () => deps.store.compact()],
    ]);
  }

  get kinds(): ReadonlySet<ActionKind> {
    return new Set(this.#acts.keys());
  }

  begin({ kind, target, timeLimitMs }: ActionOrder, ended: (end: ActionEnd) => void): void {
    const work = Promise.resolve().then(() => this.#acts.get(kind)?.(target));
    const timer = Promise.withResolvers<never>();
    const timeout = setTimeout(
      () => timer.reject(new MeshError("healing/time-limit", "It took too long.")),
      timeLimitMs,
    );
    Promise.race([work, timer.promise])
      .then(
        () => ended({ ok: true }),
        (error: unknown) =>
          ended({ ok: false, code: errorCode(error), message: errorMessage(error) }),
      )
      .finally(() => clearTimeout(timeout));
  }

  undo({ kind }: ActionOrder): void {
    if (kind === "shed-load") this.#deps.member()?.repairs.shed(false);
  }

  /** Of another trust domain by its name; without one this node's own. */
  async #fetchBundle(trustDomain: string | undefined): Promise<void> {
    if (trustDomain === undefined) return this.#member().repairs.fetchBundle();
    await this.#deps.federation.refresh(trustDomain);
  }

  #changeEngine(): void {
    if (this.#deps.engines.renew()) return;
    throw new MeshError(
      "crypto/engine-sound",
      "The crypto engine in use passes its self-test: what is wrong is elsewhere.",
    );
  }

  async #restart(part: string): Promise<void> {
    if (part === "trainer") return this.#member().repairs.restartTrainer();
    const name = socketNames.find((known) => known === part);
    const socket = name && this.#deps.sockets()[name];
    if (socket !== undefined) return socket.restart();
    throw new MeshError(
      "healing/unknown-part",
      `There is no part '${part}' here that can be started anew: one is trainer, ${socketNames.join(" or ")}.`,
    );
  }

  #member(): Member {
    const member = this.#deps.member();
    if (member !== undefined) return member;
    throw new MeshError("control/not-enrolled", "This node is in no mesh yet.");
  }
}

function required(target: string | undefined): string {
  if (target !== undefined) return target;
  throw new MeshError("healing/no-target", "The playbook must say what it is done to: target.");
}
