// The world: nodes, their clocks and timers, the connections between them and the gossip over these, all
// driven by one queue from one seed. Everything that could depend on chance or order goes through the seeded
// streams and the queue, and every delivered event goes into the trace; so one seed is one history.

import { MeshError } from "../foundation/index.ts";
import { gossipDegree } from "../mesh/index.ts";
import type { Now } from "../ports/index.ts";
import { ConnectionTable, NO_CONNECTION } from "./connections.ts";
import { CpuSampler } from "./cpu-sampler.ts";
import type { SimErrorCode } from "./errors.ts";
import { EventQueue } from "./event-queue.ts";
import { GossipRouter } from "./gossip-router.ts";
import { LinkTable } from "./links.ts";
import { LOST, Network } from "./network.ts";
import type {
  Datagram,
  GossipMessage,
  NodeAction,
  NodeEvent,
  NodeIndex,
  ReceiveResult,
  SimNode,
} from "./node-types.ts";
import { SeededRandom } from "./random.ts";
import { NO_NODE, TraceDigest } from "./trace-digest.ts";
import { LARGE_MESSAGE_BYTES, Traffic, type TrafficKind } from "./traffic.ts";
import type { Usage } from "./usage.ts";
import { NodeClock } from "./virtual-clock.ts";
import { frameBytes } from "./wire-sizes.ts";
import type { Frame, WorldCounts, WorldEvent, WorldOptions } from "./world-types.ts";

/** Events at one instant after which the run is declared stuck. */
const INSTANT_EVENTS_MAX = 1_000_000;
/** A connection is up after a TCP handshake and three messages: this many one-way delays. */
const DIAL_ONE_WAYS = 5;
const NODES_MAX = 65_536;
/** Words of the trace. */
const VERDICT_WORDS = {
  accept: "gossip-accept",
  reject: "gossip-reject",
  ignore: "gossip-ignore",
  defer: "gossip-defer",
} as const satisfies Record<ReceiveResult<Datagram>["verdict"], string>;

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
  stalledUntilMs: number;
}

/** A world of nodes. After an error was thrown by a node, the world is only good for its trace. */
export class World<D extends Datagram> {
  readonly network: Network;
  readonly traffic: Traffic;
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
  readonly #options: Required<Omit<WorldOptions, "network" | "clockError" | "stopwatch">>;
  readonly #queue = new EventQueue<WorldEvent<D>>();
  readonly #slots: readonly Slot<D>[];
  readonly #links: LinkTable;
  readonly #connections: ConnectionTable;
  readonly #gossip: GossipRouter;
  readonly #cpu: CpuSampler;
  #tokens = 0;

  /** @throws MeshError `sim/bad-option` */
  constructor(deps: WorldDeps<D>, options: WorldOptions) {
    const { network, clockError, stopwatch, ...rest } = options;
    this.#cpu = new CpuSampler(stopwatch);
    this.#deps = deps;
    this.#options = {
      connectionsMax: 64,
      meshPeers: gossipDegree.target,
      lazyPeers: 6,
      isOffered: () => true,
      floodPublish: true,
      gossipHeartbeatMs: 1_000,
      silenceMs: 10_000,
      dialTimeoutMs: 5_000,
      seenMs: 60_000,
      bytesInTrace: true,
      ...rest,
    };
    const { nodes, seed, connectionsMax } = this.#options;
    if (!Number.isInteger(nodes) || nodes < 1 || nodes > NODES_MAX) {
      throw badOption(`nodes must be 1 to ${NODES_MAX}: current value is ${nodes}`);
    }
    this.random = SeededRandom.fromSeed(seed);
    this.#links = new LinkTable(nodes);
    this.network = new Network(this.#links, nodes, this.random.fork("network"), network);
    this.traffic = new Traffic(nodes);
    this.trace = new TraceDigest(deps.sha256);
    this.#connections = new ConnectionTable(this.#links, nodes, connectionsMax);
    const carrier = {
      clock: this.#queue,
      peers: (node: NodeIndex) => this.peers(node),
      carry: (from: NodeIndex, to: NodeIndex, payloadBytes: number, frame: Frame<D>) =>
        this.#carry(from, to, payloadBytes, frame),
    };
    this.#gossip = new GossipRouter(carrier, deps.sha256, this.random, this.#options);
    this.#slots = Array.from({ length: nodes }, (_, node) => ({
      clock: new NodeClock(clockError?.(node)),
      node: undefined,
      boots: 0,
      life: 0,
      timers: new Map<string, number>(),
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

  /** What all nodes together used so far. */
  get usage(): Usage {
    return { atMs: this.nowMs, ...this.traffic.totals, cpuMicros: this.#cpu.micros };
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
    if (slot.node === undefined) {
      // What was to start has no power to.
      slot.life++;
      return;
    }
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
      case "frame":
        if (this.#arrives(event)) this.#onFrame(event, slot);
        return;
      case "gossip-heartbeat": {
        if (slot.life !== event.life) return;
        this.#scheduleHeartbeat(event.node, slot);
        this.#gossip.heartbeat(event.node);
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
    this.#gossip.start(node);
    slot.node = this.#deps.spawn(node, slot.boots);
    this.#scheduleHeartbeat(node, slot);
    this.#deliver(node, { kind: "started" });
  }

  #scheduleHeartbeat(node: NodeIndex, { life }: Slot<D>): void {
    const atMs = this.nowMs + this.#options.gossipHeartbeatMs;
    this.#queue.schedule(atMs, { type: "gossip-heartbeat", node, life });
  }

  #vanish(node: NodeIndex, slot: Slot<D>): void {
    this.#gossip.drop(node);
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
    const begun = this.#cpu.begin();
    const actions = slot.node.handle(event, this.#now(slot));
    this.#cpu.end(begun);
    this.#apply(node, slot, actions);
  }

  #onFrame(event: WorldEvent<D> & { type: "frame" }, slot: Slot<D>): void {
    const { node, frame } = event;
    const from = this.#links.from(event.link);
    switch (frame.kind) {
      case "message":
        this.#receive(node, slot, from, frame.message);
        break;
      case "offer": {
        const wanted = this.#gossip.want(node, from, frame.messages);
        this.counts.wanted += wanted;
        this.#record("offer", node, from, "", wanted, 0);
        break;
      }
      case "want":
        this.#gossip.give(node, from, frame.messages);
        break;
      case "datagram":
        this.#deliver(node, { kind: "datagram", from, datagram: frame.datagram });
        break;
    }
  }

  #receive(node: NodeIndex, slot: Slot<D>, from: NodeIndex, message: GossipMessage): void {
    if (slot.node === undefined || !this.#gossip.isSubscribed(node, message.topic)) return;
    if (!this.#gossip.isNew(node, message)) {
      this.counts.repeated++;
      this.#record("repeat", node, from, message.topic, message.number, 0);
      return;
    }
    const begun = this.#cpu.begin();
    const result = slot.node.receive(message, from, this.#now(slot));
    this.#cpu.end(begun);
    const word = this.#options.bytesInTrace ? message.word : 0;
    this.#record(VERDICT_WORDS[result.verdict], node, from, result.code, message.number, word);
    if (result.verdict === "accept") this.counts.accepted++;
    if (result.verdict === "reject") this.counts.rejected++;
    if (result.verdict === "ignore") this.counts.ignored++;
    if (result.verdict === "accept") this.#gossip.push(node, message, from, slot.node);
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
        case "subscribe":
          this.#gossip.subscribe(node, action.topic);
          break;
        case "unsubscribe":
          this.#gossip.unsubscribe(node, action.topic);
          break;
        case "publish":
          this.counts.published++;
          this.#gossip.publish(node, action.topic, action.bytes);
          break;
        case "forward":
          this.counts.accepted++;
          this.#gossip.push(node, action.message, NO_NODE, slot.node);
          break;
        case "send":
          this.#carry(node, action.to, action.datagram.sizeBytes, {
            kind: "datagram",
            datagram: action.datagram,
          });
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

  /** Puts a frame on the connection that `from` believes it has to `to`; nothing without one. */
  #carry(from: NodeIndex, to: NodeIndex, payloadBytes: number, frame: Frame<D>): void {
    const link = this.#links.find(from, to);
    const connection = link === undefined ? NO_CONNECTION : this.#connections.on(link);
    if (link === undefined || connection === NO_CONNECTION) return;
    const bytes = frameBytes(payloadBytes);
    this.traffic.sent(from, bytes, kindOf(frame));
    const event = { type: "frame", node: to, link, connection, frameBytes: bytes, frame } as const;
    const atMs = this.network.transmit(link, bytes, this.nowMs);
    if (atMs === LOST) return;
    this.#queue.schedule(atMs, event);
    if (this.network.copyAtMs !== LOST) this.#queue.schedule(this.network.copyAtMs, event);
  }

  /** Whether a frame gets from the link into the node: an end that forgot the connection refuses it. */
  #arrives(event: WorldEvent<D> & { type: "frame" }): boolean {
    const { node, link, connection } = event;
    if (!this.network.landed(link) || !this.isUp(node)) return false;
    const from = this.#links.from(link);
    if (this.network.isCorrupted()) {
      this.#close(node, from);
      return false;
    }
    this.traffic.received(from, node, event.frameBytes);
    if (this.#connections.on(link ^ 1) === connection) return true;
    if (this.#connections.on(link) === connection) this.#tellClosed(node, from, connection);
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
      if (stale !== NO_CONNECTION) this.#lose(end, other, stale);
    }
    connections.open(node, peer);
    this.#gossip.connected(node, peer);
    this.#deliver(node, { kind: "connected", peer });
    this.#deliver(peer, { kind: "connected", peer: node });
  }

  /** One end closes in order: the other end hears of it, or notices the silence. */
  #close(node: NodeIndex, peer: NodeIndex): void {
    const connection = this.#connections.held(node, peer);
    if (connection === NO_CONNECTION) return;
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
    if (connection === NO_CONNECTION) return;
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
    this.#gossip.cut(node, peer);
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

function kindOf(frame: Frame<Datagram>): TrafficKind {
  if (frame.kind === "datagram") return "direct";
  if (frame.kind !== "message") return frame.kind;
  return frame.message.bytes.length < LARGE_MESSAGE_BYTES ? "small" : "large";
}

function badOption(rule: string): MeshError<SimErrorCode> {
  return simError("sim/bad-option", `World option ${rule}.`);
}

function simError(code: SimErrorCode, message: string): MeshError<SimErrorCode> {
  return new MeshError(code, message);
}
