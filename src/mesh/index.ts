// The door of the mesh room.

export { type RateLimit, RateLimiter } from "./beacons/rate-limiter.ts";
export {
  type BeaconRejectCode,
  beaconRejectCodes,
  type SummaryRejectCode,
  summaryRejectCodes,
} from "./beacons/reject-codes.ts";
export type { MeshBuggifyPoint } from "./buggify.ts";
export { MeshMachine } from "./machine.ts";
export type {
  BeaconAcceptCode,
  EquivocationProof,
  ForeignProof,
  GossipVerdict,
  HopView,
  IdentityDirectory,
  Intake,
  LinkView,
  MemberCause,
  MemberState,
  MemberView,
  MeshAction,
  MeshDeps,
  MeshEvent,
  MeshProtocol,
  MeshSelf,
  MeshTimerId,
  Forwarding,
  MeshTopic,
  NeedSignatures,
  OwnLinkView,
  PathView,
  ReadForeignProof,
  RelayView,
  RouteDetail,
  SignatureHandling,
  QuarantineView,
  Release,
  ReleaseRefusal,
  RouteView,
  ZoneRouteView,
  ZoneView,
  StoredEvidence,
} from "./machine-types.ts";
export { meshMetrics } from "./metrics.ts";
export { depthOfSize } from "./zones/depth.ts";
export { Rendezvous } from "./zones/rendezvous.ts";
export { autoZone, startingZone } from "./zones/zone-names.ts";

export { gossipDegree, meshDefaults, type MeshOptions } from "./options.ts";
export {
  beaconContext,
  beaconKinds,
  beaconLimits,
  chainContext,
  decodeStateBeacon,
  encodeStateBeacon,
  type LearningStatus,
  type NeighbourReport,
  type StateBeacon,
} from "./beacons/state-beacon.ts";
export { decodeHeartbeat, encodeHeartbeat, type Heartbeat } from "./beacons/heartbeat.ts";
export { encodeForeignProof } from "./beacons/contradiction.ts";
export { decodeProof, encodeProof } from "./beacons/equivocation.ts";
export { decodeRelease, encodeRelease, REASON_CHARS_MAX } from "./beacons/release.ts";
export { EVIDENCE_MAX } from "./membership/quarantine.ts";
export { linkCost } from "./links/cost.ts";
export { NACK_SHARE } from "./membership/probe-timeout.ts";
export { suspicionTimeoutMs } from "./membership/suspicion.ts";
export { ShortestPaths } from "./routing/shortest-paths.ts";
export { type Edge, type Graph, Topology } from "./topology/topology.ts";
export {
  decodeSummary,
  encodeSummary,
  summaryContext,
  summaryLimits,
  type ZoneSummary,
} from "./zones/summary.ts";
