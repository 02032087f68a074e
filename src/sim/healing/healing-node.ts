// A simulated node that heals itself: the production healing machine beside the production mesh machine, with sensors and actuators of
// the simulation. What a daemon's healing service does: looks once a second, carries orders out, exchanges notices.

import {
  type ActionOrder,
  type HealingEffect,
  type HealingProtocol,
  type Incident,
  type KnowledgeBase,
  type Notice,
  noticeContext,
  NoticeDesk,
} from "../../healing/index.ts";
import { ML_DSA_65, type MlDsaSigner } from "../../crypto/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { Now } from "../../ports/index.ts";
import type { Census, SimEngine } from "../census.ts";
import type { MeshDatagram } from "../mesh-datagrams.ts";
import type {
  GossipMessage,
  NodeAction,
  NodeEvent,
  NodeIndex,
  ReceiveResult,
  SimNode,
} from "../node-types.ts";
import type { SeededRandom } from "../random.ts";
import type { SimActuators } from "./actuators.ts";
import type { SimSensors } from "./sensors.ts";

type Action = NodeAction<MeshDatagram>;

export const HEALING_TOPIC = "healing";
const LOOK_MS = 1_000;
const LOOK_TIMER = "healing";
const ORDER_TIMER = "healing:";

/** What others want to know of a node that heals itself. */
export interface HealingObserver {
  effect(node: NodeIndex, effect: HealingEffect): void;
}

export interface HealingNodeParts {
  readonly node: NodeIndex;
  readonly epoch: number;
  readonly inner: SimNode<MeshDatagram>;
  readonly machine: HealingProtocol;
  readonly knowledge: KnowledgeBase;
  readonly sensors: SimSensors;
  /** Made with the node's own `later` and `emit`. */
  readonly actuators: (hooks: HealingHooks) => SimActuators;
  readonly engine: SimEngine;
  readonly census: Census;
  readonly signer: MlDsaSigner;
  readonly random: SeededRandom;
  readonly observer: HealingObserver;
  /** The node's clocks now. */
  readonly now: () => Now;
}

/** How its actuators reach back into a node. */
export interface HealingHooks {
  readonly later: (order: ActionOrder, delayMs: number) => void;
  readonly emit: (action: Action) => void;
}

export class HealingNode implements SimNode<MeshDatagram> {
  readonly #parts: HealingNodeParts;
  readonly #actuators: SimActuators;
  readonly #desk: NoticeDesk;
  readonly #orders = new Map<number, ActionOrder>();
  #out: Action[] = [];
  #dueMs = 0;

  constructor(parts: HealingNodeParts) {
    this.#parts = parts;
    const { node, epoch, random, census, signer } = parts;
    const sign = (unsigned: Uint8Array): Uint8Array => signer.sign(unsigned, noticeContext);
    const { signatureBytes } = ML_DSA_65;
    const self = census.at(node).identity.nodeId;
    this.#desk = new NoticeDesk({ self, epoch, random, sign, signatureBytes }, parts.now().monoMs);
    this.#actuators = parts.actuators({
      later: (order, delayMs) => {
        this.#orders.set(order.id, order);
        this.#out.push({ kind: "set-timer", id: `${ORDER_TIMER}${order.id}`, delayMs });
      },
      emit: (action) => this.#out.push(action),
    });
  }

  handle(event: NodeEvent<MeshDatagram>, now: Now): readonly Action[] {
    const { inner, sensors } = this.#parts;
    if (event.kind === "timer" && event.id === LOOK_TIMER)
      return this.#collect(() => this.#look(now));
    if (event.kind === "timer" && event.id.startsWith(ORDER_TIMER))
      return this.#collect(() => this.#finish(Number(event.id.slice(ORDER_TIMER.length))));
    if (event.kind === "connected" || event.kind === "disconnected") sensors.flapped();
    const actions = inner.handle(event, now);
    if (event.kind !== "started") return actions;
    this.#dueMs = now.monoMs + LOOK_MS * this.#parts.random.fraction();
    const first: Action = { kind: "set-timer", id: LOOK_TIMER, delayMs: this.#dueMs - now.monoMs };
    return [...actions, { kind: "subscribe", topic: HEALING_TOPIC }, first];
  }

  receive(message: GossipMessage, from: NodeIndex, now: Now): ReceiveResult<MeshDatagram> {
    if (message.topic !== HEALING_TOPIC) return this.#parts.inner.receive(message, from, now);
    const verdict = this.#desk.look(message.bytes, now.monoMs);
    if (verdict.verdict !== "verify")
      return { verdict: verdict.verdict, code: verdict.code, actions: [] };
    const { notice, signed, signature } = verdict;
    const author = this.#parts.census.find(notice.nodeId as NodeId)?.identity;
    const { mlDsa65 } = this.#parts.engine;
    const isGood =
      author !== undefined && mlDsa65.verify(author.mldsa65, signed, signature, noticeContext);
    if (!isGood) return { verdict: "reject", code: "healing/bad-signature", actions: [] };
    this.#desk.take(notice, now.monoMs);
    return {
      verdict: "accept",
      code: notice.body.kind,
      actions: this.#collect(() => this.#hear(notice)),
    };
  }

  passesOn(message: GossipMessage, to: NodeIndex): boolean {
    return this.#parts.inner.passesOn(message, to);
  }

  #hear({ nodeId, body }: Notice): void {
    const { machine, knowledge, now } = this.#parts;
    if (body.kind === "lesson") knowledge.hear(nodeId, body.incident);
    else this.#carryOut(machine.handle({ kind: "claimed", claim: { nodeId, ...body } }, now()));
  }

  #collect(work: () => void): readonly Action[] {
    this.#out = [];
    work();
    return this.#out;
  }

  #look(now: Now): void {
    const { machine, sensors } = this.#parts;
    sensors.late(Math.max(0, now.monoMs - this.#dueMs));
    this.#carryOut(machine.handle({ kind: "observed", reading: sensors.read() }, now));
    for (const bytes of this.#desk.due(now.monoMs)) this.#publish(bytes);
    this.#dueMs = now.monoMs + LOOK_MS;
    this.#out.push({ kind: "set-timer", id: LOOK_TIMER, delayMs: LOOK_MS });
  }

  #finish(id: number): void {
    const order = this.#orders.get(id);
    this.#orders.delete(id);
    if (order !== undefined) this.#actuators.finish(order);
  }

  #carryOut(effects: readonly HealingEffect[]): void {
    const { observer, node, machine, now } = this.#parts;
    for (const effect of effects) {
      observer.effect(node, effect);
      switch (effect.kind) {
        case "act": {
          const { id } = effect.order;
          this.#actuators.begin(effect.order, (end) =>
            this.#carryOut(machine.handle({ kind: "action-ended", id, end }, now())),
          );
          break;
        }
        case "undo":
          this.#actuators.undo();
          break;
        case "claim":
          this.#publish(this.#desk.claim(effect.leftMs));
          break;
        case "incident":
          this.#told(effect.incident, effect.change);
          break;
        case "action":
          break;
      }
    }
  }

  #told(incident: Incident, change: "opened" | "changed" | "closed"): void {
    if (change === "closed") this.#desk.closed(incident, this.#parts.now().monoMs);
  }

  #publish(bytes: Uint8Array): void {
    this.#out.push({ kind: "publish", topic: HEALING_TOPIC, bytes });
  }
}
