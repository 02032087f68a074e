// Where the rooms of the mesh and of learning meet over proofs: what participants of a round find against one of them, the whole mesh
// reads, verifies and acts upon.

import type { CryptoEngine } from "../../crypto/index.ts";
import type { NodeId } from "../../identity/index.ts";
import { decodeRoundEvidence } from "../../learning/index.ts";
import type { ReadForeignProof } from "../../mesh/index.ts";

/** Reads the evidence of rounds for the mesh machine. */
export function roundEvidenceReader(engine: Pick<CryptoEngine, "sha256">): ReadForeignProof {
  return (body) => {
    const decoded = decodeRoundEvidence((bytes) => engine.sha256(bytes), body);
    if (!decoded.ok) return undefined;
    return { ...decoded.value, nodeId: decoded.value.nodeId as NodeId };
  };
}
