// Binds the production mesh machine to the world: turns world events into the machine's events and its
// actions into the world's. It plays the part that the libp2p adapter plays in production: pings, pings on
// behalf of others, identity records, pulled beacons, redialling when it is alone. No protocol logic here.

import type { NodeId, PeerIdentity } from "../identity/index.ts";
import {
  type GossipVerdict,
  type MemberCause,
  type MemberState,
  type MeshAction,
  type MeshEvent,
  type MeshProtocol,
  type MeshTopic,
  NACK_SHARE,
  type StoredEvidence,
} from "../mesh/index.ts";
import type { Now } from "../ports/index.ts";
import { addressOf, type Census, type Inhabitant } from "./census.ts";
import { IDENTITY_BYTES, type MeshDatagram, SMALL_BYTES } from "./mesh-datagrams.ts";
import type {
  GossipMessage,
  NodeAction,
  NodeEvent,
  NodeIndex,
  ReceiveResult,
  SimNode,
} from "./node-types.ts";
import { Pending } from "./pending.ts";

type Action = NodeAction<MeshDatagram>;

/** Options of the driver. Times in milliseconds of the node's own clock. */
export interface MeshNodeOptions {
  /** The machine's `probeTimeoutMs`: at 80 % of it a helper gives up. */
  readonly probeTimeoutMs: number;
  /** When a question for an identity, asked thrice, is given up; its messages are then ignored. @default 3000 */
  readonly fetchTimeoutMs?: number;
  /**
   * Seeds that were never reached since boot are dialled this often, and all of them and the address book when there
   * is no connection at all: as a daemon does with its configured bootstrap peers and its own book. @default 5000
   */
  readonly seedRedialMs?: number;
}

/** What others want to know of a node, told as it happens. */
export interface MeshNodeObserver {
  memberChanged(
    observer: NodeIndex,
    subject: NodeId,
    from: MemberState | undefined,
    to: MemberState | undefined,
    cause: MemberCause,
  ): void;
  /** Bytes that the node accepted from others. */
  accepted(observer: NodeIndex, bytes: Uint8Array): void;
  /** Bytes of the node's own that it published. */
  published(node: NodeIndex, bytes: Uint8Array): void;
  /** What the node's disk is to say about another; undefined: nothing any more. */
  evidence(node: NodeIndex, subject: NodeId, statement: StoredEvidence | undefined): void;
  /** The node's boot counter must not fall below this from now on. */
  epochRaised(node: NodeIndex, epoch: number): void;
  /** The node is in another zone, and its disk knows it. */
  zoneChanged(node: NodeIndex, zone: string): void;
  /** A connection to another has come up. */
  met(node: NodeIndex, peer: NodeIndex): void;
}

export interface MeshNodeDeps {
  readonly self: Inhabitant;
  readonly census: Census;
  readonly machine: MeshProtocol;
  /** Verified identities of this node; the machine reads the same map. */
  readonly directory: Map<NodeId, PeerIdentity>;
  /** Whom to dial at start and when alone. */
  readonly seeds: readonly NodeIndex[];
  /** The address book: whom it met last, in this life and before, as its disk has it. Dialled when alone, too. */
  readonly book: ReadonlySet<NodeIndex>;
  readonly observer: MeshNodeObserver;
}

type Question =
  | { readonly kind: "ping"; readonly nodeId: NodeId; readonly askedAtMs: number }
  /** A ping on behalf of `asker`, who numbered his question `theirs`. */
  | { readonly kind: "ping-on-behalf"; readonly asker: NodeIndex; readonly theirs: number }
  | { readonly kind: "indirect"; readonly nodeId: NodeId; readonly asked: number; answers: number }
  | WhoIs
  | { readonly kind: "pull"; readonly from: NodeId };

interface WhoIs {
  readonly kind: "who-is";
  readonly nodeId: NodeId;
  readonly messages: WaitingMessage[];
  /** How often it was asked, this time included. */
  readonly times: number;
}

/** A message that waits for an identity; gossip is forwarded once it is accepted. */
interface WaitingMessage {
  readonly bytes: Uint8Array;
  readonly from: NodeId;
  readonly gossip: GossipMessage | undefined;
}

const QUESTIONS_MAX = 512;
/** Peers that are asked at once for everything. */
const RESYNC_PEERS = 3;
const WAITING_MAX = 16;
/** A daemon asks over a stream, which carries again what a network loses: here the question is asked again. */
const WHO_IS_TIMES = 3;
const DIRECTORY_MAX = 8_192;
const MACHINE_TIMER = "mesh:";
const QUESTION_TIMER = "question:";
const SEED_TIMER = "seeds";
/** A zone whose grace time is over. */
const LEAVE_TIMER = "leave:";
/** What is gossiped within a zone, and what in the whole mesh. */
const ZONE_TOPICS: readonly MeshTopic[] = ["state", "heartbeat"];
const MESH_TOPICS: readonly string[] = ["summary"];
const QUIET: ReceiveResult<MeshDatagram> = { verdict: "defer", code: "need-identity", actions: [] };

/** One mesh node of a world. */
export class MeshNode implements SimNode<MeshDatagram> {
  readonly machine: MeshProtocol;
  readonly #deps: MeshNodeDeps;
  readonly #options: Required<MeshNodeOptions>;
  readonly #index: NodeIndex;
  readonly #questions = new Pending<Question>(QUESTIONS_MAX);
  readonly #connected = new Set<NodeIndex>();
  /** Every peer that was connected since boot. */
  readonly #reached = new Set<NodeIndex>();
  readonly #banned = new Set<NodeId>();
  #stopped = false;

  constructor(deps: MeshNodeDeps, options: MeshNodeOptions) {
    this.machine = deps.machine;
    this.#deps = deps;
    this.#options = { fetchTimeoutMs: 3_000, seedRedialMs: 5_000, ...options };
    this.#index = deps.self.index;
  }

  handle(event: NodeEvent<MeshDatagram>, now: Now): readonly Action[] {
    const out: Action[] = [];
    switch (event.kind) {
      case "started":
        for (const topic of [...zoneTopics(this.machine.zone), ...MESH_TOPICS])
          out.push({ kind: "subscribe", topic });
        this.#tell({ kind: "started" }, now, out);
        this.#dialSeeds(out);
        break;
      case "stopping":
        this.#stopped = true;
        this.#tell({ kind: "stopping" }, now, out);
        break;
      case "timer":
        this.#onTimer(event.id, now, out);
        break;
      case "connected":
        this.#onConnected(event.peer, now, out);
        break;
      case "disconnected":
        if (this.#connected.delete(event.peer)) {
          this.#tell({ kind: "peer-disconnected", nodeId: this.#idOf(event.peer) }, now, out);
        }
        if (this.#connected.size === 0) this.#setSeedTimer(out);
        break;
      case "dial-failed":
        break;
      case "datagram":
        this.#onDatagram(event.from, event.datagram, now, out);
        break;
    }
    return out;
  }

  receive(message: GossipMessage, from: NodeIndex, now: Now): ReceiveResult<MeshDatagram> {
    const out: Action[] = [];
    const waiting = { bytes: message.bytes, from: this.#idOf(from), gossip: message };
    const verdict = this.#judge(waiting, now, out);
    if (verdict === undefined) return out.length === 0 ? QUIET : { ...QUIET, actions: out };
    return { verdict: verdict.verdict, code: verdict.code, actions: out };
  }

  passesOn(message: GossipMessage, to: NodeIndex): boolean {
    return this.machine.forwarding(message.bytes, this.#idOf(to)) !== "never";
  }

  /** Something that the node's beacon tells has changed: what traffic is made of. */
  localChanged(change: Omit<MeshEvent & { kind: "local-changed" }, "kind">, now: Now): Action[] {
    const out: Action[] = [];
    this.#tell({ kind: "local-changed", ...change }, now, out);
    return out;
  }

  /** Judges a proof that another protocol of this node found, as if a peer had brought it, and hands it on if it is new. */
  accuse(proof: Uint8Array, now: Now): Action[] {
    const out: Action[] = [];
    const from = this.#idOf(this.#index);
    const verdict = this.#judge({ bytes: proof, from, gossip: undefined }, now, out);
    const topic = topicOf(this.machine.zone, "summary");
    if (verdict?.verdict === "accept") out.push({ kind: "publish", topic, bytes: proof });
    return out;
  }

  /** Asks a few connected peers for all beacons that this node lacks, as a daemon does to heal itself. */
  resync(): Action[] {
    const out: Action[] = [];
    for (const peer of [...this.#connected].slice(0, RESYNC_PEERS))
      this.#pull(this.#idOf(peer), out);
    return out;
  }

  /** The machine's verdict, with its actions carried out; undefined while an identity is awaited. */
  #judge(
    message: WaitingMessage,
    now: Now,
    out: Action[],
  ): Exclude<GossipVerdict, { verdict: "need-identity" }> | undefined {
    const verdict = this.machine.receive(message.bytes, message.from, now);
    if (verdict.verdict === "need-identity") {
      this.#awaitIdentity(verdict.nodeId, message, out);
      return undefined;
    }
    if (verdict.verdict === "accept") this.#deps.observer.accepted(this.#index, message.bytes);
    this.#carryOut(verdict.actions, now, out);
    return verdict;
  }

  #tell(event: MeshEvent, now: Now, out: Action[]): void {
    this.#carryOut(this.machine.handle(event, now), now, out);
  }

  #carryOut(actions: readonly MeshAction[], now: Now, out: Action[]): void {
    for (const action of actions) {
      switch (action.kind) {
        case "publish":
          // A copy for the zone that the node is leaving is no message of its own.
          if (action.zone === undefined) this.#deps.observer.published(this.#index, action.bytes);
          out.push({
            kind: "publish",
            topic: topicOf(action.zone ?? this.machine.zone, action.topic),
            bytes: action.bytes,
          });
          break;
        case "set-timer":
          out.push({ ...action, id: MACHINE_TIMER + action.id });
          break;
        case "probe":
          this.#probe(action, now, out);
          break;
        case "probe-via":
          this.#probeVia(action, now, out);
          break;
        case "dial":
          this.#dial(action, out);
          break;
        case "disconnect":
          if (action.code === "mesh/quarantined") this.#banned.add(action.nodeId);
          this.#hangUp(action.nodeId, out);
          break;
        case "pull-beacons":
          this.#pull(action.nodeId, out);
          break;
        case "zone-changed":
          this.#deps.observer.zoneChanged(this.#index, action.to);
          for (const topic of zoneTopics(action.to)) out.push({ kind: "subscribe", topic });
          out.push({
            kind: "set-timer",
            id: LEAVE_TIMER + action.from,
            delayMs: action.graceMs,
          });
          break;
        case "evidence":
          this.#deps.observer.evidence(this.#index, action.nodeId, action.statement);
          break;
        case "epoch-raised":
          this.#deps.observer.epochRaised(this.#index, action.epoch);
          break;
        case "member-changed":
          if (action.to !== "quarantined" && action.to !== "left")
            this.#banned.delete(action.nodeId);
          this.#deps.observer.memberChanged(
            this.#index,
            action.nodeId,
            action.from,
            action.to,
            action.cause,
          );
          break;
      }
    }
  }

  #onTimer(id: string, now: Now, out: Action[]): void {
    if (id.startsWith(MACHINE_TIMER)) {
      const timer = id.slice(MACHINE_TIMER.length);
      this.#tell({ kind: "timer", id: timer } as MeshEvent & { kind: "timer" }, now, out);
    } else if (id.startsWith(LEAVE_TIMER)) {
      const zone = id.slice(LEAVE_TIMER.length);
      if (zone === this.machine.zone) return;
      for (const topic of zoneTopics(zone)) out.push({ kind: "unsubscribe", topic });
    } else if (id === SEED_TIMER) {
      this.#dialSeeds(out);
    } else {
      this.#onNoAnswer(this.#questions.settle(Number(id.slice(QUESTION_TIMER.length))), now, out);
    }
  }

  #onConnected(peer: NodeIndex, now: Now, out: Action[]): void {
    const { identity } = this.#deps.census.at(peer);
    if (this.#banned.has(identity.nodeId)) {
      out.push({ kind: "disconnect", to: peer });
      return;
    }
    this.#connected.add(peer);
    this.#reached.add(peer);
    this.#deps.observer.met(this.#index, peer);
    this.#learn(identity);
    const addresses = [addressOf(peer)];
    this.#tell({ kind: "peer-connected", peer: identity, addresses }, now, out);
  }

  #onDatagram(from: NodeIndex, datagram: MeshDatagram, now: Now, out: Action[]): void {
    const { number } = datagram;
    switch (datagram.kind) {
      case "ping": {
        if (datagram.suspect)
          this.#tell({ kind: "suspected-by", nodeId: this.#idOf(from) }, now, out);
        this.#send(from, { kind: "pong", number, sizeBytes: SMALL_BYTES }, out);
        return;
      }
      case "pong": {
        this.#onPong(number, now, out);
        return;
      }
      case "ping-for": {
        this.#onPingFor(from, number, datagram.target, out);
        return;
      }
      case "ping-for-result": {
        this.#onIndirect(number, datagram.alive, now, out);
        return;
      }
      case "who-is": {
        const identity = this.#lookup(datagram.nodeId);
        const sizeBytes = identity === undefined ? SMALL_BYTES : IDENTITY_BYTES;
        this.#send(from, { kind: "identity", number, identity, sizeBytes }, out);
        return;
      }
      case "identity": {
        this.#onIdentity(number, datagram.identity, now, out);
        return;
      }
      case "pull": {
        const beacons = this.machine.beaconsMissingFrom(datagram.digest);
        const sizeBytes = beacons.reduce((sum, bytes) => sum + bytes.length, SMALL_BYTES);
        this.#send(from, { kind: "beacons", number, beacons, sizeBytes }, out);
        return;
      }
      case "beacons": {
        const question = this.#questions.settle(number);
        if (question?.kind !== "pull") return;
        out.push({ kind: "clear-timer", id: QUESTION_TIMER + String(number) });
        for (const bytes of datagram.beacons) {
          this.#judge({ bytes, from: question.from, gossip: undefined }, now, out);
        }
        return;
      }
      case "fl-sync":
      case "fl-lacking":
      case "fl-want":
      case "fl-content":
        // The participant beside this node takes these.
        return;
    }
  }

  #probe(
    { nodeId, timeoutMs, suspect }: MeshAction & { kind: "probe" },
    now: Now,
    out: Action[],
  ): void {
    const peer = this.#peerOf(nodeId);
    if (peer === undefined) {
      this.#tell({ kind: "probe-failed", nodeId }, now, out);
      return;
    }
    const question: Question = { kind: "ping", nodeId, askedAtMs: now.monoMs };
    const number = this.#ask(question, timeoutMs, out);
    this.#send(peer, { kind: "ping", number, suspect, sizeBytes: SMALL_BYTES }, out);
  }

  #probeVia(
    { nodeId, via, timeoutMs }: MeshAction & { kind: "probe-via" },
    now: Now,
    out: Action[],
  ): void {
    const helpers = via.map((id) => this.#peerOf(id)).filter((peer) => peer !== undefined);
    if (helpers.length === 0) {
      this.#tell({ kind: "indirect-probe-result", nodeId, alive: false, answers: 0 }, now, out);
      return;
    }
    const question: Question = { kind: "indirect", nodeId, asked: helpers.length, answers: 0 };
    const number = this.#ask(question, timeoutMs, out);
    for (const helper of helpers) {
      this.#send(helper, { kind: "ping-for", number, target: nodeId, sizeBytes: SMALL_BYTES }, out);
    }
  }

  #onPingFor(asker: NodeIndex, theirs: number, target: NodeId, out: Action[]): void {
    const peer = this.#peerOf(target);
    if (peer === undefined) {
      this.#report(asker, theirs, false, out);
      return;
    }
    const question: Question = { kind: "ping-on-behalf", asker, theirs };
    const number = this.#ask(question, NACK_SHARE * this.#options.probeTimeoutMs, out);
    this.#send(peer, { kind: "ping", number, suspect: false, sizeBytes: SMALL_BYTES }, out);
  }

  #onPong(number: number, now: Now, out: Action[]): void {
    const question = this.#questions.peek(number);
    if (question?.kind !== "ping" && question?.kind !== "ping-on-behalf") return;
    this.#settle(number, out);
    if (question.kind === "ping-on-behalf") {
      this.#report(question.asker, question.theirs, true, out);
      return;
    }
    const rttMs = now.monoMs - question.askedAtMs;
    this.#tell({ kind: "rtt", nodeId: question.nodeId, rttMs }, now, out);
  }

  #onIndirect(number: number, alive: boolean, now: Now, out: Action[]): void {
    const question = this.#questions.peek(number);
    if (question?.kind !== "indirect") return;
    const { nodeId, asked } = question;
    const answers = ++question.answers;
    if (!alive && answers < asked) return;
    this.#settle(number, out);
    this.#tell({ kind: "indirect-probe-result", nodeId, alive, answers }, now, out);
  }

  #onNoAnswer(question: Question | undefined, now: Now, out: Action[]): void {
    if (question?.kind === "ping") {
      this.#tell({ kind: "probe-failed", nodeId: question.nodeId }, now, out);
    } else if (question?.kind === "ping-on-behalf") {
      this.#report(question.asker, question.theirs, false, out);
    } else if (question?.kind === "indirect") {
      const { nodeId, answers } = question;
      this.#tell({ kind: "indirect-probe-result", nodeId, alive: false, answers }, now, out);
    } else if (question?.kind === "who-is" && question.times < WHO_IS_TIMES) {
      this.#whoIs({ ...question, times: question.times + 1 }, out);
    }
  }

  #report(asker: NodeIndex, number: number, alive: boolean, out: Action[]): void {
    this.#send(asker, { kind: "ping-for-result", number, alive, sizeBytes: SMALL_BYTES }, out);
  }

  /** Asks the peer that brought the message who its author is; one question an author at a time. */
  #awaitIdentity(nodeId: NodeId, message: WaitingMessage, out: Action[]): void {
    for (const open of this.#questions.values()) {
      if (open.kind === "who-is" && open.nodeId === nodeId) {
        if (open.messages.length < WAITING_MAX) open.messages.push(message);
        return;
      }
    }
    this.#whoIs({ kind: "who-is", nodeId, messages: [message], times: 1 }, out);
  }

  /** Asks one of those that brought a message; another one each time, if there are more. */
  #whoIs(question: WhoIs, out: Action[]): void {
    const { nodeId, messages, times } = question;
    const peers = new Set(messages.map(({ from }) => this.#peerOf(from)));
    peers.delete(undefined);
    const peer = [...peers][(times - 1) % peers.size];
    if (peer === undefined) return;
    const number = this.#ask(question, this.#options.fetchTimeoutMs / WHO_IS_TIMES, out);
    this.#send(peer, { kind: "who-is", number, nodeId, sizeBytes: SMALL_BYTES }, out);
  }

  #onIdentity(number: number, identity: PeerIdentity | undefined, now: Now, out: Action[]): void {
    const question = this.#questions.peek(number);
    if (question?.kind !== "who-is") return;
    this.#settle(number, out);
    if (identity?.nodeId !== question.nodeId || !this.#deps.census.isGenuine(identity)) return;
    this.#learn(identity);
    for (const message of question.messages) {
      const verdict = this.#judge(message, now, out);
      if (verdict?.verdict === "accept" && message.gossip !== undefined) {
        out.push({ kind: "forward", message: message.gossip });
      }
    }
  }

  #pull(nodeId: NodeId, out: Action[]): void {
    const peer = this.#peerOf(nodeId);
    if (peer === undefined) return;
    const digest = this.machine.beaconDigest();
    const number = this.#ask({ kind: "pull", from: nodeId }, this.#options.fetchTimeoutMs, out);
    this.#send(peer, { kind: "pull", number, digest, sizeBytes: SMALL_BYTES + digest.length }, out);
  }

  #dial(action: MeshAction & { kind: "dial" }, out: Action[]): void {
    const target = this.#deps.census.find(action.nodeId);
    if (target === undefined || this.#banned.has(action.nodeId)) return;
    // A node is where its beacon says, or nowhere.
    if (action.addresses.includes(addressOf(target.index)))
      out.push({ kind: "dial", to: target.index });
  }

  #hangUp(nodeId: NodeId, out: Action[]): void {
    const peer = this.#peerOf(nodeId);
    if (peer !== undefined) out.push({ kind: "disconnect", to: peer });
  }

  #dialSeeds(out: Action[]): void {
    if (this.#stopped) return;
    const { seeds, book } = this.#deps;
    const unreached = seeds.filter((seed) => !this.#reached.has(seed));
    const wanted = this.#connected.size === 0 ? new Set([...seeds, ...book]) : new Set(unreached);
    for (const to of wanted) out.push({ kind: "dial", to });
    if (wanted.size > 0) this.#setSeedTimer(out);
  }

  #setSeedTimer(out: Action[]): void {
    if (this.#stopped) return;
    out.push({ kind: "set-timer", id: SEED_TIMER, delayMs: this.#options.seedRedialMs });
  }

  #ask(question: Question, timeoutMs: number, out: Action[]): number {
    const { number, dropped } = this.#questions.ask(question);
    if (dropped !== undefined)
      out.push({ kind: "clear-timer", id: QUESTION_TIMER + String(dropped) });
    out.push({ kind: "set-timer", id: QUESTION_TIMER + String(number), delayMs: timeoutMs });
    return number;
  }

  #settle(number: number, out: Action[]): void {
    this.#questions.settle(number);
    out.push({ kind: "clear-timer", id: QUESTION_TIMER + String(number) });
  }

  #send(to: NodeIndex, datagram: MeshDatagram, out: Action[]): void {
    out.push({ kind: "send", to, datagram });
  }

  #learn(identity: PeerIdentity): void {
    if (this.#deps.directory.size < DIRECTORY_MAX)
      this.#deps.directory.set(identity.nodeId, identity);
  }

  #lookup(nodeId: NodeId): PeerIdentity | undefined {
    const { self, directory } = this.#deps;
    // The own one from the census: it may have been renewed.
    if (nodeId === self.identity.nodeId) return this.#deps.census.at(self.index).identity;
    return directory.get(nodeId);
  }

  /** The connected peer with this node id. */
  #peerOf(nodeId: NodeId): NodeIndex | undefined {
    const index = this.#deps.census.find(nodeId)?.index;
    return index !== undefined && this.#connected.has(index) ? index : undefined;
  }

  #idOf(peer: NodeIndex): NodeId {
    return this.#deps.census.at(peer).identity.nodeId;
  }
}

/** Heartbeats are no part of lazy gossip: the next one comes sooner than an answer. */
export function isOffered(topic: string): boolean {
  return !topic.endsWith("/heartbeat");
}

/** The gossip topic of the world for a topic of the machine. */
function topicOf(zone: string, topic: string): string {
  return MESH_TOPICS.includes(topic) ? topic : `${zone}/${topic}`;
}

/** The topics of a zone. */
function zoneTopics(zone: string): string[] {
  return ZONE_TOPICS.map((topic) => topicOf(zone, topic));
}
