// What incidents taught, between this node and the others: signed notices on a gossip topic of the mesh, so that one node's cure is
// every node's. What may come in and when something goes out, the desk says; here are keys, identities and the network.

import type { GossipDecision } from "../../adapters/libp2p/gossip.ts";
import { type CryptoEngine, ML_DSA_65, type MlDsaSigner } from "../../crypto/index.ts";
import { encodeNotice, type Incident, noticeContext, NoticeDesk } from "../../healing/index.ts";
import type { NodeId, PeerIdentity } from "../../identity/index.ts";
import type { Clock, Random } from "../../ports/index.ts";

export interface LessonsDeps {
  readonly engine: Pick<CryptoEngine, "mlDsa65">;
  readonly signer: MlDsaSigner;
  readonly self: NodeId;
  /** The boot counter. */
  readonly epoch: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly identities: {
    lookup(nodeId: NodeId): PeerIdentity | undefined;
    fetch(nodeId: NodeId, from: NodeId): Promise<boolean>;
  };
  /** Whether this node takes beacons of it, and so its lessons. */
  readonly allows: (spiffeId: string) => boolean;
  readonly publish: (bytes: Uint8Array) => Promise<void>;
  readonly onLesson: (nodeId: NodeId, incident: Incident) => void;
}

export class Lessons {
  readonly #deps: LessonsDeps;
  readonly #desk: NoticeDesk;
  #number = 0;

  constructor(deps: LessonsDeps) {
    this.#deps = deps;
    const { monoMs } = deps.clock.now();
    this.#desk = new NoticeDesk(deps.random, ML_DSA_65.signatureBytes, monoMs);
  }

  /** An own incident is over. */
  closed(incident: Incident): void {
    this.#desk.closed(incident, this.#deps.clock.now().monoMs);
  }

  /** Tells what is due. To be called every few seconds. */
  async tell(): Promise<void> {
    const { self, epoch, signer, clock, publish } = this.#deps;
    for (const incident of this.#desk.due(clock.now().monoMs)) {
      const body = { kind: "lesson", incident } as const;
      const notice = { nodeId: self, epoch, number: ++this.#number, body };
      await publish(encodeNotice(notice, (unsigned) => signer.sign(unsigned, noticeContext)));
    }
  }

  /** Judges a notice from gossip: the cheap first, the signature last. */
  async receive(from: NodeId, bytes: Uint8Array): Promise<GossipDecision> {
    const { engine, clock, identities, allows, onLesson } = this.#deps;
    const verdict = this.#desk.look(bytes, clock.now().monoMs);
    if (verdict.verdict !== "verify") return verdict.verdict;
    const { notice, signed, signature } = verdict;
    const nodeId = notice.nodeId as NodeId;
    if (notice.body.kind !== "lesson") return "reject";
    if (identities.lookup(nodeId) === undefined) await identities.fetch(nodeId, from);
    const author = identities.lookup(nodeId);
    if (author === undefined || !allows(author.spiffeId)) return "ignore";
    if (!engine.mlDsa65.verify(author.mldsa65, signed, signature, noticeContext)) return "reject";
    this.#desk.take(notice, clock.now().monoMs);
    onLesson(nodeId, notice.body.incident);
    return "accept";
  }
}
