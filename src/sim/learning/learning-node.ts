// A node that takes part in a training task beside what it is in the mesh: its participant's messages go over the node's
// gossip and connections. While a lie is on, it is told here to others: withheld and late contents, contradictions, replays.

import type { NodeId } from "../../identity/index.ts";
import { encodeForeignProof } from "../../mesh/index.ts";
import type { Now } from "../../ports/index.ts";
import type { Census } from "../census.ts";
import type { MeshDatagram } from "../mesh-datagrams.ts";
import type {
  Datagram,
  GossipMessage,
  NodeAction,
  NodeEvent,
  NodeIndex,
  ReceiveResult,
  SimNode,
} from "../node-types.ts";
import { hash32, hashWords } from "../random.ts";
import { isLearning, type LearningDatagram } from "./learning-datagrams.ts";
import type { LearningLies, ParticipantSetting } from "./learning-types.ts";
import { Participant, type ParticipantPort } from "./participant.ts";

type Action = NodeAction<MeshDatagram>;
type Message = Omit<Datagram, "kind"> & LearningDatagram;

const TOPIC = "learning";
const TIMER = "fl/";
const BEGIN = "begin";
const REPLAY = "replay";
const REPLAY_INTERVAL_MS = 1_000;
/** Messages of others that a liar keeps, and how old they are when it says them again: forgotten by every seen-cache. */
const COLLECTED_MAX = 4_096;
const REPLAYED_AFTER_MS = 20_000;
/** Datagrams that wait for one connection, and answers that a liar holds back. */
const WAITING_MAX = 64;
const SMALL_BYTES = 48;

export interface LearningNodeParts {
  readonly node: NodeIndex;
  /** The node's part in the mesh. */
  readonly inner: SimNode<MeshDatagram>;
  /** Of the participant's machines; an honest one has one. */
  readonly twins: readonly ParticipantSetting[];
  readonly lies: LearningLies;
  readonly census: Census;
  readonly beginInMs: number;
  /** Tells the node's part in the mesh of a proof. */
  readonly accuse: (proof: Uint8Array, now: Now) => readonly Action[];
  readonly peers: () => readonly NodeIndex[];
  /** True time. */
  readonly nowMs: () => number;
}

/** A node with a participant. */
export class LearningNode implements SimNode<MeshDatagram> {
  readonly #parts: LearningNodeParts;
  readonly #twins: readonly Participant[];
  readonly #waiting = new Map<NodeIndex, Message[]>();
  readonly #heldBack = new Map<number, { readonly to: NodeIndex; readonly datagram: Message }>();
  readonly #collected: { readonly atMs: number; readonly bytes: Uint8Array }[] = [];
  #numbers = 0;
  readonly #accused: Uint8Array[] = [];
  #out: Action[] = [];

  constructor(parts: LearningNodeParts) {
    this.#parts = parts;
    this.#twins = parts.twins.map((setting, twin) => new Participant(setting, this.#port(twin)));
  }

  handle(event: NodeEvent<MeshDatagram>, now: Now): readonly Action[] {
    if (event.kind === "timer" && event.id.startsWith(TIMER)) {
      this.#timer(event.id.slice(TIMER.length), now);
    } else if (event.kind === "datagram" && isLearning(event.datagram)) {
      this.#datagram(event.from, event.datagram, now);
    } else {
      this.#out.push(...this.#parts.inner.handle(event, now));
      this.#beside(event);
    }
    return this.#flush(now);
  }

  receive(message: GossipMessage, from: NodeIndex, now: Now): ReceiveResult<MeshDatagram> {
    if (message.topic !== TOPIC) return this.#parts.inner.receive(message, from, now);
    this.#collect(message.bytes);
    const verdicts = this.#twins.map((twin) => twin.receive(message.bytes, now));
    const verdict = verdicts.find((one) => one?.verdict === "accept") ?? verdicts[0];
    const code =
      verdict === undefined
        ? "not-begun"
        : verdict.verdict === "accept"
          ? verdict.kind
          : verdict.code;
    return { verdict: verdict?.verdict ?? "ignore", code, actions: this.#flush(now) };
  }

  passesOn(message: GossipMessage, to: NodeIndex): boolean {
    return this.#parts.inner.passesOn(message, to);
  }

  #flush(now: Now): readonly Action[] {
    for (const proof of this.#accused.splice(0)) this.#out.push(...this.#parts.accuse(proof, now));
    const actions = this.#out;
    this.#out = [];
    return actions;
  }

  /** What else the node does when its part in the mesh starts, stops, is connected. */
  #beside(event: NodeEvent<MeshDatagram>): void {
    if (event.kind === "started") {
      this.#out.push({ kind: "subscribe", topic: TOPIC });
      this.#setTimer(BEGIN, this.#parts.beginInMs);
      if (this.#parts.lies.liars.has(this.#parts.node)) this.#setTimer(REPLAY, REPLAY_INTERVAL_MS);
    } else if (event.kind === "stopping") {
      for (const twin of this.#twins) twin.stop();
    } else if (event.kind === "connected") {
      for (const datagram of this.#waiting.get(event.peer) ?? []) this.#send(event.peer, datagram);
      this.#waiting.delete(event.peer);
    } else if (event.kind === "dial-failed") this.#waiting.delete(event.peer);
  }

  #timer(id: string, now: Now): void {
    const [first = "", ...rest] = id.split("/");
    if (first === BEGIN) for (const twin of this.#twins) twin.begin(now);
    else if (first === REPLAY) this.#replay();
    else if (first === "serve") this.#serve(Number(rest[0]));
    else this.#twins[Number(first)]?.timer(rest.join("/"), now);
  }

  #setTimer(id: string, delayMs: number): void {
    this.#out.push({ kind: "set-timer", id: TIMER + id, delayMs });
  }

  #datagram(from: NodeIndex, datagram: MeshDatagram & Message, now: Now): void {
    const { number } = datagram;
    switch (datagram.kind) {
      case "fl-sync": {
        const messages = this.#twins[0]?.lacking(datagram.status) ?? [];
        const sizeBytes = messages.reduce((sum, bytes) => sum + bytes.length, SMALL_BYTES);
        this.#send(from, { kind: "fl-lacking", number, messages, sizeBytes });
        return;
      }
      case "fl-want":
        this.#give(from, number, datagram.content);
        return;
      case "fl-lacking":
      case "fl-content":
        for (const twin of this.#twins) twin.answered(datagram, now);
        return;
    }
  }

  /** Hands a content out; a liar not, or not while anybody waits for it. */
  #give(to: NodeIndex, number: number, content: string): void {
    const { node, lies } = this.#parts;
    const withheld = lies.active(node, "withhold");
    if (withheld !== undefined) {
      const isChosen = hashWords(node, to, hash32(content)) / 2 ** 32 < withheld.share;
      if (isChosen) lies.did("withhold", node);
      if (isChosen) return;
    }
    const bytes = this.#twins.map((twin) => twin.content(content)).find((one) => one !== undefined);
    const sizeBytes = SMALL_BYTES + (bytes?.length ?? 0);
    const datagram: Message = { kind: "fl-content", number, bytes, sizeBytes };
    const slow = lies.active(node, "slow_loris");
    if (slow === undefined) {
      this.#send(to, datagram);
      return;
    }
    lies.did("slow_loris", node);
    if (this.#heldBack.size >= WAITING_MAX) return;
    const place = ++this.#numbers;
    this.#heldBack.set(place, { to, datagram });
    this.#setTimer(`serve/${place}`, slow.pause);
  }

  #serve(place: number): void {
    const late = this.#heldBack.get(place);
    this.#heldBack.delete(place);
    if (late !== undefined) this.#send(late.to, late.datagram);
  }

  #send(to: NodeIndex, datagram: Message): void {
    this.#out.push({ kind: "send", to, datagram });
  }

  #sendOrDial(to: NodeIndex, datagram: Message): void {
    if (this.#parts.peers().includes(to)) {
      this.#send(to, datagram);
      return;
    }
    const waiting = this.#waiting.get(to) ?? [];
    this.#waiting.set(to, waiting);
    if (waiting.length < WAITING_MAX) waiting.push(datagram);
    this.#out.push({ kind: "dial", to });
  }

  #port(twin: number): ParticipantPort {
    const { census, peers } = this.#parts;
    const indexOf = (nodeId: string): NodeIndex | undefined => census.find(nodeId as NodeId)?.index;
    return {
      publish: (bytes) => this.#publish(twin, bytes),
      send: (to, datagram) => {
        const index = indexOf(to);
        if (index !== undefined) this.#sendOrDial(index, datagram);
      },
      firstConnected: (of) => {
        const connected = new Set(peers());
        return of.find((nodeId) => connected.has(indexOf(nodeId) ?? -1));
      },
      setTimer: (id, delayMs) => this.#setTimer(`${twin}/${id}`, delayMs),
      clearTimer: (id) => this.#out.push({ kind: "clear-timer", id: `${TIMER}${twin}/${id}` }),
      accuse: (evidence) => this.#accused.push(encodeForeignProof(evidence)),
      number: () => ++this.#numbers,
    };
  }

  /** A second machine of the same participant is heard only while it is to be. */
  #publish(twin: number, bytes: Uint8Array): void {
    const { node, lies } = this.#parts;
    if (twin > 0) {
      const flood = lies.active(node, "flood_updates");
      const isFlooding = flood !== undefined && twin < flood.factor;
      const isContradicting = twin < 2 && lies.active(node, "contradict") !== undefined;
      if (!isFlooding && !isContradicting) return;
      lies.did(isFlooding ? "flood_updates" : "contradict", node);
    }
    this.#out.push({ kind: "publish", topic: TOPIC, bytes });
  }

  #collect(bytes: Uint8Array): void {
    const { node, lies, nowMs } = this.#parts;
    if (!lies.liars.has(node)) return;
    this.#collected.push({ atMs: nowMs(), bytes });
    if (this.#collected.length > COLLECTED_MAX) this.#collected.shift();
  }

  #replay(): void {
    const { node, lies, nowMs } = this.#parts;
    const { per_second: count = 0 } = lies.active(node, "replay_rounds") ?? {};
    for (let left = count; left > 0; left--) {
      const [oldest] = this.#collected;
      if (oldest === undefined || nowMs() - oldest.atMs < REPLAYED_AFTER_MS) break;
      this.#collected.shift();
      lies.did("replay_rounds", node);
      this.#out.push({ kind: "publish", topic: TOPIC, bytes: oldest.bytes });
    }
    this.#setTimer(REPLAY, REPLAY_INTERVAL_MS);
  }
}
