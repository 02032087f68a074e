// What the daemon's composition root implements: the control API without HTTP.

import type { AuditListRequest, AuditVerifyRequest } from "./audit-contract.ts";
import type {
  AuditList,
  AuditVerified,
  Beacons,
  Doctor,
  EffectiveConfig,
  Enrolled,
  Entries,
  Federation,
  OwnBundle,
  FlStarted,
  FlStartRequest,
  FlStatus,
  FlStopped,
  Identity,
  InitRequest,
  JoinRequest,
  LinksAnswer,
  LogLevelRequest,
  LogState,
  LookedUp,
  Logs,
  Metrics,
  Peers,
  PolicyChecked,
  PolicyReloaded,
  HealingStatus,
  IncidentExplained,
  Incidents,
  SimilarIncidents,
  Quarantine,
  RouteAnswer,
  Status,
  Anchor,
  Token,
  TokenRequest,
  Tunnels,
  Zones,
} from "./contract.ts";
import type {
  FlExplained,
  FlPushed,
  FlExplainRequest,
  FlRun,
  FlRunRequest,
  FlScopeRequest,
} from "./learning-contract.ts";
import type { EntryCreateRequest, EntryRequest } from "./entry-contract.ts";
import type { LookupRequest } from "./lookup-contract.ts";
import type { BackupRequest } from "./operations-contract.ts";
import type { PolicyCheckRequest } from "./policy-contract.ts";
import type { AuthorityControl } from "./authority-contract.ts";
import type { FederatedRequest, FederateRequest } from "./federation-contract.ts";
import type { FreezeRequest, IncidentRequest, IncidentsRequest } from "./healing-contract.ts";
import type { ReleaseRequest } from "./quarantine-contract.ts";
import type { RouteRequest } from "./route-contract.ts";
import type { TrainerControl } from "./trainer-contract.ts";
import type { CloseTunnelRequest, ExposeRequest, ForwardRequest } from "./tunnel-contract.ts";

/** An answer before the API puts `schemaVersion` on it. */
export type Body<Answer> = Omit<Answer, "schemaVersion">;

type Awaitable<T> = T | Promise<T>;

/** A node as its operator sees it. Any method may throw a MeshError, which becomes the API's error. */
export interface NodeControl {
  status(): Awaitable<Body<Status>>;
  peers(): Awaitable<Body<Peers>>;
  beacons(): Awaitable<Body<Beacons>>;
  zones(): Awaitable<Body<Zones>>;
  identity(): Awaitable<Body<Identity>>;
  flStatus(): Awaitable<Body<FlStatus>>;
  /** @throws MeshError such as `control/not-enrolled`, `control/task-running`, `control/unknown-participant` */
  flStart(request: FlStartRequest): Awaitable<Body<FlStarted>>;
  /** The side that local trainers see. @throws MeshError `control/not-enrolled` */
  trainer(): TrainerControl;
  /** A task as the operator wrote it, checked and, unless it is a dry run, started. @throws as {@link flStart} and `learning/bad-task` */
  flRun(request: FlRunRequest): Awaitable<FlRun>;
  /** `taskId` is `null` when nothing was running. @throws MeshError `control/disabled` without the right to stop it for all */
  flStop(request: FlScopeRequest): Awaitable<Body<FlStopped>>;
  /** Goes on with the last task. @throws MeshError `control/task-running`, `control/no-task`, `control/disabled` */
  flResume(request: FlScopeRequest): Awaitable<Body<FlStopped>>;
  /** @throws MeshError `control/no-task`, `control/no-round` */
  flExplain(request: FlExplainRequest): Awaitable<FlExplained>;
  /** The model after the last round, as safetensors. @throws MeshError `control/no-task`, `control/no-round` */
  flModel(): Awaitable<Uint8Array>;
  /** A model for tasks to start from. @throws MeshError `control/not-enrolled`, `learning/bad-tensors` and the like */
  flPush(file: AsyncIterable<Uint8Array>): Awaitable<FlPushed>;
  /** Makes the root of a new trust domain and enrols this node in it. @throws MeshError `control/already-enrolled` */
  init(request: InitRequest): Awaitable<Body<Enrolled>>;
  /** Enrols this node with a one-time token. @throws MeshError `control/already-enrolled` and what attestation throws */
  join(request: JoinRequest): Awaitable<Body<Enrolled>>;
  /** What hosts need that join by evidence; no secret. @throws MeshError `control/not-issuer`, `control/not-enrolled` */
  anchor(): Awaitable<Body<Anchor>>;
  /** @throws MeshError `control/not-issuer`, `control/not-enrolled` */
  createToken(request: TokenRequest): Awaitable<Body<Token>>;
  /** The own links as they are measured. */
  links(): Awaitable<Body<LinksAnswer>>;
  /** @throws MeshError `control/unknown-peer`, `control/ambiguous-peer`, `control/not-enrolled` */
  route(request: RouteRequest): Awaitable<Body<RouteAnswer>>;
  /** @throws MeshError `lookup/malformed`, `lookup/other-domain`, `lookup/not-found`, `lookup/busy`, `control/not-enrolled` */
  lookup(request: LookupRequest): Awaitable<Body<LookedUp>>;
  tunnels(): Awaitable<Body<Tunnels>>;
  /** Adds an exposed port, or replaces it; gives all. @throws MeshError `tunnel/too-many`, `control/not-enrolled` */
  expose(request: ExposeRequest): Awaitable<Body<Tunnels>>;
  /** Gives the new forward alone. @throws MeshError `control/unknown-peer`, `tunnel/port-taken`, `tunnel/too-many` */
  forward(request: ForwardRequest): Awaitable<Body<Tunnels>>;
  /** Gives what is left. @throws MeshError `tunnel/unknown` */
  closeTunnel(request: CloseTunnelRequest): Awaitable<Body<Tunnels>>;
  healing(): Awaitable<Body<HealingStatus>>;
  /** Gives the state after it. @throws MeshError `state/write-failed`, `audit/write-failed` */
  freezeHealing(request: FreezeRequest): Awaitable<Body<HealingStatus>>;
  /** The newest first. */
  incidents(request: IncidentsRequest): Awaitable<Body<Incidents>>;
  /** @throws MeshError `control/unknown-incident` */
  incident(request: IncidentRequest): Awaitable<Body<IncidentExplained>>;
  /** Past incidents like this one. @throws MeshError `control/unknown-incident` */
  similarIncidents(request: IncidentRequest): Awaitable<Body<SimilarIncidents>>;
  /** All own incidents, the oldest first, as lines of JSON. */
  exportIncidents(): AsyncIterable<Uint8Array>;
  /** Nodes in quarantine and those released, the newest last. */
  quarantine(): Awaitable<Body<Quarantine>>;
  /** Gives the released node alone. @throws MeshError `mesh/not-allowed`, `mesh/not-quarantined`, `mesh/epochs-used-up` */
  release(request: ReleaseRequest): Awaitable<Body<Quarantine>>;
  /** Why the policy gives a right, or does not. @throws MeshError `control/bad-request` for what is no right */
  checkPolicy(request: PolicyCheckRequest): Awaitable<Body<PolicyChecked>>;
  /** Reads the configuration file again, as SIGHUP does. @throws MeshError `config/*`; the old policy stays */
  reloadPolicy(): Awaitable<Body<PolicyReloaded>>;
  authorities(): AuthorityControl;
  federation(): Awaitable<Body<Federation>>;
  /** @throws MeshError `control/not-enrolled` */
  ownBundle(): Awaitable<Body<OwnBundle>>;
  /** SPIFFE's bundle map: ours and those of all federated trust domains. @throws MeshError `control/not-enrolled` */
  bundleMap(): Awaitable<Body<OwnBundle>>;
  /** Gives the new one alone. @throws MeshError `federation/*` */
  federate(request: FederateRequest): Awaitable<Body<Federation>>;
  /** @throws MeshError `federation/*` */
  refreshFederation(request: FederatedRequest): Awaitable<Body<Federation>>;
  /** Gives what is left. @throws MeshError `federation/unknown` */
  unfederate(request: FederatedRequest): Awaitable<Body<Federation>>;
  /** Entries of the audit log, the oldest first. */
  audit(request: AuditListRequest): Awaitable<Body<AuditList>>;
  /** @throws MeshError `audit/unreadable`, `audit/head-forged` */
  verifyAudit(request: AuditVerifyRequest): Awaitable<Body<AuditVerified>>;
  /** The registration entries of this issuer, the oldest first. @throws MeshError `control/not-issuer`, `control/not-enrolled` */
  entries(): Awaitable<Body<Entries>>;
  /** Gives the new entry alone. @throws MeshError as above, `identity/entry-invalid`, `identity/entry-exists`, `identity/entries-full` */
  createEntry(request: EntryCreateRequest): Awaitable<Body<Entries>>;
  /** Gives the deleted entry alone. @throws MeshError as above, `identity/entry-unknown` */
  deleteEntry(request: EntryRequest): Awaitable<Body<Entries>>;
  log(): Awaitable<Body<LogState>>;
  /** Lasts until the next start or reload. */
  setLogLevel(request: LogLevelRequest): Awaitable<Body<LogState>>;
  /** What the daemon runs with. */
  config(): Awaitable<Body<EffectiveConfig>>;
  doctor(): Awaitable<Body<Doctor>>;
  logs(): Awaitable<Body<Logs>>;
  metrics(): Awaitable<Body<Metrics>>;
  /** An encrypted backup of the state, as the bytes of its file. @throws MeshError `backup/*`, `state/*` */
  backup(request: BackupRequest): Awaitable<AsyncIterable<Uint8Array>>;
}
