// The world: nodes, their clocks and timers, the connections between them and the gossip over these, all
// driven by one queue from one seed. Everything that could depend on chance or order goes through the seeded
// streams and the queue, and every delivered event goes into the trace; so one seed is one history.

import { MeshError } from "../foundation/index.ts";
import type { Now } from "../ports/index.ts";
import { ConnectionTable } from "./connections.ts";
import type { SimErrorCode } from "./errors.ts";
import { GenerationSet, GossipOverlay } from "./gossip-overlay.ts";
import { GossipStore } from "./gossip-store.ts";
import { Network } from "./network.ts";
import type {
  Datagram,
  GossipMessage,
  NodeAction,
  NodeEvent,
  NodeIndex,
  SimNode,
} from "./node-types.ts";
import { SeededRandom } from "./random.ts";
import { NO_NODE, TraceDigest } from "./trace-digest.ts";
import { EventQueue, NodeClock } from "./virtual-clock.ts";
import type { WorldCounts, WorldEvent, WorldOptions } from "./world-types.ts";

/** Bytes that a frame costs beside its payload. */
const FRAME_BYTES = 60;
/** Bytes of one message id in an offer. */
const MESSAGE_ID_BYTES = 32;
/** Messages that one offer names at most; the newest. */
const OFFER_MESSAGES_MAX = 2_000;
/** Events at one instant after which the run is declared stuck. */
const INSTANT_EVENTS_MAX = 1_000_000;
/** A connection is up after a TCP handshake and three messages: this many one-way delays. */
const DIAL_ONE_WAYS = 5;
const NODES_MAX = 65_536;

/** What a world needs from outside. */
export interface WorldDeps<D extends Datagram> {
  /** SHA-256, for message ids and the trace. */
  readonly sha256: (data: Uint8Array) => Uint8Array;
  /** Makes the node when it starts; `boot` counts its starts from 1. */
  readonly spawn: (node: NodeIndex, boot: number) => SimNode<D>;
}

/** One place in the world; the node in it comes and goes. */
interface Slot<D extends Datagram> {
  readonly clock: NodeClock;
  node: SimNode<D> | undefined;
  boots: number;
  /** Rises when the node stops or crashes: what was meant for the one before is void. */
  life: number;
  readonly timers: Map<string, number>;
  seen: GenerationSet;
  /** What it published or accepted in this and the last gossip heartbeat. */
  recent: GossipMessage[];
  recentBefore: GossipMessage[];
  stalledUntilMs: number;
}

/** A world of nodes. After an error was thrown by a node, the world is only good for its trace. */
export class World<D extends Datagram> {
  readonly network: Network;
  readonly trace: TraceDigest;
  readonly random: SeededRandom;
  /** Whether two nodes that reach each other also agree on a connection; a fault makes it say no. */
  handshakes: (a: NodeIndex, b: NodeIndex) => boolean = () => true;
  readonly counts: WorldCounts = {
    events: 0,
    published: 0,
    accepted: 0,
    rejected: 0,
    ignored: 0,
    repeated: 0,
    wanted: 0,
    dialsFailed: 0,
  };
  readonly #deps: WorldDeps<D>;
  readonly #options: Required<Omit<WorldOptions, "network" | "clockError">>;
  readonly #queue = new EventQueue<WorldEvent<D>>();
  readonly #slots: readonly Slot<D>[];
  readonly #connections: ConnectionTable;
  readonly #overlay: GossipOverlay;
  readonly #store: GossipStore;
  #tokens = 0;

  /** @throws MeshError `sim/bad-option` */
  constructor(deps: WorldDeps<D>, options: WorldOptions) {
    const { network, clockError, ...rest } = options;
    this.#deps = deps;
    this.#options = {
      connectionsMax: 64,
      graftsPerNode: 4,
      lazyPeers: 3,
      gossipHeartbeatMs: 1_000,
      silenceMs: 10_000,
      dialTimeoutMs: 5_000,
      seenMs: 60_000,
      seenMax: 65_536,
      bytesInTrace: true,
      ...rest,
    };
    const { nodes, seed, connectionsMax, graftsPerNode, seenMs, seenMax } = this.#options;
    if (!Number.isInteger(nodes) || nodes < 1 || nodes > NODES_MAX) {
      throw badOption(`nodes must be 1 to ${NODES_MAX}: current value is ${nodes}`);
    }
    this.random = SeededRandom.fromSeed(seed);
    this.network = new Network(nodes, this.random.fork("network"), network);
    this.trace = new TraceDigest(deps.sha256);
    this.#connections = new ConnectionTable(nodes, connectionsMax);
    this.#overlay = new GossipOverlay(nodes, this.random.fork("overlay"), graftsPerNode);
    this.#store = new GossipStore(deps.sha256, 2 * seenMs, seenMax);
    this.#slots = Array.from({ length: nodes }, (_, node) => ({
      clock: new NodeClock(clockError?.(node)),
      node: undefined,
      boots: 0,
      life: 0,
      timers: new Map<string, number>(),
      seen: new GenerationSet(seenMs, seenMax),
      recent: [],
      recentBefore: [],
      stalledUntilMs: 0,
    }));
  }

  /** Virtual milliseconds since the start. */
  get nowMs(): number {
    return this.#queue.nowMs;
  }

  get size(): number {
    return this.#slots.length;
  }

  /** Whether the node runs. */
  isUp(node: NodeIndex): boolean {
    return this.#slot(node).node !== undefined;
  }

  /** Both ends hold one connection and the links between them are open. */
  isConnected(a: NodeIndex, b: NodeIndex): boolean {
    return this.#connections.isLive(a, b) && this.network.isOpen(a, b);
  }

  /** The peers that a node believes to be connected to. */
  peers(node: NodeIndex): readonly NodeIndex[] {
    return this.#connections.peers(node);
  }

  /** The node's clocks now. */
  clock(node: NodeIndex): NodeClock {
    return this.#slot(node).clock;
  }

  /** Runs a step of the scenario at a virtual time; what it schedules for now runs after it. */
  plan(atMs: number, label: string, run: () => void): void {
    this.#queue.schedule(atMs, { type: "plan", label, run });
  }

  /** Starts a node, or starts it again; nothing when it runs. */
  start(node: NodeIndex, atMs: number = this.nowMs): void {
    this.#queue.schedule(atMs, { type: "start", node, life: this.#slot(node).life });
  }

  /** An orderly stop: the node says goodbye, then its connections close. */
  stop(node: NodeIndex): void {
    const slot = this.#slot(node);
    if (slot.node === undefined) return;
    this.#deliver(node, { kind: "stopping" });
    for (const peer of this.peers(node)) this.#close(node, peer);
    this.#vanish(node, slot);
  }

  /** A power cut: no goodbye; the others notice by silence, and everything in memory is gone. */
  crash(node: NodeIndex): void {
    const slot = this.#slot(node);
    if (slot.node === undefined) return;
    this.#record("crash", node, NO_NODE, "", slot.boots, 0);
    for (const peer of this.peers(node)) this.#expectSilence(peer, node);
    this.#vanish(node, slot);
  }

  /** Closes a connection in order, whatever its ends want; they may dial again. */
  disconnect(node: NodeIndex, peer: NodeIndex): void {
    this.#close(node, peer);
  }

  /** The node does nothing until then (a stalled event loop); what comes meanwhile waits. */
  stall(node: NodeIndex, untilMs: number): void {
    this.#record("stall", node, NO_NODE, "", 0, 0);
    this.#slot(node).stalledUntilMs = untilMs;
  }

  /** Blocks one direction between two sets; connections across break by silence. */
  block(from: readonly NodeIndex[], to: readonly NodeIndex[]): void {
    this.network.block(from, to);
    this.#breakBlocked();
  }

  /** Cuts the world into groups; connections between them break by silence. */
  partition(groups: readonly (readonly NodeIndex[])[]): void {
    this.network.partition(groups);
    this.#breakBlocked();
  }

  /** Delivers everything due within the next `ms`. */
  runFor(ms: number): void {
    this.runUntil(this.nowMs + ms);
  }

  /**
   * Delivers everything due until `untilMs` and moves time there.
   * @throws MeshError `sim/no-progress`, `sim/queue-full`, and whatever a node throws
   */
  runUntil(untilMs: number): void {
    let instantMs = -1;
    let atInstant = 0;
    for (;;) {
      const event = this.#queue.next(untilMs);
      if (event === undefined) break;
      atInstant = this.nowMs === instantMs ? atInstant + 1 : 0;
      instantMs = this.nowMs;
      if (atInstant > INSTANT_EVENTS_MAX) {
        throw simError(
          "sim/no-progress",
          `Cannot leave ${instantMs} ms: nodes answer at once for ever.`,
        );
      }
      this.#dispatch(event);
    }
    this.#queue.advance(untilMs);
  }

  #dispatch(event: WorldEvent<D>): void {
    if (event.type === "plan") {
      this.#record("plan", NO_NODE, NO_NODE, event.label, 0, 0);
      event.run();
      return;
    }
    const slot = this.#slot(event.node);
    if (slot.stalledUntilMs > this.nowMs) {
      this.#queue.schedule(slot.stalledUntilMs, event);
      return;
    }
    switch (event.type) {
      case "start": {
        this.#start(event.node, slot, event.life);
        return;
      }
      case "timer":
        if (slot.timers.get(event.id) !== event.token) return;
        slot.timers.delete(event.id);
        {
          this.#deliver(event.node, { kind: "timer", id: event.id });
          return;
        }
      case "datagram":
        if (!this.#arrives(event)) return;
        {
          this.#deliver(event.node, {
            kind: "datagram",
            from: event.from,
            datagram: event.datagram,
          });
          return;
        }
      case "gossip":
        if (this.#arrives(event)) this.#receive(event.node, slot, event.from, event.message);
        return;
      case "offers": {
        this.#offer(event.node, slot, event.life);
        return;
      }
      case "offer": {
        if (this.#arrives(event)) this.#want(event.node, slot, event.from, event.messages);
        return;
      }
      case "want": {
        if (!this.#arrives(event)) return;
        for (const message of event.messages) this.#gossip(event.node, event.from, message);
        return;
      }
      case "dial": {
        this.#finishDial(event);
        return;
      }
      case "dial-failed":
        if (slot.life !== event.life) return;
        this.#connections.endDial(event.node, event.peer);
        this.counts.dialsFailed++;
        {
          this.#deliver(event.node, { kind: "dial-failed", peer: event.peer });
          return;
        }
      case "closed": {
        this.#lose(event.node, event.peer, event.connection);
        return;
      }
      case "silence":
        if (this.isConnected(event.node, event.peer)) return;
        {
          this.#lose(event.node, event.peer, event.connection);
          return;
        }
    }
  }

  #start(node: NodeIndex, slot: Slot<D>, life: number): void {
    if (slot.node !== undefined || slot.life !== life) return;
    slot.boots++;
    slot.seen = new GenerationSet(this.#options.seenMs, this.#options.seenMax);
    slot.recent = [];
    slot.recentBefore = [];
    slot.node = this.#deps.spawn(node, slot.boots);
    this.#queue.schedule(this.nowMs + this.#options.gossipHeartbeatMs, {
      type: "offers",
      node,
      life: slot.life,
    });
    this.#deliver(node, { kind: "started" });
  }

  #vanish(node: NodeIndex, slot: Slot<D>): void {
    for (const peer of this.peers(node)) this.#overlay.cut(node, peer);
    this.#connections.drop(node);
    slot.node = undefined;
    slot.life++;
    slot.timers.clear();
  }

  /** Hands one event to a node and carries out what it wants. */
  #deliver(node: NodeIndex, event: NodeEvent<D>): void {
    const slot = this.#slot(node);
    if (slot.node === undefined) return;
    this.#recordEvent(node, event);
    this.#apply(node, slot, slot.node.handle(event, this.#now(slot)));
  }

  #receive(node: NodeIndex, slot: Slot<D>, from: NodeIndex, message: GossipMessage): void {
    if (slot.node === undefined) return;
    if (!slot.seen.add(message.number, this.nowMs)) {
      this.counts.repeated++;
      this.#record("repeat", node, from, message.topic, message.number, 0);
      return;
    }
    const result = slot.node.receive(message, from, this.#now(slot));
    const word = this.#options.bytesInTrace ? message.word : 0;
    this.#record(`gossip-${result.verdict}`, node, from, result.code, message.number, word);
    if (result.verdict === "accept") this.counts.accepted++;
    if (result.verdict === "reject") this.counts.rejected++;
    if (result.verdict === "ignore") this.counts.ignored++;
    if (result.verdict === "accept") this.#push(node, message, from);
    this.#apply(node, slot, result.actions);
  }

  #apply(node: NodeIndex, slot: Slot<D>, actions: readonly NodeAction<D>[]): void {
    for (const action of actions) {
      switch (action.kind) {
        case "set-timer": {
          const token = ++this.#tokens;
          slot.timers.set(action.id, token);
          const atMs = this.nowMs + slot.clock.trueDelayMs(action.delayMs);
          this.#queue.schedule(atMs, { type: "timer", node, id: action.id, token });
          break;
        }
        case "clear-timer":
          slot.timers.delete(action.id);
          break;
        case "publish": {
          const message = this.#store.intern(action.topic, action.bytes, this.nowMs);
          slot.seen.add(message.number, this.nowMs);
          this.counts.published++;
          this.#push(node, message, NO_NODE);
          break;
        }
        case "forward":
          this.counts.accepted++;
          this.#push(node, action.message, NO_NODE);
          break;
        case "send":
          this.#send(node, action.to, action.datagram);
          break;
        case "dial":
          this.#beginDial(node, slot, action.to);
          break;
        case "disconnect":
          this.#close(node, action.to);
          break;
      }
    }
  }

  /** Passes a message on over every gossip edge but the one it came by. */
  #push(node: NodeIndex, message: GossipMessage, except: NodeIndex): void {
    this.#slot(node).recent.push(message);
    for (const peer of this.#overlay.edges(node)) {
      if (peer !== except) this.#gossip(node, peer, message);
    }
  }

  #gossip(from: NodeIndex, node: NodeIndex, message: GossipMessage): void {
    this.#carry(from, node, message.bytes.length, (atMs, connection) => {
      this.#queue.schedule(atMs, { type: "gossip", node, from, connection, message });
    });
  }

  /** The gossip heartbeat of a node. */
  #offer(from: NodeIndex, slot: Slot<D>, life: number): void {
    if (slot.life !== life) return;
    const messages = [...slot.recentBefore, ...slot.recent].slice(-OFFER_MESSAGES_MAX);
    slot.recentBefore = slot.recent;
    slot.recent = [];
    const atMs = this.nowMs + this.#options.gossipHeartbeatMs;
    this.#queue.schedule(atMs, { type: "offers", node: from, life });
    if (messages.length === 0) return;
    for (const node of this.#overlay.others(from, this.peers(from), this.#options.lazyPeers)) {
      this.#carry(from, node, messages.length * MESSAGE_ID_BYTES, (atMs, connection) => {
        this.#queue.schedule(atMs, { type: "offer", node, from, connection, messages });
      });
    }
  }

  /** Asks the offering peer for what the node has not seen. */
  #want(from: NodeIndex, slot: Slot<D>, node: NodeIndex, offered: readonly GossipMessage[]): void {
    const messages = offered.filter(({ number }) => !slot.seen.has(number));
    this.#record("offer", from, node, "", messages.length, 0);
    if (messages.length === 0) return;
    this.counts.wanted += messages.length;
    this.#carry(from, node, messages.length * MESSAGE_ID_BYTES, (atMs, connection) => {
      this.#queue.schedule(atMs, { type: "want", node, from, connection, messages });
    });
  }

  /** Puts a frame on the connection that `from` believes it has to `to`; nothing without one. */
  #carry(
    from: NodeIndex,
    to: NodeIndex,
    sizeBytes: number,
    arrive: (atMs: number, connection: number) => void,
  ): void {
    const connection = this.#connections.held(from, to);
    if (connection === undefined) return;
    this.network.transmit(from, to, sizeBytes + FRAME_BYTES, this.nowMs, (atMs) => {
      arrive(atMs, connection);
    });
  }

  #send(from: NodeIndex, node: NodeIndex, datagram: D): void {
    this.#carry(from, node, datagram.sizeBytes, (atMs, connection) => {
      this.#queue.schedule(atMs, { type: "datagram", node, from, connection, datagram });
    });
  }

  /** Whether a message gets from the link into the node: an end that forgot the connection refuses it. */
  #arrives(event: { node: NodeIndex; from: NodeIndex; connection: number }): boolean {
    const { node, from, connection } = event;
    if (!this.network.landed(from, node) || !this.isUp(node)) return false;
    if (this.network.isCorrupted()) {
      this.#close(node, from);
      return false;
    }
    if (this.#connections.held(node, from) === connection) return true;
    if (this.#connections.held(from, node) === connection) this.#tellClosed(node, from, connection);
    return false;
  }

  #beginDial(node: NodeIndex, slot: Slot<D>, peer: NodeIndex): void {
    if (peer === node || !this.#connections.beginDial(node, peer)) return;
    const upAtMs = this.nowMs + DIAL_ONE_WAYS * this.network.latencyMs(node, peer);
    const failsAtMs = Math.max(upAtMs, this.nowMs + this.#options.dialTimeoutMs);
    this.#queue.schedule(upAtMs, { type: "dial", node, peer, life: slot.life, failsAtMs });
  }

  #finishDial(event: WorldEvent<D> & { type: "dial" }): void {
    const { node, peer, life, failsAtMs } = event;
    if (this.#slot(node).life !== life) return;
    const connections = this.#connections;
    const listens = this.isUp(peer) && this.#slot(peer).stalledUntilMs <= this.nowMs;
    const answers = listens && this.handshakes(node, peer);
    if (!answers || !this.network.isOpen(node, peer) || !connections.hasRoom(node, peer)) {
      this.#queue.schedule(failsAtMs, { type: "dial-failed", node, peer, life });
      return;
    }
    connections.endDial(node, peer);
    if (connections.isLive(node, peer)) return;
    for (const [end, other] of [
      [node, peer],
      [peer, node],
    ] as const) {
      const stale = connections.held(end, other);
      if (stale !== undefined) this.#lose(end, other, stale);
    }
    connections.open(node, peer);
    this.#overlay.graft(node, connections.peers(node));
    this.#overlay.graft(peer, connections.peers(peer));
    this.#deliver(node, { kind: "connected", peer });
    this.#deliver(peer, { kind: "connected", peer: node });
  }

  /** One end closes in order: the other end hears of it, or notices the silence. */
  #close(node: NodeIndex, peer: NodeIndex): void {
    const connection = this.#connections.held(node, peer);
    if (connection === undefined) return;
    this.#expectSilence(peer, node);
    this.#tellClosed(node, peer, connection);
    this.#lose(node, peer, connection);
  }

  #tellClosed(node: NodeIndex, peer: NodeIndex, connection: number): void {
    if (this.network.isBlocked(node, peer)) return;
    const atMs = this.nowMs + this.network.latencyMs(node, peer);
    this.#queue.schedule(atMs, { type: "closed", node: peer, peer: node, connection });
  }

  #expectSilence(node: NodeIndex, peer: NodeIndex): void {
    const connection = this.#connections.held(node, peer);
    if (connection === undefined) return;
    const atMs = this.nowMs + this.#options.silenceMs;
    this.#queue.schedule(atMs, { type: "silence", node, peer, connection });
  }

  #breakBlocked(): void {
    for (let node = 0; node < this.size; node++) {
      for (const peer of this.peers(node)) {
        if (!this.network.isOpen(node, peer)) this.#expectSilence(node, peer);
      }
    }
  }

  /** One end gives a connection up. */
  #lose(node: NodeIndex, peer: NodeIndex, connection: number): void {
    if (!this.#connections.close(node, peer, connection)) return;
    this.#overlay.cut(node, peer);
    this.#overlay.graft(node, this.peers(node));
    this.#deliver(node, { kind: "disconnected", peer });
  }

  #recordEvent(node: NodeIndex, event: NodeEvent<D>): void {
    switch (event.kind) {
      case "datagram":
        this.#record("datagram", node, event.from, event.datagram.kind, event.datagram.number, 0);
        break;
      case "timer":
        this.#record("timer", node, NO_NODE, event.id, 0, 0);
        break;
      case "connected":
      case "disconnected":
      case "dial-failed":
        this.#record(event.kind, node, event.peer, "", 0, 0);
        break;
      default:
        this.#record(event.kind, node, NO_NODE, "", this.#slot(node).boots, 0);
    }
  }

  #record(
    kind: string,
    node: number,
    peer: number,
    detail: string,
    value: number,
    content: number,
  ): void {
    this.counts.events++;
    this.trace.record({ atMs: this.nowMs, kind, node, peer, detail, value, content });
  }

  #now(slot: Slot<D>): Now {
    return slot.clock.at(this.nowMs);
  }

  #slot(node: NodeIndex): Slot<D> {
    const slot = this.#slots[node];
    if (slot === undefined) {
      throw simError("sim/unknown-node", `There is no node ${node}: the world has ${this.size}.`);
    }
    return slot;
  }
}

function badOption(rule: string): MeshError<SimErrorCode> {
  return simError("sim/bad-option", `World option ${rule}.`);
}

function simError(code: SimErrorCode, message: string): MeshError<SimErrorCode> {
  return new MeshError(code, message);
}
