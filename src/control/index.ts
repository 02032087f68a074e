// The control room's door: the contract, the API over a NodeControl, and its client.

export { createControlApp, errorAnswer, type UnexpectedErrorListener } from "./app.ts";
export type { ControlRight } from "./routes.ts";
export {
  BACKUP_HEADER_BYTES,
  type BackupErrorCode,
  backupKey,
  newBackupHeader,
  parseBackupHeader,
} from "./backup-header.ts";
export {
  auditLimits,
  type AuditListRequest,
  auditProblemKinds,
  type AuditVerifyRequest,
} from "./audit-contract.ts";
export type { PolicyCheckRequest } from "./policy-contract.ts";
export type {
  ActivateRequest,
  AuthorityControl,
  RevokeNodeRequest,
  RevokeRequest,
  TaintRequest,
} from "./authority-contract.ts";
export type { FederatedRequest, FederateRequest } from "./federation-contract.ts";
export { ControlClient, type ControlClientOptions } from "./client.ts";
export {
  type AuditList,
  type Authorities,
  type AuditVerified,
  auditVerifiedSchema,
  type Backup,
  backupSchema,
  type Beacons,
  CONTROL_SCHEMA_VERSION,
  controlLimits,
  type Doctor,
  doctorSchema,
  type EffectiveConfig,
  effectiveConfigSchema,
  type Enrolled,
  type Entries,
  type ErrorAnswer,
  errorSchema,
  type Federation,
  type OwnBundle,
  type FlStarted,
  type FlStartRequest,
  type FlStatus,
  type FlStopped,
  flStartRequestSchema,
  type Health,
  type Identity,
  type InitRequest,
  initRequestSchema,
  type JoinRequest,
  joinRequestSchema,
  type LinksAnswer,
  logLevels,
  type LogLevelRequest,
  type LogState,
  type LookedUp,
  type Logs,
  type Metrics,
  type Peer,
  type Peers,
  type PolicyChecked,
  type PolicyReloaded,
  type HealingStatus,
  type IncidentExplained,
  type Incidents,
  type SimilarIncidents,
  type Quarantine,
  type Restored,
  restoredSchema,
  type RouteAnswer,
  type Status,
  type Anchor,
  type Token,
  type TokenRequest,
  tokenRequestSchema,
  type Tunnels,
  type Zones,
} from "./contract.ts";
export {
  type ControlErrorCode,
  type ErrorStatus,
  type ExitStatus,
  exitStatus,
  statusOfError,
} from "./errors.ts";
export { answerOffline, MAINTENANCE_OPTION } from "./maintenance.ts";
export type { Body, NodeControl } from "./node-control.ts";
export {
  type BackupRequest,
  type CheckStatus,
  type DoctorCheck,
  type OfflineRequest,
  operationsLimits,
} from "./operations-contract.ts";
export {
  aggregators,
  attacks,
  type FlExplained,
  type FlPushed,
  type FlExplainRequest,
  type FlRun,
  type FlRunRequest,
  type FlScopeRequest,
  type LearningStatus,
  learningLimits,
  type Verdict,
} from "./learning-contract.ts";
export type { EntryCreateRequest, EntryRequest } from "./entry-contract.ts";
export {
  type FreezeRequest,
  incidentLimits,
  type IncidentRequest,
  type IncidentsRequest,
} from "./healing-contract.ts";
export type { ReleaseRequest } from "./quarantine-contract.ts";
export {
  type TrainerControl,
  type TrainerHeartbeat,
  type TrainerHeartbeatRequest,
  trainerLimits,
  type TrainerNext,
  type TrainerUpdated,
} from "./trainer-contract.ts";
export type { RouteRequest } from "./route-contract.ts";
export type { LookupRequest } from "./lookup-contract.ts";
export type { CloseTunnelRequest, ExposeRequest, ForwardRequest } from "./tunnel-contract.ts";
