// How a new bundle reaches every node: whoever takes one compares with all its peers, as do two nodes that connect. A bundle
// carries the signature of a root, so it may come from anybody, and a node never goes back to an older one.
//
// request and answer: uint64 sequence of the sender's bundle, then, when it is newer than the other's, the signed bundle.

import type { Network } from "../../adapters/libp2p/network.ts";
import { ByteReader, concatBytes, errorCode, uint64be } from "../../foundation/index.ts";
import type { NodeId, PeerIdentity } from "../../identity/index.ts";
import type { Logger, Random } from "../../ports/index.ts";
import type { HeldBundle } from "./held-bundle.ts";

export const BUNDLE_PROTOCOL = "/x0tta6bl4/bundle/1";
/** The sequence and the longest signed bundle. */
export const BUNDLE_MESSAGE_BYTES_MAX = 112 * 1024;
const TIMEOUT_MS = 5_000;
/** How often one of the peers is compared with, in case that a push was lost with its connection. */
const COMPARE_MS = 30_000;

export interface BundleSpreadDeps {
  readonly held: HeldBundle;
  readonly self: NodeId;
  readonly random: Pick<Random, "fraction">;
  readonly logger: Logger;
  readonly peers: () => readonly Pick<PeerIdentity, "nodeId">[];
  readonly request: Network["request"];
}

export class BundleSpread {
  readonly #deps: BundleSpreadDeps;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: BundleSpreadDeps) {
    this.#deps = deps;
    deps.held.onChange(() => this.#compareWithAll());
  }

  start(): void {
    this.#timer = setInterval(() => {
      const peers = this.#deps.peers();
      const peer = peers[Math.floor(this.#deps.random.fraction() * peers.length)];
      if (peer !== undefined) void this.tell(peer.nodeId);
    }, COMPARE_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Two nodes have met: one of them begins. */
  met(peer: NodeId): void {
    if (this.#deps.self < peer) void this.tell(peer);
  }

  /** Answers a peer's message. @throws MeshError as {@link HeldBundle.offer}, `bytes/truncated` */
  answer(message: Uint8Array): Uint8Array {
    return this.#messageFor(this.#take(message));
  }

  /** Both have the newer of the two bundles when it resolves. @throws MeshError `network/*`, as {@link HeldBundle.offer} */
  async compareWith(peer: NodeId): Promise<void> {
    const theirs = this.#take(await this.#send(peer, uint64be(this.#deps.held.bundle.sequence)));
    if (theirs < this.#deps.held.bundle.sequence && this.#deps.held.signed !== undefined)
      await this.#send(peer, this.#messageFor(theirs));
  }

  /** What a message brings is taken; the sequence that its sender has. */
  #take(message: Uint8Array): number {
    const reader = new ByteReader(message);
    const sequence = reader.uint64be();
    if (reader.remaining > 0) this.#deps.held.offer(reader.take(reader.remaining));
    return sequence;
  }

  #messageFor(theirSequence: number): Uint8Array {
    const { bundle, signed } = this.#deps.held;
    const isNewer = bundle.sequence > theirSequence && signed !== undefined;
    return concatBytes(uint64be(bundle.sequence), ...(isNewer ? [signed] : []));
  }

  #compareWithAll(): void {
    for (const { nodeId } of this.#deps.peers()) void this.tell(nodeId);
  }

  /** As {@link compareWith}, and never throws. */
  async tell(peer: NodeId): Promise<void> {
    try {
      await this.compareWith(peer);
    } catch (error) {
      this.#deps.logger.debug({ code: errorCode(error), peer }, "bundles not compared");
    }
  }

  #send(peer: NodeId, message: Uint8Array): Promise<Uint8Array> {
    return this.#deps.request(peer, BUNDLE_PROTOCOL, message, {
      timeoutMs: TIMEOUT_MS,
      responseBytesMax: BUNDLE_MESSAGE_BYTES_MAX,
    });
  }
}
