// Who is shut out and who may come back: of each node the one statement that counts, a proof of equivocation or a
// release. It outlives the member's record and the daemon, so a quarantine ends by a release and by nothing else.
//
// Statements about one node are in a total order, so all nodes agree whichever came first: a release stands above every
// proof of an epoch below its floor, and below every other proof.

import { MeshError } from "../../foundation/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { WallMs } from "../../ports/index.ts";
import { isProof, type ReadContradiction } from "../beacons/contradiction.ts";
import { decodeRelease } from "../beacons/release.ts";
import type { StoredEvidence } from "../machine-types.ts";

/** Nodes with a statement. When there is room for no more, the longest released one is forgotten, a quarantined one never. */
export const EVIDENCE_MAX = 256;

/** What is known against a node. */
export interface QuarantineCase extends StoredEvidence {
  readonly nodeId: NodeId;
  readonly kind: "proof" | "release";
  /** The epoch that the proof is about, or the floor of the release. */
  readonly epoch: number;
}

/** The statements by node, the oldest first. */
export class Quarantine {
  readonly #cases = new Map<NodeId, QuarantineCase>();
  readonly #read: ReadContradiction;

  /**
   * @param stored what an earlier run kept; it was verified then
   * @throws MeshError `mesh/bad-evidence` for what is no statement
   */
  constructor(stored: readonly StoredEvidence[], read: ReadContradiction) {
    this.#read = read;
    for (const evidence of stored) {
      const known = parse(evidence, read);
      this.#cases.set(known.nodeId, known);
    }
  }

  /** Every case, the oldest first. */
  all(): IterableIterator<QuarantineCase> {
    return this.#cases.values();
  }

  get(nodeId: NodeId): QuarantineCase | undefined {
    return this.#cases.get(nodeId);
  }

  has(nodeId: NodeId): boolean {
    return this.#cases.get(nodeId)?.kind === "proof";
  }

  /** Epochs below it are refused: 0 for a node that never was in quarantine. */
  floorOf(nodeId: NodeId): number {
    const known = this.#cases.get(nodeId);
    return known?.kind === "release" ? known.epoch : 0;
  }

  /** Whether a statement about this node would find a place. */
  hasRoom(nodeId: NodeId): boolean {
    if (this.#cases.has(nodeId) || this.#cases.size < EVIDENCE_MAX) return true;
    return this.#oldestReleased() !== undefined;
  }

  /** Keeps a verified statement for which there is room; gives the case that went for it. */
  keep(bytes: Uint8Array, atMs: WallMs): { kept: QuarantineCase; dropped?: NodeId } {
    const kept = parse({ bytes, atMs }, this.#read);
    const isFull = !this.#cases.has(kept.nodeId) && this.#cases.size >= EVIDENCE_MAX;
    const dropped = isFull ? this.#oldestReleased() : undefined;
    if (dropped !== undefined) this.#cases.delete(dropped);
    this.#cases.delete(kept.nodeId);
    this.#cases.set(kept.nodeId, kept);
    return dropped === undefined ? { kept } : { kept, dropped };
  }

  #oldestReleased(): NodeId | undefined {
    return this.#cases.values().find(({ kind }) => kind === "release")?.nodeId;
  }
}

function parse({ bytes, atMs }: StoredEvidence, read: ReadContradiction): QuarantineCase {
  const release = isProof(bytes) ? undefined : decodeRelease(bytes);
  if (release?.ok === true) {
    const { nodeId, epochFloor } = release.value.release;
    return { nodeId, kind: "release", epoch: epochFloor, bytes, atMs };
  }
  const proof = read(bytes);
  if (proof.ok) {
    const { nodeId, epoch } = proof.value;
    return { nodeId, kind: "proof", epoch, bytes, atMs };
  }
  throw new MeshError(
    "mesh/bad-evidence",
    "Cannot read a stored statement about a quarantined node. Restore a backup of the state.",
  );
}
