// What an operator is told of the node's own SVID: that nobody renews it, and how long it lasts without that.

import type { RaisedCondition } from "../healing/index.ts";
import type { SvidHolder } from "../identity/index.ts";
import type { WallMs } from "../ports/index.ts";
import type { Member } from "./member.ts";

/** A failing renewal is told from this length on: an issuer's restart is none. */
const OUTAGE_TOLD_MS = 60_000;

export function svidHealthOf(
  svid: Pick<SvidHolder, "health" | "outage">,
  nowMs: WallMs,
): RaisedCondition[] {
  const state = svid.health(nowMs);
  if (state === "expired")
    return [
      {
        code: "identity/expired",
        message: "The SVID has expired: no peer accepts it. Check the issuers.",
      },
    ];
  const { outage } = svid;
  if (outage === undefined || (state !== "grace" && nowMs - outage.sinceMs < OUTAGE_TOLD_MS))
    return [];
  const { sinceMs, code, notAfterMs, graceEndMs } = outage;
  const left =
    state === "grace"
      ? `It expired ${duration(nowMs - notAfterMs)} ago; peers take it for ${duration(graceEndMs - nowMs)} longer`
      : `Peers take it for ${duration(graceEndMs - nowMs)} longer`;
  return [
    {
      code: "identity/renewal-overdue",
      message: `This node's SVID could not be renewed for ${duration(nowMs - sinceMs)} (${code}). ${left}. Start an issuer, or see meshctl peers whether one is in reach.`,
    },
  ];
}

/** Names that a classical chain vouches for are told for as long as they are here: the policy permits them, nobody should forget it. */
export function classicalHealthOf({
  svid,
  network,
}: Pick<Member, "svid" | "network">): RaisedCondition[] {
  const peers = network.connectedPeers().filter(({ isClassical }) => isClassical === true).length;
  const isOwn = svid.identity.isClassical === true;
  if (!isOwn && peers === 0) return [];
  const who = [
    ...(isOwn ? ["this node"] : []),
    ...(peers === 0 ? [] : [`${peers} connected peer(s)`]),
  ];
  return [
    {
      code: "identity/classical",
      message: `A chain of P-256 vouches for ${who.join(" and ")}, as the policy permits (mesh.classical): not post-quantum.`,
    },
  ];
}

function duration(ms: number): string {
  const minutes = Math.max(1, Math.round(ms / 60_000));
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
}
