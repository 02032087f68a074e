// Who lives in a simulated world: for every node its keys and its verified identity, all from the seed. Only
// the end of a credential ever changes.
// Certificates are not modelled: the census is the authority, and an identity is genuine if the census has made it. One that was
// renewed is as genuine as before, until its own end.

import type { CryptoEngine, MlDsaSigner } from "../crypto/index.ts";
import { type NodeId, nodeIdOf, type PeerIdentity } from "../identity/index.ts";
import type { WallMs } from "../ports/index.ts";
import type { NodeIndex } from "./node-types.ts";
import type { SeededRandom } from "./random.ts";
import { WALL_START_MS } from "./virtual-clock.ts";

/** Of every credential: a day. */
export const SVID_LIFE_MS = 86_400_000;
const TRUST_DOMAIN = "sim.test";

/** The crypto that the machines run on: the real one or the model. */
export type SimEngine = Pick<CryptoEngine, "sha256" | "mlDsa65">;

/** One inhabitant. */
export interface Inhabitant {
  readonly index: NodeIndex;
  readonly identity: PeerIdentity;
  readonly signer: MlDsaSigner;
}

/** All inhabitants of a world. */
export class Census {
  readonly #inhabitants: Inhabitant[];
  readonly #byNodeId: Map<NodeId, Inhabitant>;
  readonly #issued = new WeakSet<PeerIdentity>();

  constructor(nodes: number, engine: SimEngine, random: SeededRandom) {
    this.#inhabitants = Array.from({ length: nodes }, (_, index) =>
      settle(index, engine, random.fork(`keys of ${index}`)),
    );
    this.#byNodeId = new Map(this.#inhabitants.map((one) => [one.identity.nodeId, one]));
    for (const { identity } of this.#inhabitants) this.#issued.add(identity);
  }

  get all(): readonly Inhabitant[] {
    return this.#inhabitants;
  }

  /** The inhabitant with this number, which must be one. */
  at(index: NodeIndex): Inhabitant {
    const inhabitant = this.#inhabitants[index];
    if (inhabitant === undefined) throw new RangeError(`no inhabitant ${index}`);
    return inhabitant;
  }

  /** The node's credential counts until then: a renewal, or an expiry that comes early. */
  renew(index: NodeIndex, notAfterMs: WallMs): void {
    const before = this.at(index);
    const renewed = { ...before, identity: { ...before.identity, notAfterMs } };
    this.#inhabitants[index] = renewed;
    this.#byNodeId.set(renewed.identity.nodeId, renewed);
    this.#issued.add(renewed.identity);
  }

  /** In the place of the verification of a chain. */
  isGenuine(identity: PeerIdentity): boolean {
    return this.#issued.has(identity);
  }

  find(nodeId: NodeId): Inhabitant | undefined {
    return this.#byNodeId.get(nodeId);
  }
}

/** The address of a node as its beacons tell it. */
export function addressOf(node: NodeIndex): string {
  return `/sim/${node}`;
}

function settle(index: NodeIndex, engine: SimEngine, random: SeededRandom): Inhabitant {
  const signer = engine.mlDsa65.signer(random.bytes(32));
  // The mesh never uses the classical key; only the node id commits to it.
  const ed25519 = random.bytes(32);
  const name = `node-${index}`;
  const identity: PeerIdentity = {
    nodeId: nodeIdOf(engine, ed25519, signer.publicKey),
    spiffeId: `spiffe://${TRUST_DOMAIN}/node/${name}`,
    trustDomain: TRUST_DOMAIN,
    name,
    ed25519,
    mldsa65: signer.publicKey,
    chain: [],
    notBeforeMs: WALL_START_MS as WallMs,
    notAfterMs: (WALL_START_MS + SVID_LIFE_MS) as WallMs,
    serialNumber: index.toString(16).padStart(2, "0"),
  };
  return { index, identity, signer };
}
