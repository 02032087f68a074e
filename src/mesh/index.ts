// The door of the mesh room.

export { type BeaconRejectCode, beaconRejectCodes } from "./beacons/reject-codes.ts";
export type { MeshBuggifyPoint } from "./buggify.ts";
export { MeshMachine } from "./machine.ts";
export type {
  BeaconAcceptCode,
  EquivocationProof,
  GossipVerdict,
  IdentityDirectory,
  LearningStatus,
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
  MeshTopic,
  RouteView,
} from "./machine-types.ts";
export { meshMetrics } from "./metrics.ts";
export { meshDefaults, type MeshOptions } from "./options.ts";
export {
  beaconContext,
  beaconLimits,
  chainContext,
  decodeStateBeacon,
  encodeStateBeacon,
  type NeighbourReport,
  type StateBeacon,
} from "./beacons/state-beacon.ts";
export { decodeHeartbeat, encodeHeartbeat, type Heartbeat } from "./beacons/heartbeat.ts";
export { decodeProof, encodeProof } from "./beacons/equivocation.ts";
export { linkCost } from "./links/cost.ts";
export { suspicionTimeoutMs } from "./membership/suspicion.ts";
export { ShortestPaths } from "./routing/shortest-paths.ts";
export { type Graph, Topology } from "./topology/topology.ts";
