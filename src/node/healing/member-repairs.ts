// What healing can do to a member's own parts. Each may be done twice: the second time it finds the work done.

import type { CryptoEngine } from "../../crypto/index.ts";
import { MeshError } from "../../foundation/index.ts";
import type { HandshakeLimiter } from "../../handshake/index.ts";
import {
  encodeSvidMessage,
  entriesDigest,
  type NodeId,
  parseSvidResponse,
  type TrustBundle,
} from "../../identity/index.ts";
import type { MemberView } from "../../mesh/index.ts";
import type { LearningService } from "../learning-service.ts";
import type { MeshService } from "../mesh-service.ts";
import type { Reach } from "../reach.ts";
import type { Rejoin } from "../rejoin.ts";

export interface MemberRepairsDeps {
  readonly engine: CryptoEngine;
  readonly members: () => readonly MemberView[];
  readonly isConnected: (nodeId: NodeId) => boolean;
  /** Whether a ping over the link to it is answered; the mesh hears of it if it is. */
  readonly answers: (nodeId: NodeId) => Promise<boolean>;
  /** Whether the link to it leads through a relay. */
  readonly isRelayed: (nodeId: NodeId) => boolean;
  readonly reach: Reach;
  readonly rejoin: Rejoin;
  readonly service: MeshService;
  readonly learning: LearningService;
  readonly limiter: HandshakeLimiter;
  /** Where the DHT says that a node is. */
  readonly addressesOf: (nodeId: NodeId) => Promise<readonly string[]>;
  readonly renew: () => Promise<void>;
  readonly bundle: () => TrustBundle;
  /** Takes a signed bundle if it is newer. @throws MeshError why it is refused */
  readonly adopt: (signed: Uint8Array) => boolean;
  readonly askIssuer: (request: Uint8Array) => Promise<Uint8Array>;
}

export class MemberRepairs {
  readonly #deps: MemberRepairsDeps;

  constructor(deps: MemberRepairsDeps) {
    this.#deps = deps;
  }

  /** Dials every address that this node knows. @throws MeshError `network/dial-failed` when nobody answers */
  rejoin(): Promise<void> {
    return this.#deps.rejoin.dialAll();
  }

  /**
   * Connects to a member: where its beacon says, where it was met, through a relay, and where the DHT says. A link that carries
   * nothing is replaced.
   * @throws MeshError `network/dial-failed`, `network/record-not-found` and the like
   */
  async redial(nodeId: NodeId): Promise<void> {
    const { reach, isConnected, answers, addressesOf } = this.#deps;
    const hasLink = isConnected(nodeId);
    if (hasLink && (await answers(nodeId))) return;
    const dial = (addresses: readonly string[]): Promise<void> =>
      hasLink ? reach.replace(nodeId, addresses) : reach.dial(nodeId, addresses);
    try {
      await dial(this.#addresses(nodeId));
    } catch {
      await dial(await addressesOf(nodeId));
    }
    if (hasLink) await answers(nodeId);
  }

  /**
   * Leads the link to a member through another relay; without a member the relayed link that loses most, or is slowest.
   * @throws MeshError `network/not-relayed`, `network/dial-failed`
   */
  async changeRelay(nodeId: NodeId | undefined): Promise<void> {
    const chosen = nodeId ?? this.#worstRelayed();
    if (chosen === undefined)
      throw new MeshError("network/not-relayed", "No link leads through a relay.");
    await this.#deps.reach.changeRelay(chosen, this.#addresses(chosen));
    await this.#deps.answers(chosen);
  }

  #worstRelayed(): NodeId | undefined {
    const { members, isRelayed } = this.#deps;
    const relayed = members().filter(({ connected, nodeId }) => connected && isRelayed(nodeId));
    const [worst] = relayed.sort(
      (a, b) => (b.lossRatio ?? 0) - (a.lossRatio ?? 0) || (b.rttMs ?? 0) - (a.rttMs ?? 0),
    );
    return worst?.nodeId;
  }

  #addresses(nodeId: NodeId): readonly string[] {
    return this.#deps.members().find((member) => member.nodeId === nodeId)?.addresses ?? [];
  }

  /** A new SVID, whatever is left of the old one. @throws MeshError of the issuer's refusal, or that none is in reach */
  renew(): Promise<void> {
    return this.#deps.renew();
  }

  /** Takes the newest bundle that an issuer has. @throws MeshError `identity/*` */
  async fetchBundle(): Promise<void> {
    const { engine, bundle, adopt, askIssuer } = this.#deps;
    const { sequence } = bundle();
    const entries = entriesDigest(engine, []);
    const request = { op: "sync", bundleSequence: sequence, entriesDigest: entries } as const;
    const answer = parseSvidResponse(await askIssuer(encodeSvidMessage(request)));
    if (!answer.ok || answer.value.result !== "sync")
      throw new MeshError("identity/response-malformed", "The issuer told no bundle.");
    if (answer.value.bundle !== undefined) adopt(answer.value.bundle);
  }

  /** Asks connected members for all beacons that this node lacks. @throws MeshError when none of them answers */
  resync(): Promise<void> {
    return this.#deps.service.resync();
  }

  /** Takes a quarter of the strangers' handshakes, or all again. */
  shed(isShedding: boolean): void {
    this.#deps.limiter.shedding = isShedding;
  }

  /** Ends the training threads and takes the running task up again from the disk. */
  restartTrainer(): Promise<void> {
    return this.#deps.learning.restart();
  }
}
