// Authorities as the control API shows and moves them.

import type { AuthorityControl } from "../../control/index.ts";
import { MeshError } from "../../foundation/index.ts";
import { type Authority, type NodeId, signerOf } from "../../identity/index.ts";
import type { Member } from "../member.ts";
import type { AuthorityKeeper } from "./authority-keeper.ts";

type Answer = Awaited<ReturnType<AuthorityControl["list"]>>;

export function authorityControl(member: Member): AuthorityControl {
  const keeper = member.trust.authorities;
  // eslint-disable-next-line @typescript-eslint/require-await -- what a step throws is the answer, too
  const after = async (step: () => void): Promise<Answer> => {
    step();
    return view(member, keeper);
  };
  return {
    list: () => after(() => undefined),
    prepare: () => after(() => keeper.prepare()),
    activate: ({ force }) => after(() => keeper.activate(force)),
    taint: ({ id }) => after(() => keeper.taint(id)),
    revoke: ({ id, force }) =>
      after(() => {
        if (!force) refuseInUse(member, id);
        keeper.revoke(id);
      }),
    revokeNode: ({ peer }) =>
      after(() => {
        const nodeId = member.find(peer);
        keeper.revokeNode(nodeId, member.nameOf(nodeId));
      }),
    grant: ({ peer, force }) =>
      after(() => {
        const nodeId = member.find(peer);
        keeper.grant(nodeId, member.nameOf(nodeId), force);
      }),
    withdraw: ({ peer }) => after(() => keeper.withdraw(issuerCalled(keeper, peer))),
  };
}

/** By what was granted: the node itself may be lost. @throws MeshError `control/unknown-peer` */
function issuerCalled({ issuers }: AuthorityKeeper, peer: string): NodeId {
  const found = issuers.find(
    ({ name, nodeId }) => name === peer || (peer.length >= 8 && nodeId.startsWith(peer)),
  );
  if (found !== undefined) return found.nodeId;
  throw new MeshError(
    "control/unknown-peer",
    `No other issuer is called '${peer}'. See meshctl trust issuer list.`,
    { peer },
  );
}

function view(member: Member, keeper: AuthorityKeeper): Answer {
  const { replaceAtMs } = keeper;
  return {
    sequence: member.bundle.sequence,
    authorities: keeper.authorities.map((one) => shown(one, member)),
    replaceAt: replaceAtMs === undefined ? null : time(replaceAtMs),
    issuers: keeper.issuers.map(({ nodeId, name, untilMs, workloads }) => ({
      ...{ nodeId, name },
      until: workloads.length === 0 ? null : time(untilMs),
    })),
    revokedNodes: keeper.revokedNodes.map(({ untilMs, ...node }) => ({
      ...node,
      until: time(untilMs),
    })),
  };
}

function shown(one: Authority, member: Member): Answer["authorities"][number] {
  const { id, state, sinceMs, notAfterMs, readyAtMs, signedUntilMs, jwt } = one;
  return {
    ...{ id, state, jwtKeyId: jwt.keyId },
    since: time(sinceMs),
    notAfter: time(notAfterMs),
    readyAt: state === "prepared" ? time(readyAtMs) : null,
    goneAt: state === "old" || state === "tainted" ? time(signedUntilMs) : null,
    nodes: nodesOf(member, (signer) => signer === id),
  };
}

/** Nodes known here whose certificate leads to such an authority. */
function nodesOf(member: Member, isIt: (signer: string) => boolean): number {
  const self = member.svid.identity.nodeId;
  const known: NodeId[] = [self, ...member.mesh.members().map(({ nodeId }) => nodeId)];
  return new Set(
    known.filter((nodeId) => {
      const identity = member.identities.lookup(nodeId);
      return identity !== undefined && isIt(signerOf(identity.chain) ?? "");
    }),
  ).size;
}

/** Nodes whose certificate is revoked have to be joined again by hand. */
function refuseInUse(member: Member, id: string): void {
  const nodes = nodesOf(member, (signer) => signer.startsWith(id));
  if (nodes === 0) return;
  throw new MeshError(
    "identity/authority-in-use",
    `Cannot revoke it yet: ${nodes} node(s) have a certificate of it. Taint it, and they renew within seconds; or use --force: they are shut out, and need new tokens.`,
    { nodes },
  );
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}
