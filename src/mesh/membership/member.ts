// What is remembered of one member. A record changes through the roster, the detector and the chain functions only.

import type { NodeId } from "../../identity/index.ts";
import type { MonoMs, WallMs } from "../../ports/index.ts";
import type { BeaconRejectCode, SummaryRejectCode } from "../beacons/reject-codes.ts";
import type { StateBeacon } from "../beacons/state-beacon.ts";
import type { LinkEstimate } from "../links/link-estimate.ts";
import type { MemberState } from "../machine-types.ts";

/** A state beacon as it was accepted. */
export interface AcceptedBeacon {
  readonly beacon: StateBeacon;
  /** The message, signature included. */
  readonly bytes: Uint8Array;
  /** SHA-256 of the signed part, hex. */
  readonly digest: string;
}

/** The verifier's place in a member's hash chain. */
export interface ChainPlace {
  readonly base: number;
  readonly length: number;
  readonly context: Uint8Array;
  readonly intervalMs: number;
  /** Position of `lastLink` in the chain. */
  position: number;
  readonly lastLink: Uint8Array;
  /** When index 0 would have arrived at the fastest delivery seen since the last state beacon. */
  originMs: MonoMs | undefined;
}

/** A suspicion that runs. */
export interface Suspicion {
  readonly sinceMs: MonoMs;
  /** Moved when the own node stalled: its silence is no evidence. */
  graceMs: number;
  /** When it is probed again, and told of the suspicion. */
  probeAtMs: MonoMs;
  /** It was a neighbour when the suspicion began, so the own beacon reports it. */
  readonly neighbour: boolean;
  /** Who else suspects it. */
  readonly confirmations: Set<NodeId>;
}

/** A probe without an answer yet. */
export type PendingProbe = { readonly deadlineMs: MonoMs } & (
  | { readonly stage: "direct" }
  /** How many helpers were asked. */
  | { readonly stage: "indirect"; readonly asked: number }
);

/** One other node. */
export interface Member {
  readonly nodeId: NodeId;
  state: MemberState;
  stateSinceMs: MonoMs;
  /** The newest accepted beacon and the one before, newest first; empty until the first. */
  accepted: AcceptedBeacon[];
  chain: ChainPlace | undefined;
  lastBeaconAtMs: MonoMs;
  lastAliveAtMs: MonoMs;
  /** When it last answered a probe from here, or connected. */
  answeredAtMs: MonoMs | undefined;
  identityNotAfterMs: WallMs;
  name: string | undefined;
  /** A later beacon was refused by policy: its heartbeats count no more. */
  barred: boolean;
  connected: boolean;
  /** Where it was reached, for nodes whose beacon names no address. */
  seenAddresses: readonly string[];
  link: LinkEstimate | undefined;
  suspicion: Suspicion | undefined;
  probe: PendingProbe | undefined;
  /** Direct probes without an answer since the last one that had one. */
  probesMissed: number;
  dialFailures: number;
  dialAtMs: MonoMs;
  lastErrorCode: BeaconRejectCode | SummaryRejectCode | undefined;
}

/** A member of whom nothing is known yet. */
export function newMember(nodeId: NodeId, nowMs: MonoMs): Member {
  return {
    nodeId,
    state: "joining",
    stateSinceMs: nowMs,
    accepted: [],
    chain: undefined,
    lastBeaconAtMs: nowMs,
    lastAliveAtMs: nowMs,
    answeredAtMs: undefined,
    identityNotAfterMs: 0 as WallMs,
    name: undefined,
    barred: false,
    connected: false,
    seenAddresses: [],
    link: undefined,
    suspicion: undefined,
    probe: undefined,
    probesMissed: 0,
    dialFailures: 0,
    dialAtMs: nowMs,
    lastErrorCode: undefined,
  };
}

/** The newest accepted beacon. */
export function currentBeacon(member: Member): StateBeacon | undefined {
  return member.accepted[0]?.beacon;
}

/** Part of the mesh as far as anyone knows: worth connecting to, routing to and serving to newcomers. */
export function isPresent(member: Member): boolean {
  return member.state === "alive" || member.state === "joining" || member.state === "suspect";
}
