// What is wrong with each node at the moment, as a switchboard: injectors switch, and the wrapped parts of a node
// (its signer, its engine, its disk, its handshakes) obey. The parts themselves are the production ones.

import { type MlDsa, type MlDsaSigner, verifyEach } from "../crypto/index.ts";
import type { FaultKind, SensorLie } from "./scenarios/faults.ts";
import type { SimEngine } from "./census.ts";
import type { NodeIndex } from "./node-types.ts";

/** The switches of one node. */
export interface Ailment {
  /** It signs, but what it makes does not verify. */
  badSignature: boolean;
  /** It finds every signature bad. */
  badVerification: boolean;
  /** It fails every handshake: the KEM's shared secrets differ. */
  kemFailure: boolean;
  /** Its bundle is another one: it verifies nobody's chain, in handshakes or in records. */
  wrongBundle: boolean;
  /** Its credential has ended. */
  expiredSvid: boolean;
  /** Nothing is written to its disk. */
  diskFull: boolean;
  /** ... because its own store has grown, which compacting it cures. */
  storeGrown: boolean;
  /** Its SVID is not renewed by itself any more. */
  renewalStuck: boolean;
  /** A part of it leaks memory: so much by now, as a share of what there is. Restarting that part ends it. */
  leaks: boolean;
  leaked: number;
  /** What its sensors say in the place of the truth. */
  sensorLie: SensorLie | undefined;
}

/** All nodes' switches, and how often each fault has really bitten. */
export class Ailments {
  readonly #nodes: readonly Ailment[];
  readonly #bitten = new Map<FaultKind, number>();
  readonly #handshakesFailed: number[];

  constructor(nodes: number) {
    this.#nodes = Array.from({ length: nodes }, () => ({
      ...{ badSignature: false, badVerification: false, kemFailure: false },
      ...{ wrongBundle: false, expiredSvid: false, diskFull: false, storeGrown: false },
      ...{ renewalStuck: false, leaks: false, leaked: 0, sensorLie: undefined },
    }));
    this.#handshakesFailed = new Array<number>(nodes).fill(0);
  }

  of(node: NodeIndex): Ailment {
    const ailment = this.#nodes[node];
    if (ailment === undefined) throw new RangeError(`no node ${node}`);
    return ailment;
  }

  /** A fault has had an effect. */
  bite(kind: FaultKind, times = 1): void {
    this.#bitten.set(kind, this.bites(kind) + times);
  }

  bites(kind: FaultKind): number {
    return this.#bitten.get(kind) ?? 0;
  }

  /** Anything that keeps a node from being a good member. */
  isIll(node: NodeIndex): boolean {
    const { badSignature, badVerification, kemFailure, wrongBundle, expiredSvid } = this.of(node);
    return badSignature || badVerification || kemFailure || wrongBundle || expiredSvid;
  }

  /** Anything that is wrong with a node itself, as it sees it or not; what its sensors say aside. */
  ails(node: NodeIndex): boolean {
    const { diskFull, renewalStuck, leaks } = this.of(node);
    return this.isIll(node) || diskFull || renewalStuck || leaks;
  }

  /** Everything that is wrong with a node, as one text; how much it has leaked aside. */
  stateOf(node: NodeIndex): string {
    return JSON.stringify({ ...this.of(node), leaked: 0 });
  }

  /** Handshakes that a node took part in and that failed. */
  handshakesFailed(node: NodeIndex): number {
    return this.#handshakesFailed[node] ?? 0;
  }

  /** Whether nothing that ails either of them keeps two nodes from agreeing on a connection. */
  mayConnect(a: NodeIndex, b: NodeIndex): boolean {
    return [a, b].every((node) => {
      const { kemFailure, wrongBundle, expiredSvid } = this.of(node);
      return !kemFailure && !wrongBundle && !expiredSvid;
    });
  }

  /** Whether two nodes agree on a connection. */
  handshake(a: NodeIndex, b: NodeIndex): boolean {
    const agreed = this.#agree(a, b);
    if (!agreed)
      for (const node of [a, b]) this.#handshakesFailed[node] = this.handshakesFailed(node) + 1;
    return agreed;
  }

  #agree(a: NodeIndex, b: NodeIndex): boolean {
    for (const node of [a, b]) {
      const { kemFailure, wrongBundle, expiredSvid } = this.of(node);
      if (kemFailure) this.bite("kem_failure");
      if (wrongBundle) this.bite("wrong_bundle");
      if (expiredSvid) this.bite("expired_svid");
      if (kemFailure || wrongBundle || expiredSvid) return false;
    }
    return true;
  }

  /** The node's signer: while it is ill, its signatures have one bit changed. */
  signer(node: NodeIndex, signer: MlDsaSigner): MlDsaSigner {
    const ailment = this.of(node);
    return {
      publicKey: signer.publicKey,
      sign: (message, context) => {
        const signature = signer.sign(message, context);
        if (!ailment.badSignature) return signature;
        this.bite("bad_signature");
        return signature.with(0, (signature[0] ?? 0) ^ 1);
      },
      destroy: () => signer.destroy(),
    };
  }

  /** The node's engine: while it is ill, it verifies nothing. */
  engine(node: NodeIndex, engine: SimEngine): SimEngine {
    const ailment = this.of(node);
    const { mlDsa65 } = engine;
    const verify: MlDsa["verify"] = (publicKey, message, signature, context) => {
      if (!ailment.badVerification) return mlDsa65.verify(publicKey, message, signature, context);
      this.bite("bad_verification");
      return false;
    };
    return {
      sha256: (data) => engine.sha256(data),
      mlDsa65: {
        signer: (seed) => mlDsa65.signer(seed),
        verify,
        verifyBatch: verifyEach(verify),
      },
    };
  }
}
