// Dishonest nodes. Each wraps an honest one, so that it is a plausible member in all but one way. None can
// sign for another: that is what the signatures are for. What each does, any member of a mesh could do.

import type { MeshDatagram } from "./mesh-datagrams.ts";
import type {
  GossipMessage,
  NodeAction,
  NodeEvent,
  NodeIndex,
  ReceiveResult,
  SimNode,
} from "./node-types.ts";
import type { Now } from "../ports/index.ts";

type Action = NodeAction<MeshDatagram>;

/** How often an intruder does its thing, in milliseconds of its clock. */
const MISCHIEF_INTERVAL_MS = 1_000;
const MISCHIEF_TIMER = "mischief";
/** Messages that an intruder keeps for later. */
const COLLECTED_MAX = 4_096;
/** Offset of a beacon's sequence or index in its bytes. */
const NUMBER_OFFSET = 38;

/** Does on a timer what its kind does, and is otherwise the honest node that it wraps. */
abstract class Intruder implements SimNode<MeshDatagram> {
  protected readonly honest: SimNode<MeshDatagram>;
  /** Messages of others, oldest first. */
  protected readonly collected: GossipMessage[] = [];

  constructor(honest: SimNode<MeshDatagram>) {
    this.honest = honest;
  }

  handle(event: NodeEvent<MeshDatagram>, now: Now): readonly Action[] {
    if (event.kind === "timer" && event.id === MISCHIEF_TIMER) {
      return [...this.mischief(), again()];
    }
    const actions = this.honest.handle(event, now);
    return event.kind === "started" ? [...actions, again()] : actions;
  }

  receive(message: GossipMessage, from: NodeIndex, now: Now): ReceiveResult<MeshDatagram> {
    this.collected.push(message);
    if (this.collected.length > COLLECTED_MAX) this.collected.shift();
    return this.honest.receive(message, from, now);
  }

  protected abstract mischief(): Action[];
}

/** Publishes old messages of others again, the oldest it has, once the seen-caches have forgotten them. */
export class Replayer extends Intruder {
  protected mischief(): Action[] {
    const old = this.collected.shift();
    return old === undefined ? [] : [{ kind: "publish", topic: old.topic, bytes: old.bytes }];
  }
}

/** Publishes messages in the names of others with the next number, which it cannot sign. */
export class Forger extends Intruder {
  protected mischief(): Action[] {
    const newest = this.collected.pop();
    if (newest === undefined || newest.bytes.length < NUMBER_OFFSET + 4) return [];
    const bytes = newest.bytes.slice();
    const view = new DataView(bytes.buffer);
    view.setUint32(NUMBER_OFFSET, view.getUint32(NUMBER_OFFSET) + 1);
    return [{ kind: "publish", topic: newest.topic, bytes }];
  }
}

/** Two machines with one key: each publishes its own truth under the same numbers. */
export class Equivocator implements SimNode<MeshDatagram> {
  readonly #honest: SimNode<MeshDatagram>;
  readonly #twin: SimNode<MeshDatagram>;

  constructor(honest: SimNode<MeshDatagram>, twin: SimNode<MeshDatagram>) {
    this.#honest = honest;
    this.#twin = twin;
  }

  handle(event: NodeEvent<MeshDatagram>, now: Now): readonly Action[] {
    if (event.kind === "timer" && event.id.startsWith(TWIN)) {
      return twinActions(this.#twin.handle({ ...event, id: event.id.slice(TWIN.length) }, now));
    }
    const actions = this.#honest.handle(event, now);
    // The twin hears of connections, too, so that its numbers keep pace.
    if (event.kind === "datagram" || event.kind === "timer") return actions;
    return [...actions, ...twinActions(this.#twin.handle(event, now))];
  }

  receive(message: GossipMessage, from: NodeIndex, now: Now): ReceiveResult<MeshDatagram> {
    return this.#honest.receive(message, from, now);
  }
}

const TWIN = "twin:";

/** What the twin may do: keep time, and publish. */
function twinActions(actions: readonly Action[]): Action[] {
  return actions.flatMap((action): Action[] => {
    if (action.kind === "publish") return [action];
    return action.kind === "set-timer" ? [{ ...action, id: TWIN + action.id }] : [];
  });
}

function again(): Action {
  return { kind: "set-timer", id: MISCHIEF_TIMER, delayMs: MISCHIEF_INTERVAL_MS };
}
