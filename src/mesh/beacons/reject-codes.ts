// Why a gossip message was refused: a closed list, which is also the metric's label and the log's field.

/** Codes in the order in which the validator checks. */
export const beaconRejectCodes = [
  "mesh/not-running",
  "mesh/too-large",
  "mesh/malformed",
  "mesh/forwarder-rate",
  "mesh/origin-rate",
  "mesh/quarantined",
  "mesh/members-full",
  "mesh/evidence-full",
  "mesh/duplicate",
  "mesh/stale-epoch",
  "mesh/old-sequence",
  "mesh/own",
  "mesh/own-ahead",
  "mesh/unknown-origin",
  "mesh/unknown-chain",
  "mesh/identity-expired",
  "mesh/not-allowed",
  "mesh/bad-signature",
  "mesh/equivocation",
  "mesh/heartbeat-replayed",
  "mesh/heartbeat-too-far",
  "mesh/wrong-link",
  "mesh/not-a-proof",
  "mesh/released",
  "mesh/outdated-release",
] as const;

/** Why a beacon, heartbeat or proof was refused. */
export type BeaconRejectCode = (typeof beaconRejectCodes)[number];

/** Codes that blame the peer which handed the message over: an honest one would have refused it before. */
const blamed: ReadonlySet<BeaconRejectCode> = new Set<BeaconRejectCode>([
  "mesh/too-large",
  "mesh/malformed",
  "mesh/bad-signature",
  "mesh/wrong-link",
  "mesh/not-a-proof",
]);

/** Whether gossip should score the sender for it, or only drop the message. */
export function verdictOf(code: BeaconRejectCode): "reject" | "ignore" {
  return blamed.has(code) ? "reject" : "ignore";
}
