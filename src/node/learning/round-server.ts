// What this node serves of certified rounds to the other participants: messages that they lack, and updates and models in chunks.

import { CONTENT_PROTOCOL, offerContent } from "../../adapters/libp2p/content-exchange.ts";
import type { Network } from "../../adapters/libp2p/network.ts";
import type { NodeId, PeerIdentity } from "../../identity/index.ts";
import type { AuthenticatedPeer } from "../../handshake/index.ts";
import type { CertifiedRun } from "./certified-run.ts";
import { ROUND_SYNC_PROTOCOL, ROUND_SYNC_REQUEST_BYTES_MAX } from "./round-exchange.ts";

/** Contents that are given away at once, in all and to one peer: each may take a megabyte of the streams' windows. */
const OFFERS_MAX = 16;
const OFFERS_PER_PEER_MAX = 4;

export interface RoundServerDeps {
  readonly network: Pick<Network, "serve" | "handleStreams">;
  /** Tasks with certified rounds that run here or ended lately. */
  readonly runs: () => Iterable<CertifiedRun>;
  /** @throws MeshError `learning/not-allowed` when it may not train, or is nobody of the mesh */
  readonly requireTrainer: (identity: PeerIdentity | undefined) => NodeId;
  /** A participant of a task that this node serves was here. */
  readonly seen: (nodeId: NodeId, taskId: string) => void;
}

export class RoundServer {
  readonly #deps: RoundServerDeps;
  #offers = 0;

  constructor(deps: RoundServerDeps) {
    this.#deps = deps;
  }

  /** @param relayed whether models may go through relays */
  async start(relayed: boolean): Promise<void> {
    const { network, requireTrainer } = this.#deps;
    await network.serve(
      ROUND_SYNC_PROTOCOL,
      { requestBytesMax: ROUND_SYNC_REQUEST_BYTES_MAX, streamsPerPeerMax: 2, relayed },
      (peer, status) => Promise.resolve(this.#answer(requireTrainer(identityOf(peer)), status)),
    );
    const limits = { streamsPerPeerMax: OFFERS_PER_PEER_MAX, relayed };
    await network.handleStreams(CONTENT_PROTOCOL, limits, async (peer, stream) => {
      const nodeId = requireTrainer(peer);
      this.#offers++;
      try {
        await offerContent(stream, ({ taskId, content }) => {
          const run = this.#runsOf(nodeId).find(({ task }) => task.taskId === taskId);
          if (run === undefined) return "absent";
          if (this.#offers > OFFERS_MAX) return "busy";
          const held = run.held(content.digest);
          return held?.bytes.length === content.bytes ? held : "absent";
        });
      } finally {
        this.#offers--;
      }
    });
  }

  #answer(nodeId: NodeId, status: Uint8Array): Uint8Array {
    for (const run of this.#runsOf(nodeId)) {
      this.#deps.seen(nodeId, run.task.taskId);
      const answer = run.answerSync(status);
      if (answer.length > 0) return answer;
    }
    return new Uint8Array(0);
  }

  #runsOf(nodeId: NodeId): CertifiedRun[] {
    return [...this.#deps.runs()].filter(({ task }) => task.participants.includes(nodeId));
  }
}

/** Whom the mesh knows the peer as; `undefined` of one that is only joining. */
export function identityOf(peer: AuthenticatedPeer): PeerIdentity | undefined {
  return peer.kind === "svid" ? peer.identity : undefined;
}
