// Faults of cryptography and identity: engines that sign or verify wrongly, handshakes that fail, credentials that
// have ended, bundles of somebody else. Connections that could not be made now are closed when a fault begins.

import type { WallMs } from "../../ports/index.ts";
import type { Ailment } from "../ailments.ts";
import type { NodeIndex } from "../node-types.ts";
import type { Fault, faultKinds } from "../scenarios/faults.ts";
import type { Swarm } from "../swarm.ts";
import { WALL_START_MS } from "../virtual-clock.ts";
import type { Injector } from "./injector.ts";

type CryptoKind = (typeof faultKinds.crypto)[number];
type CryptoFault = Fault<CryptoKind>;

type Switch = { [Key in keyof Ailment]: boolean extends Ailment[Key] ? Key : never }[keyof Ailment];

const switches: Readonly<Record<CryptoKind, Switch>> = {
  bad_signature: "badSignature",
  bad_verification: "badVerification",
  kem_failure: "kemFailure",
  expired_svid: "expiredSvid",
  wrong_bundle: "wrongBundle",
};
/** Longer than any run: a renewed credential. */
const RENEWED_MS = 30 * 86_400_000;

/** Injects crypto faults. */
export class CryptoFailureInjector implements Injector<CryptoKind> {
  readonly #swarm: Swarm;
  readonly #active = new Set<CryptoFault>();

  constructor(swarm: Swarm) {
    this.#swarm = swarm;
  }

  begin(fault: CryptoFault): void {
    this.#active.add(fault);
    for (const node of fault.nodes) {
      this.#swarm.ailments.of(node)[switches[fault.inject]] = true;
      this.#swarm.disturbed(node);
      if (fault.inject === "expired_svid") this.#endCredential(node);
      const refuses = fault.inject !== "bad_signature" && fault.inject !== "bad_verification";
      if (refuses) this.#hangUp(node);
    }
  }

  end(fault: CryptoFault): void {
    this.#active.delete(fault);
    for (const node of fault.nodes) {
      const again = [...this.#active].some(
        (other) => other.inject === fault.inject && other.nodes.includes(node),
      );
      if (!again) this.#swarm.ailments.of(node)[switches[fault.inject]] = false;
      if (!again && fault.inject === "expired_svid") {
        this.#swarm.census.renew(node, (this.#wallMs() + RENEWED_MS) as WallMs);
      }
      this.#swarm.disturbed(node);
    }
  }

  tick(): void {
    for (const fault of this.#active) for (const node of fault.nodes) this.#swarm.disturbed(node);
  }

  #endCredential(node: NodeIndex): void {
    this.#swarm.census.renew(node, this.#wallMs() as WallMs);
  }

  #hangUp(node: NodeIndex): void {
    const { world } = this.#swarm;
    for (const peer of world.peers(node)) world.disconnect(node, peer);
  }

  #wallMs(): number {
    return Math.floor(WALL_START_MS + this.#swarm.nowMs);
  }
}
