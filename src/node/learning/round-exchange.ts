// The messages of a task's rounds between this node and the other participants: gossip both ways, and what one lacks asked of
// another over a stream (its status goes out, messages come back, each as `uint32 length || bytes`).

import type { GossipDecision } from "../../adapters/libp2p/gossip.ts";
import type { Network } from "../../adapters/libp2p/network.ts";
import { ByteReader, concatBytes, uint32be } from "../../foundation/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { NodeIdentities } from "../identity-directory.ts";
import type { MachineLoop } from "./machine-loop.ts";

/** Answered by {@link RoundExchange.answer}. */
export const ROUND_SYNC_PROTOCOL = "/x0tta6bl4/fl-sync/1";
export const ROUND_SYNC_REQUEST_BYTES_MAX = 20 * 1024;
/** Two megabytes of messages, each with its length. */
const ANSWER_BYTES_MAX = 2 * 1024 * 1024 + 64 * 1024;
const TIMEOUT_MS = 10_000;

export interface RoundExchangeDeps {
  readonly network: Pick<
    Network,
    "isConnected" | "request" | "publish" | "subscribe" | "unsubscribe"
  >;
  readonly identities: NodeIdentities;
  readonly loop: MachineLoop;
  /** May this node take part in the rounds of a task? */
  readonly maySpeak: (nodeId: NodeId) => boolean;
  /** Work that may fail, and is tried again by the machine's repetitions. */
  readonly inBackground: (what: string, work: Promise<unknown>) => void;
}

export interface RoundExchangeOptions {
  readonly self: NodeId;
  readonly participants: readonly NodeId[];
  /** The gossip topic of the task's rounds. */
  readonly topic: string;
}

export class RoundExchange {
  readonly #deps: RoundExchangeDeps;
  readonly #options: RoundExchangeOptions;
  readonly #others: readonly NodeId[];

  constructor(deps: RoundExchangeDeps, options: RoundExchangeOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#others = options.participants.filter((nodeId) => nodeId !== options.self);
  }

  open(): void {
    const { topic } = this.#options;
    this.#deps.network.subscribe(topic, (from, bytes) =>
      Promise.resolve(this.#gossiped(from, bytes)),
    );
  }

  close(): void {
    this.#deps.network.unsubscribe(this.#options.topic);
  }

  publish(bytes: Uint8Array): Promise<void> {
    return this.#deps.network.publish(this.#options.topic, bytes);
  }

  /** What a participant with this status lacks of what this node has. */
  answer(status: Uint8Array): Uint8Array {
    const messages = this.#deps.loop.answer(status);
    return concatBytes(...messages.flatMap((message) => [uint32be(message.length), message]));
  }

  /**
   * Asks the participant, or another that is connected. Without an answer the machine is told nothing: it would ask again at
   * once, and for ever, a peer that is not there. Its own repetition asks another.
   * @throws MeshError as `Network.request`, and of an answer that breaks off
   */
  async sync(nodeId: NodeId, status: Uint8Array): Promise<void> {
    const { network, loop } = this.#deps;
    const asked = [nodeId, ...this.#others].find((id) => network.isConnected(id));
    if (asked === undefined) return;
    const answer = await network.request(asked, ROUND_SYNC_PROTOCOL, status, {
      timeoutMs: TIMEOUT_MS,
      responseBytesMax: ANSWER_BYTES_MAX,
    });
    if (answer.length === 0) return;
    const reader = new ByteReader(answer);
    while (reader.remaining > 0) loop.receive(reader.take(reader.uint32be()).slice());
    loop.handle({ kind: "synced", nodeId });
  }

  #gossiped(from: NodeId, bytes: Uint8Array): GossipDecision {
    const { loop, maySpeak } = this.#deps;
    const mayBring = this.#options.participants.includes(from) && maySpeak(from);
    const verdict = mayBring ? loop.receive(bytes.slice()) : undefined;
    if (verdict === undefined) return "ignore";
    if (verdict.verdict !== "accept" && verdict.code === "learning/unknown-identity")
      this.#learnIdentities(from);
    return verdict.verdict;
  }

  /** Whoever passed the message on has verified its author; the message comes again with the next sync. */
  #learnIdentities(from: NodeId): void {
    const { identities, inBackground } = this.#deps;
    for (const nodeId of this.#others)
      if (identities.lookup(nodeId) === undefined)
        inBackground("identity fetch", identities.fetch(nodeId, from));
  }
}
