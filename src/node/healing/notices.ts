// What nodes tell one another about healing: signed notices on a gossip topic of the mesh. What may come in and when something goes
// out, the desk says; here are keys, identities and the network.

import { type CryptoEngine, ML_DSA_65, type MlDsaSigner } from "../../crypto/index.ts";
import {
  type Incident,
  meterNotice,
  type NoticeBody,
  noticeContext,
  NoticeDesk,
  type NoticeVerdict,
} from "../../healing/index.ts";
import type { NodeId, PeerIdentity } from "../../identity/index.ts";
import type { Clock, Meter, Random } from "../../ports/index.ts";

export interface NoticesDeps {
  readonly engine: Pick<CryptoEngine, "mlDsa65">;
  readonly signer: MlDsaSigner;
  readonly self: NodeId;
  /** The boot counter. */
  readonly epoch: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly meter: Meter;
  readonly identities: {
    lookup(nodeId: NodeId): PeerIdentity | undefined;
    fetch(nodeId: NodeId, from: NodeId): Promise<boolean>;
  };
  /** Whether this node takes beacons of it, and so its notices. */
  readonly allows: (spiffeId: string) => boolean;
  readonly publish: (bytes: Uint8Array) => Promise<void>;
  readonly onNotice: (nodeId: NodeId, body: NoticeBody) => void;
}

type Decision = "accept" | "ignore" | "reject";

export class Notices {
  readonly #deps: NoticesDeps;
  readonly #desk: NoticeDesk;

  constructor(deps: NoticesDeps) {
    this.#deps = deps;
    const { self, epoch, random, signer, clock } = deps;
    const sign = (unsigned: Uint8Array): Uint8Array => signer.sign(unsigned, noticeContext);
    const { signatureBytes } = ML_DSA_65;
    this.#desk = new NoticeDesk({ self, epoch, random, sign, signatureBytes }, clock.now().monoMs);
  }

  /** Tells the mesh that this node is under repair for so long, or not any more (0). */
  claim(leftMs: number): Promise<void> {
    return this.#deps.publish(this.#desk.claim(leftMs));
  }

  /** An own incident is over. */
  closed(incident: Incident): void {
    this.#desk.closed(incident, this.#deps.clock.now().monoMs);
  }

  /** Tells the lessons that are due. To be called every few seconds. */
  async tell(): Promise<void> {
    const { clock, publish } = this.#deps;
    for (const lesson of this.#desk.due(clock.now().monoMs)) await publish(lesson);
  }

  /** Judges a notice from gossip: the cheap first, the signature last. */
  async receive(from: NodeId, bytes: Uint8Array): Promise<Decision> {
    const decision = await this.#decide(from, bytes);
    meterNotice(this.#deps.meter, decision);
    return decision;
  }

  async #decide(from: NodeId, bytes: Uint8Array): Promise<Decision> {
    const { identities } = this.#deps;
    const seen = this.#look(bytes);
    if (seen.verdict !== "verify") return seen.verdict;
    const nodeId = seen.notice.nodeId as NodeId;
    if (identities.lookup(nodeId) !== undefined) return this.#judge(seen);
    await identities.fetch(nodeId, from);
    // Meanwhile the same may have come by another way, or a newer one.
    const again = this.#look(bytes);
    return again.verdict === "verify" ? this.#judge(again) : again.verdict;
  }

  #look(bytes: Uint8Array): NoticeVerdict {
    return this.#desk.look(bytes, this.#deps.clock.now().monoMs);
  }

  #judge({ notice, signed, signature }: Extract<NoticeVerdict, { verdict: "verify" }>): Decision {
    const { engine, clock, identities, allows, onNotice } = this.#deps;
    const nodeId = notice.nodeId as NodeId;
    const author = identities.lookup(nodeId);
    if (author === undefined || !allows(author.spiffeId)) return "ignore";
    if (!engine.mlDsa65.verify(author.mldsa65, signed, signature, noticeContext)) return "reject";
    this.#desk.take(notice, clock.now().monoMs);
    onNotice(nodeId, notice.body);
    return "accept";
  }
}
