// The holder of a root whose disk is older than the bundle of its trust domain: it was restored from a backup. What it finds in the bundle
// counts: what was revoked stays revoked, and keys that it does not know stay published for as long as they can have signed for.

import { equalBytes } from "../../foundation/index.ts";
import type { WallMs } from "../../ports/index.ts";
import { NO_NOTES } from "../bundle-notes.ts";
import type { NodeId } from "../peer-identity.ts";
import type { TrustBundle } from "../trust-bundle.ts";
import { describeRoot } from "../x509/describe.ts";
import type { Authority, AuthoritySet } from "./rotation.ts";
import {
  type GrantedIssuer,
  type TrustState,
  WORKLOAD_KEYS_MAX,
  type WorkloadKeys,
} from "./trust-state.ts";

/**
 * The state that follows from a newer bundle. `untilMs`: until when unknown keys can have signed for.
 * Undefined when no authority of this host is in the bundle any more: it can sign nothing that anybody accepts.
 */
export function caughtUp(
  state: TrustState,
  newest: TrustBundle,
  now: { readonly nowMs: WallMs; readonly untilMs: WallMs; readonly self: NodeId },
): TrustState | undefined {
  const { tainted, revoked, issuers } = newest.notes ?? NO_NOTES;
  const known = state.authorities
    .filter(({ root }) => newest.authorities.some((one) => equalBytes(one, root)))
    .map((one): Authority => (tainted.includes(one.id) ? { ...one, state: "tainted" } : one));
  const active =
    known.find((one) => one.state === "active") ?? known.findLast((one) => one.state !== "tainted");
  if (active === undefined) return undefined;
  const strangers = newest.authorities.filter(
    (root) => !state.authorities.some((one) => equalBytes(one.root, root)),
  );
  const loose = workloadsOf(newest).filter(
    ({ jwt }) => ![...known, ...ownedBy(state)].some((one) => one.jwt.keyId === jwt.keyId),
  );
  const lost = strangers.flatMap((root) => lostAuthority(root, loose.shift() ?? active, now));
  return {
    authorities: [
      ...lost,
      ...known.map((one): Authority => (one === active ? { ...one, state: "active" } : one)),
    ],
    revoked: revoked.map(
      (nodeId) =>
        state.revoked.find((one) => one.nodeId === nodeId) ?? {
          nodeId,
          name: nodeId.slice(0, 12),
          untilMs: now.untilMs,
        },
    ),
    issuers: issuers
      .filter((nodeId) => nodeId !== now.self)
      .map((nodeId) => restoredIssuer(nodeId, state, loose, now.untilMs)),
  };
}

/** One that was made since the backup: without its keys it can only stay until what it signed has ended. */
function lostAuthority(
  root: Uint8Array,
  { workloadRoot, jwt }: WorkloadKeys,
  { nowMs, untilMs }: { readonly nowMs: WallMs; readonly untilMs: WallMs },
): AuthoritySet {
  const { keyId: id, notAfterMs } = describeRoot(root, "ml-dsa-65");
  const { keyId: workloadRootId } = describeRoot(workloadRoot, "es256");
  const keys = { id, root, notAfterMs, workloadRoot, workloadRootId, jwt };
  const bounds = { nodesUntilMs: untilMs, signedUntilMs: untilMs };
  return [{ ...keys, ...bounds, state: "old", sinceMs: nowMs, readyAtMs: nowMs }];
}

/** Which keys are whose is not known: they stay published until the issuers ask again. */
function restoredIssuer(
  nodeId: NodeId,
  { issuers }: TrustState,
  loose: WorkloadKeys[],
  untilMs: WallMs,
): GrantedIssuer {
  const before = issuers.find((one) => one.nodeId === nodeId);
  const workloads = before?.workloads ?? [];
  const added = loose.splice(0, WORKLOAD_KEYS_MAX - workloads.length);
  const { name = nodeId.slice(0, 12), force = false } = before ?? {};
  return { nodeId, name, force, untilMs, workloads: [...workloads, ...added] };
}

function ownedBy({ issuers }: TrustState): WorkloadKeys[] {
  return issuers.flatMap(({ workloads }) => workloads);
}

/** Roots and JWT keys of a bundle in pairs, as its issuer wrote them. */
function workloadsOf({
  workloadAuthorities = [],
  jwtAuthorities = [],
}: TrustBundle): WorkloadKeys[] {
  return workloadAuthorities.flatMap((workloadRoot, index) => {
    const jwt = jwtAuthorities[index];
    return jwt === undefined ? [] : [{ workloadRoot, jwt }];
  });
}
