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
   * Connects to a member: where its beacon says, where it was met, through a relay, and where the DHT says.
   * @throws MeshError `network/dial-failed`, `network/record-not-found` and the like
   */
  async redial(nodeId: NodeId): Promise<void> {
    const { reach, members, isConnected, addressesOf } = this.#deps;
    if (isConnected(nodeId)) return;
    const view = members().find((member) => member.nodeId === nodeId);
    try {
      await reach.dial(nodeId, view?.addresses ?? []);
    } catch {
      await reach.dial(nodeId, await addressesOf(nodeId));
    }
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
