// Whom an operator means: a member by its name, its NodeId or the beginning of it, or its SPIFFE id.

import type { ControlErrorCode } from "../control/index.ts";
import { MeshError } from "../foundation/index.ts";
import { nodeSpiffeId } from "../identity/index.ts";
import type { MemberView } from "../mesh/index.ts";

/** Digits of a NodeId that are enough to be taken for one. */
const PREFIX_DIGITS_MIN = 4;

/**
 * The member that a text names. A member that is gone is found by its name only if no other has that name now.
 * @throws MeshError `control/unknown-peer`, `control/ambiguous-peer`
 */
export function memberCalled(
  members: readonly MemberView[],
  trustDomain: string,
  text: string,
): MemberView {
  const isCalled = ({ nodeId, name }: MemberView): boolean =>
    nodeId === text ||
    (name !== undefined && (name === text || nodeSpiffeId(trustDomain, name) === text));
  const exact = living(members.filter(isCalled));
  const [one, ...more] = exact.length > 0 ? exact : living(members.filter(beginsWith(text)));
  if (one === undefined) {
    throw new MeshError<ControlErrorCode>(
      "control/unknown-peer",
      `No member of the mesh is called '${text}'. Look at: meshctl peers`,
      { peer: text },
    );
  }
  if (more.length === 0) return one;
  throw new MeshError<ControlErrorCode>(
    "control/ambiguous-peer",
    `${more.length + 1} members of the mesh fit '${text}'. Write more of the NodeId: meshctl peers --json`,
    { peer: text, nodeIds: [one, ...more].slice(0, 8).map(({ nodeId }) => nodeId) },
  );
}

function beginsWith(text: string): (member: MemberView) => boolean {
  const isPrefix = text.length >= PREFIX_DIGITS_MIN && /^[0-9a-f]+$/.test(text);
  return ({ nodeId }) => isPrefix && nodeId.startsWith(text);
}

/** Those that are not gone, or else all. */
function living(members: readonly MemberView[]): readonly MemberView[] {
  const present = members.filter(({ state }) => state !== "left" && state !== "dead");
  return present.length > 0 ? present : members;
}
