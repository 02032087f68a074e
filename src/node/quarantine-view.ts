// The quarantine as the control API shows it, and how an operator names a node in it: after a restart the identity, and
// with it the name, of a node that nobody talks to is not known any more, so the first digits of its id do, too.

import type { Body, Quarantine } from "../control/index.ts";
import { MeshError } from "../foundation/index.ts";
import type { NodeId } from "../identity/index.ts";
import type { QuarantineView } from "../mesh/index.ts";
import type { Member } from "./member.ts";

const ID_PREFIX = /^[0-9a-f]{8,64}$/;

/** Every case, the newest last. */
export function quarantineOf(member: Member | undefined): Body<Quarantine> {
  return { quarantine: member?.mesh.quarantine().map((view) => caseOf(member, view)) ?? [] };
}

/** @throws MeshError `mesh/not-quarantined` when none or more than one is called so */
export function quarantinedCalled(member: Member, node: string): NodeId {
  const shutOut = member.mesh.quarantine().filter(({ state }) => state === "quarantined");
  const found = shutOut.filter(
    ({ nodeId }) =>
      member.nameOf(nodeId) === node || (ID_PREFIX.test(node) && nodeId.startsWith(node)),
  );
  const [only] = found;
  if (only !== undefined && found.length === 1) return only.nodeId;
  throw new MeshError(
    "mesh/not-quarantined",
    `${found.length === 0 ? "No node" : "More than one node"} in quarantine is called '${node}'. See meshctl quarantine list.`,
    { node },
  );
}

function caseOf(
  member: Member,
  { nodeId, state, atMs, proofDigest, proof, roundProof, release }: QuarantineView,
): Body<Quarantine>["quarantine"][number] {
  return {
    nodeId,
    name: member.nameOf(nodeId),
    state,
    at: new Date(atMs).toISOString(),
    proofDigest,
    proof:
      proof === undefined
        ? null
        : { ...proof, addresses: [[...proof.addresses[0]], [...proof.addresses[1]]] },
    roundProof: roundProof === undefined ? null : { view: null, ...roundProof },
    release:
      release === undefined
        ? null
        : {
            issuer: member.nameOf(release.issuer),
            issuedAt: isoTime(release.issuedAtMs),
            epochFloor: release.epochFloor,
            reason: release.reason,
          },
  };
}

/** Dates end in the year 275760, and the clock of who signed may say anything. */
function isoTime(ms: number): string {
  return new Date(Math.min(ms, 253_402_300_799_999)).toISOString();
}
