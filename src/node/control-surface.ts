// The control API of a daemon, a method for each route: orders go to the part that carries them out, and what is shown of a part is
// made in its `*-view.ts`.

import { systemClock } from "../adapters/clock.ts";
import type { PromMeter } from "../adapters/telemetry/prom-meter.ts";
import type { Readiness } from "../adapters/http/metrics-server.ts";
import type { StateStore } from "../adapters/sqlite/state-store.ts";
import type { Config } from "../config/index.ts";
import type {
  Anchor,
  AuditList,
  AuditListRequest,
  AuditVerified,
  AuditVerifyRequest,
  BackupRequest,
  AuthorityControl,
  Beacons,
  Body,
  CloseTunnelRequest,
  Doctor,
  EffectiveConfig,
  Enrolled,
  Entries,
  EntryCreateRequest,
  EntryRequest,
  ExposeRequest,
  FederatedRequest,
  FederateRequest,
  Federation as FederationAnswer,
  FlExplained,
  FlPushed,
  FlExplainRequest,
  FlRun,
  FlRunRequest,
  FlScopeRequest,
  FlStarted,
  FlStartRequest,
  FlStatus,
  FlStopped,
  FreezeRequest,
  HealingStatus,
  IncidentExplained,
  IncidentRequest,
  Incidents,
  IncidentsRequest,
  SimilarIncidents,
  ForwardRequest,
  Identity,
  InitRequest,
  JoinRequest,
  LinksAnswer,
  LogLevelRequest,
  LogState,
  Logs,
  LookedUp,
  LookupRequest,
  Metrics,
  NodeControl,
  OwnBundle,
  Peers,
  PolicyChecked,
  PolicyCheckRequest,
  PolicyReloaded,
  Quarantine,
  ReleaseRequest,
  RouteAnswer,
  RouteRequest,
  Status,
  Token,
  TokenRequest,
  TrainerControl,
  Tunnels,
  Zones,
} from "../control/index.ts";
import type { CryptoEngine } from "../crypto/index.ts";
import type { RaisedCondition } from "../healing/index.ts";
import type { ConfigView } from "./config-view.ts";
import { draftOfEntry, entriesOf } from "./entry-view.ts";
import type { Federation } from "./federation.ts";
import type { HealingLoop } from "./healing/healing-loop.ts";
import {
  explainedOf,
  exportOf,
  healingOf,
  incidentOf,
  similarOf,
} from "./healing/incident-view.ts";
import type { HealingMemory } from "./healing/memory.ts";
import { type Condition, type HealthDeps, NodeHealth } from "./health.ts";
import { identityOf } from "./identity-view.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { LogLevelSwitch } from "./log-level.ts";
import type { Operations } from "./operations.ts";
import { beaconsOf, lookedUpOf, peersOf } from "./peer-view.ts";
import { policyAnswer } from "./policy-view.ts";
import type { Access } from "./policy.ts";
import { quarantinedCalled, quarantineOf } from "./quarantine-view.ts";
import { linksOf, routeOf } from "./route-view.ts";
import { type StatusDeps, statusOf } from "./status-view.ts";
import { draftOf } from "./task-manifest.ts";
import { authorityControl } from "./trust/authority-view.ts";
import { tunnelsOf } from "./tunnel-view.ts";
import { zonesOf } from "./zone-view.ts";

/** What the answers are made of, beside what status and health need. */
export interface SurfaceParts extends StatusDeps, HealthDeps {
  readonly config: Config;
  readonly prom: PromMeter;
  readonly lifecycle: Lifecycle;
  readonly engine: CryptoEngine;
  readonly store: StateStore;
  readonly logLevel: LogLevelSwitch;
  readonly operations: Operations;
  readonly access: Access;
  readonly federation: Federation;
  readonly configView: ConfigView;
  readonly healing: () => HealingLoop;
  readonly memory: HealingMemory;
}

export class ControlSurface implements NodeControl {
  readonly #parts: SurfaceParts;
  readonly #health: NodeHealth;
  readonly #metricsAddress: () => string | null;
  readonly #reload: () => void;
  readonly #startedAt = new Date().toISOString();

  constructor(parts: SurfaceParts, metricsAddress: () => string | null, reload: () => void) {
    this.#parts = parts;
    this.#health = new NodeHealth(parts);
    this.#reload = reload;
    this.#metricsAddress = metricsAddress;
  }

  status(): Body<Status> {
    return statusOf(this.#parts, {
      startedAt: this.#startedAt,
      metricsAddress: this.#metricsAddress(),
      health: this.health(),
    });
  }

  peers(): Body<Peers> {
    return peersOf(this.#parts.lifecycle.member);
  }

  beacons(): Body<Beacons> {
    return beaconsOf(this.#parts.lifecycle.member, this.#parts.prom);
  }

  zones(): Body<Zones> {
    return zonesOf(this.#parts.lifecycle.member, this.#parts.config.mesh.zone);
  }

  identity(): Body<Identity> {
    const { lifecycle, keys, engine } = this.#parts;
    return identityOf(lifecycle.member, keys, engine);
  }

  flStatus(): Body<FlStatus> {
    return { learning: this.#parts.lifecycle.member?.learning.reports.status() ?? null };
  }

  async flStart(request: FlStartRequest): Promise<Body<FlStarted>> {
    const { taskId } = await this.flRun({ task: draftOf(request) });
    return { taskId };
  }

  flRun(request: FlRunRequest): Promise<FlRun> {
    return this.#parts.lifecycle.requireMember().learning.begin(request);
  }

  flExplain({ round }: FlExplainRequest): FlExplained {
    return this.#parts.lifecycle.requireMember().learning.reports.explain(round);
  }

  flPush(file: AsyncIterable<Uint8Array>): Promise<FlPushed> {
    return this.#parts.lifecycle.requireMember().learning.shelf.push(file);
  }

  flModel(): Uint8Array {
    return this.#parts.lifecycle.requireMember().learning.reports.model();
  }

  flStop({ scope = "mesh" }: FlScopeRequest): Body<FlStopped> {
    return { taskId: this.#parts.lifecycle.requireMember().learning.end(scope) };
  }

  flResume({ scope = "mesh" }: FlScopeRequest): Body<FlStopped> {
    return { taskId: this.#parts.lifecycle.requireMember().learning.goOn(scope) };
  }

  trainer(): TrainerControl {
    return this.#parts.lifecycle.requireMember().learning.trainer;
  }

  init(request: InitRequest): Promise<Body<Enrolled>> {
    return this.#parts.lifecycle.init(request);
  }

  join(request: JoinRequest): Promise<Body<Enrolled>> {
    return this.#parts.lifecycle.join(request);
  }

  anchor(): Body<Anchor> {
    return this.#parts.lifecycle.anchor();
  }

  createToken(request: TokenRequest): Body<Token> {
    return this.#parts.lifecycle.createToken(request);
  }

  links(): Body<LinksAnswer> {
    const { member } = this.#parts.lifecycle;
    return member === undefined ? { links: [] } : linksOf(member);
  }

  route(request: RouteRequest): Body<RouteAnswer> {
    return routeOf(this.#parts.lifecycle.requireMember(), request);
  }

  async lookup({ target }: LookupRequest): Promise<Body<LookedUp>> {
    const member = this.#parts.lifecycle.requireMember();
    return lookedUpOf(member, await member.lookup.find(target));
  }

  tunnels(): Body<Tunnels> {
    const { member } = this.#parts.lifecycle;
    return tunnelsOf(member, member?.tunnels.forwards ?? []);
  }

  expose({ port, host, targetPort }: ExposeRequest): Body<Tunnels> {
    this.#parts.lifecycle.requireMember().tunnels.expose(port, { host, port: targetPort });
    return this.tunnels();
  }

  async forward({ peer, host, port, remotePort }: ForwardRequest): Promise<Body<Tunnels>> {
    const member = this.#parts.lifecycle.requireMember();
    const forward = { peer: member.find(peer), remotePort };
    const listen = await member.tunnels.forward({ listen: { host, port }, ...forward });
    const made = { ...forward, listen, origin: "command" as const };
    return { ...tunnelsOf(member, [made]), exposed: [] };
  }

  closeTunnel({ kind, port }: CloseTunnelRequest): Body<Tunnels> {
    const { tunnels } = this.#parts.lifecycle.requireMember();
    if (kind === "exposed") tunnels.unexpose(port);
    else tunnels.unforward(port);
    return this.tunnels();
  }

  healing(): Body<HealingStatus> {
    return healingOf(this.#parts.healing());
  }

  freezeHealing({ frozen }: FreezeRequest): Body<HealingStatus> {
    this.#parts.healing().freeze(frozen);
    return this.healing();
  }

  incidents({ limit }: IncidentsRequest): Body<Incidents> {
    const incidents = this.#parts.healing().incidents(limit);
    return { incidents: incidents.map((one) => incidentOf(one, this.#nameOf)) };
  }

  incident({ id }: IncidentRequest): Body<IncidentExplained> {
    return explainedOf(this.#parts.healing().incident(id), this.#nameOf);
  }

  similarIncidents({ id }: IncidentRequest): Body<SimilarIncidents> {
    const healing = this.#parts.healing();
    return similarOf(healing.incident(id).id, healing.similar(id), this.#nameOf);
  }

  exportIncidents(): AsyncIterable<Uint8Array> {
    return exportOf(this.#parts.memory.own(), this.#nameOf);
  }

  /** A NodeId by the node's name; anything else is a name already. */
  readonly #nameOf = (id: string): string =>
    /^[0-9a-f]{64}$/.test(id) ? (this.#parts.lifecycle.member?.nameOf(id) ?? id.slice(0, 12)) : id;

  quarantine(): Body<Quarantine> {
    return quarantineOf(this.#parts.lifecycle.member);
  }

  release({ node, reason }: ReleaseRequest): Body<Quarantine> {
    const member = this.#parts.lifecycle.requireMember();
    const released = quarantinedCalled(member, node);
    member.release(released, reason);
    const { quarantine } = quarantineOf(member);
    return { quarantine: quarantine.filter(({ nodeId }) => nodeId === released) };
  }

  authorities(): AuthorityControl {
    return authorityControl(this.#parts.lifecycle.requireMember());
  }

  ownBundle(): Body<OwnBundle> {
    return this.#parts.federation.ownBundle();
  }

  bundleMap(): Body<OwnBundle> {
    return this.#parts.federation.bundleMap();
  }

  federation(): Body<FederationAnswer> {
    return this.#parts.federation.list();
  }

  federate(request: FederateRequest): Promise<Body<FederationAnswer>> {
    return this.#parts.federation.add(request);
  }

  refreshFederation({ trustDomain }: FederatedRequest): Promise<Body<FederationAnswer>> {
    return this.#parts.federation.refresh(trustDomain);
  }

  unfederate({ trustDomain }: FederatedRequest): Body<FederationAnswer> {
    return this.#parts.federation.remove(trustDomain);
  }

  checkPolicy(request: PolicyCheckRequest): Body<PolicyChecked> {
    const { access, configView } = this.#parts;
    return policyAnswer(access, configView, request);
  }

  reloadPolicy(): Body<PolicyReloaded> {
    this.#reload();
    const { access, configView } = this.#parts;
    return { rules: access.size, restartPending: configView.effective().restartPending };
  }

  audit(request: AuditListRequest): Body<AuditList> {
    return this.#parts.operations.auditEntries(request);
  }

  verifyAudit(request: AuditVerifyRequest): Promise<Body<AuditVerified>> {
    return this.#parts.operations.auditVerify(request);
  }

  entries(): Body<Entries> {
    return entriesOf(this.#parts.lifecycle.requireMember().trust.entries, this.#parts.store);
  }

  createEntry(request: EntryCreateRequest): Body<Entries> {
    const { entries: book } = this.#parts.lifecycle.requireMember().trust;
    const made = book.create(draftOfEntry(request), systemClock.now().wallMs);
    return entriesOf(book, this.#parts.store, [made]);
  }

  deleteEntry({ id }: EntryRequest): Body<Entries> {
    const { entries: book } = this.#parts.lifecycle.requireMember().trust;
    return entriesOf(book, this.#parts.store, [book.delete(id, systemClock.now().wallMs)]);
  }

  log(): Body<LogState> {
    const { level, configured } = this.#parts.logLevel;
    return { level, configured };
  }

  setLogLevel({ level }: LogLevelRequest): Body<LogState> {
    this.#parts.logLevel.set(level);
    return this.log();
  }

  config(): Body<EffectiveConfig> {
    return this.#parts.operations.config();
  }

  doctor(): Promise<Body<Doctor>> {
    const { operations, lifecycle } = this.#parts;
    return operations.doctor(this.status(), lifecycle.member?.network.observedIps() ?? []);
  }

  logs(): Body<Logs> {
    return this.#parts.operations.logs();
  }

  metrics(): Promise<Body<Metrics>> {
    return this.#parts.operations.metrics();
  }

  backup(request: BackupRequest): AsyncIterable<Uint8Array> {
    return this.#parts.operations.backup(request);
  }

  /** What `meshctl status` shows as health. */
  health(): Condition[] {
    return this.#health.conditions();
  }

  /** What the parts of the node say is wrong with them. */
  raised(): RaisedCondition[] {
    return this.#health.raised();
  }

  readiness(): Readiness {
    return this.#health.readiness();
  }
}
