// The control API's view of a daemon: gathers what the parts know, and passes orders on.

import type { AuditLog } from "../adapters/audit/audit-log.ts";
import type { ProcessMeter } from "../adapters/telemetry/process-meter.ts";
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
  Federation as FederationList,
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
  Health,
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
  Peer,
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
import type { CryptoEngine, EngineSwitch } from "../crypto/index.ts";
import { toHex } from "../foundation/index.ts";
import { type RaisedCondition, type SymptomCode, symptoms } from "../healing/index.ts";
import {
  bundleDigest,
  certificatesOf,
  describeCertificate,
  type NodeKeys,
} from "../identity/index.ts";
import type { MemberView, ZoneView } from "../mesh/index.ts";
import { Network } from "../adapters/libp2p/network.ts";
import type { ListedForward } from "../adapters/tunnel/tunnels.ts";
import { systemClock } from "../adapters/clock.ts";
import { authorityControl } from "./trust/authority-view.ts";
import type { ConfigView } from "./config-view.ts";
import { draftOfEntry, entriesOf } from "./entry-view.ts";
import type { Federation } from "./federation.ts";
import {
  explainedOf,
  exportOf,
  healingOf,
  incidentOf,
  similarOf,
} from "./healing/incident-view.ts";
import type { HealingMemory } from "./healing/memory.ts";
import type { HealingLoop } from "./healing/healing-loop.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { LogLevelSwitch } from "./log-level.ts";
import type { Member } from "./member.ts";
import type { Operations } from "./operations.ts";
import type { Access } from "./policy.ts";
import { policyAnswer } from "./policy-view.ts";
import { classicalHealthOf, svidHealthOf } from "./svid-health.ts";
import { draftOf } from "./task-manifest.ts";
import { quarantinedCalled, quarantineOf } from "./quarantine-view.ts";
import { linksOf, routeOf } from "./route-view.ts";
import { type SocketName, socketNames, type SocketPart } from "./socket-part.ts";
import { workloadHealth } from "./workload/health.ts";

export interface SurfaceParts {
  readonly config: Config;
  readonly version: string;
  readonly prom: PromMeter;
  readonly process: ProcessMeter;
  readonly lifecycle: Lifecycle;
  readonly keys: NodeKeys;
  readonly engine: CryptoEngine;
  readonly engines: Pick<EngineSwitch, "isSound">;
  readonly store: StateStore;
  readonly audit: Pick<AuditLog, "problem">;
  readonly logLevel: LogLevelSwitch;
  readonly epoch: number;
  readonly operations: Operations;
  readonly access: Access;
  readonly federation: Federation;
  readonly configView: ConfigView;
  readonly healing: () => HealingLoop;
  readonly memory: HealingMemory;
  readonly sockets: () => Partial<Record<SocketName, SocketPart | undefined>>;
}

/** A health entry whose code the catalogue knows. */
type Condition = Health & { readonly code: SymptomCode };

/** Rounds in a row without a new model that are told as a condition of the node's health. */
const VOID_ROUNDS_TOLD = 3;

export class ControlSurface implements NodeControl {
  readonly #parts: SurfaceParts;
  readonly #metricsAddress: () => string | null;
  readonly #reload: () => void;
  readonly #startedAt = new Date().toISOString();

  constructor(parts: SurfaceParts, metricsAddress: () => string | null, reload: () => void) {
    this.#parts = parts;
    this.#reload = reload;
    this.#metricsAddress = metricsAddress;
  }

  status(): Body<Status> {
    const { config, version, lifecycle, epoch, engine, keys, process: meter } = this.#parts;
    const { member, state } = lifecycle;
    const identity = member?.svid.identity;
    const health = this.health();
    const isDegraded = state === "running" && health.some(({ severity }) => severity !== "info");
    const running = state === "running" ? member : undefined;
    return {
      node: {
        state: isDegraded ? "degraded" : state,
        name: identity?.name ?? null,
        nodeId: keys.nodeId,
        peerId: this.#peerId(),
        spiffeId: identity?.spiffeId ?? null,
        trustDomain: identity?.trustDomain ?? null,
        version,
        startedAt: this.#startedAt,
        epoch,
        zone: running?.mesh.zone ?? config.mesh.zone,
        ...(running === undefined ? {} : zoneCounts(running)),
        roles: member?.roles ?? [],
        engine: engine.name,
        handshakePolicy: config.mesh.handshakePolicy,
        addresses: running?.network.addresses() ?? [],
        metricsAddress: this.#metricsAddress(),
        pid: process.pid,
      },
      svid: member === undefined ? null : svidOf(member, config.identity.source),
      peers: this.peers().peers,
      health,
      learning: running?.learning.reports.status() ?? null,
      process: meter.read(),
    };
  }

  peers(): Body<Peers> {
    const { member } = this.#parts.lifecycle;
    return { peers: member?.mesh.members().map((view) => peerOf(member, view)) ?? [] };
  }

  beacons(): Body<Beacons> {
    const { member } = this.#parts.lifecycle;
    const nowMs = systemClock.now().monoMs;
    const links = member?.mesh.topology() ?? [];
    const nameOf = (nodeId: string): string => member?.nameOf(nodeId) ?? nodeId;
    return {
      beacons:
        member?.mesh.members().map((view) => ({
          name: nameOf(view.nodeId),
          nodeId: view.nodeId,
          epoch: view.epoch,
          sequence: view.sequence,
          ageMs: Math.max(0, nowMs - view.lastBeaconAtMs),
          heartbeatIndex: view.heartbeatIndex,
          addresses: [...view.addresses],
          zone: view.zone,
          roles: [...view.roles],
          neighbours: links.flatMap(({ a, b }) =>
            a === view.nodeId ? [nameOf(b)] : b === view.nodeId ? [nameOf(a)] : [],
          ),
        })) ?? [],
      counters: {
        accepted: this.#counts("meshd_mesh_beacons_accepted_total", "kind"),
        rejected: this.#counts("meshd_mesh_beacons_rejected_total", "code"),
      },
    };
  }

  zones(): Body<Zones> {
    const { lifecycle, config } = this.#parts;
    const { member } = lifecycle;
    const setting = config.mesh.zone;
    if (member === undefined) return { setting, zone: setting, zones: [] };
    return {
      setting,
      zone: member.mesh.zone,
      zones: member.mesh.zones().map((view) => zoneOf(member, view)),
    };
  }

  identity(): Body<Identity> {
    const { keys, engine, lifecycle } = this.#parts;
    const { member } = lifecycle;
    const identity = member?.svid.identity;
    return {
      nodeId: keys.nodeId,
      peerId: this.#peerId(),
      spiffeId: identity?.spiffeId ?? null,
      trustDomain: identity?.trustDomain ?? null,
      ed25519PublicKey: toHex(keys.ed25519.publicKey),
      mldsa65PublicKeyDigest: toHex(engine.sha256(keys.mldsa65.publicKey)),
      chain: certificatesOf(identity?.chain ?? [])
        .map(describeCertificate)
        .map(({ notBeforeMs, notAfterMs, ...names }) => ({
          ...names,
          notBefore: isoTime(notBeforeMs),
          notAfter: isoTime(notAfterMs),
        })),
      bundle:
        member === undefined
          ? null
          : {
              sequence: member.bundle.sequence,
              digest: toHex(bundleDigest(engine, member.bundle)),
              authorities: member.bundle.authorities.length,
            },
      isIssuer: member?.isIssuer ?? false,
    };
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
    const found = await member.lookup.find(target);
    if (found.source === "mesh") {
      const { nodeId, zone, epoch, sequence, ...peer } = {
        ...found.view,
        ...peerOf(member, found.view),
      };
      const { name, spiffeId, peerId, addresses } = peer;
      return {
        node: { nodeId, name, spiffeId, peerId, zone, addresses, epoch, sequence, source: "mesh" },
      };
    }
    const { identity, zone, addresses, epoch, sequence } = found.record;
    const { nodeId, name, spiffeId, ed25519 } = identity;
    const peerId = Network.peerIdOf(ed25519).toString();
    return {
      node: {
        ...{ nodeId, name, spiffeId, peerId, zone, addresses: [...addresses], epoch, sequence },
        source: "dht",
      },
    };
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

  federation(): Body<FederationList> {
    return this.#parts.federation.list();
  }

  federate(request: FederateRequest): Promise<Body<FederationList>> {
    return this.#parts.federation.add(request);
  }

  refreshFederation({ trustDomain }: FederatedRequest): Promise<Body<FederationList>> {
    return this.#parts.federation.refresh(trustDomain);
  }

  unfederate({ trustDomain }: FederatedRequest): Body<FederationList> {
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
    return entriesOf(this.#parts.lifecycle.requireMember().entries, this.#parts.store);
  }

  createEntry(request: EntryCreateRequest): Body<Entries> {
    const { entries: book } = this.#parts.lifecycle.requireMember();
    const made = book.create(draftOfEntry(request), systemClock.now().wallMs);
    return entriesOf(book, this.#parts.store, [made]);
  }

  deleteEntry({ id }: EntryRequest): Body<Entries> {
    const { entries: book } = this.#parts.lifecycle.requireMember();
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

  /** Ready: enrolled, in the mesh, with an SVID that has not expired. */
  readiness(): Readiness {
    const { lifecycle } = this.#parts;
    const errors = this.health().filter(({ severity }) => severity === "error");
    const { state } = lifecycle;
    const reasons: SymptomCode[] = [
      ...(state === "running" ? [] : [`node/${state}` as const]),
      ...errors.map(({ code }) => code),
    ];
    return { ready: reasons.length === 0, reasons };
  }

  #peerId(): string {
    return Network.peerIdOf(this.#parts.keys.ed25519.publicKey).toString();
  }

  #counts(metric: string, label: string): Record<string, number> {
    const rows = this.#parts.prom.snapshot(metric).filter(({ value }) => value > 0);
    return Object.fromEntries(rows.map(({ labels, value }) => [labels[label] ?? "", value]));
  }

  /** What `meshctl status` shows as health. */
  health(): Condition[] {
    const raised = this.raised();
    const told = new Map(raised.map((one) => [one.code, one]));
    for (const one of this.#parts.healing().found())
      if (!told.has(one.code)) told.set(one.code, one);
    return [...told.values()].map(conditionOf);
  }

  /** What the parts of the node say is wrong with them. */
  raised(): RaisedCondition[] {
    const { config, lifecycle } = this.#parts;
    const { member, problem, state } = lifecycle;
    const health: RaisedCondition[] = [];
    if (problem !== undefined) health.push({ code: problem.code, message: problem.message });
    const { sourceProblem } = lifecycle;
    if (sourceProblem !== undefined)
      health.push({ code: "identity/source-silent", message: sourceProblem.message });
    if (state === "unenrolled" && problem === undefined && config.identity.source === "issuer") {
      health.push({
        code: "node/unenrolled",
        message: "In no mesh yet: run meshctl init or meshctl join.",
      });
    }
    if (state === "starting")
      health.push({ code: "node/starting", message: "Joins the mesh: in a moment it is there." });
    if (state === "stopping")
      health.push({ code: "node/stopping", message: "Leaves the mesh, as it was told to." });
    if (!this.#parts.engines.isSound) {
      health.push({
        code: "crypto/engine-unsound",
        message: "The crypto engine fails its self-test: another one takes over, or restart meshd.",
      });
    }
    if (member !== undefined) health.push(...memberHealth(member));
    for (const subject of socketNames) {
      const socket = this.#parts.sockets()[subject];
      if (socket?.isGone !== true) continue;
      const message = `Nobody can call ${socket.path}: its file was removed or replaced. It is made again, or restart meshd.`;
      health.push({ code: "node/socket-gone", subject, message });
    }
    if (member?.isLive() === false) {
      health.push({
        code: "node/stalled",
        message: "The mesh machine has stopped working. Restart meshd, and report its log.",
      });
    }
    const stale = this.#parts.federation.stale();
    if (stale.length > 0) {
      health.push({
        code: "federation/stale",
        message: `The trust bundle of ${stale.join(", ")} could not be refreshed: see meshctl trust federate list.`,
      });
    }
    const { problem: auditProblem } = this.#parts.audit;
    if (auditProblem !== undefined) {
      const { code, message } = auditProblem;
      health.push({ code, message });
    }
    const { writeError } = this.#parts.store;
    if (writeError !== undefined) {
      health.push({ code: writeError.code, message: writeError.message });
    }
    if (config.learning.adversary) {
      health.push({
        code: "learning/adversary",
        message: "Lab only: this node poisons its updates when a task asks for it.",
      });
    }
    const { level, configured } = this.#parts.logLevel;
    if (level !== configured) {
      health.push({
        code: "node/log-level",
        message: `Logs at ${level} until the next start or reload; the configuration says ${configured}.`,
      });
    }
    return [...health, ...this.#parts.healing().raised()];
  }
}

function conditionOf({ code, message }: RaisedCondition): Condition {
  return { code, severity: symptoms[code].severity, message };
}

function tunnelsOf(member: Member | undefined, forwards: readonly ListedForward[]): Body<Tunnels> {
  return {
    exposed: (member?.tunnels.exposed ?? []).map(({ port, target, origin }) => ({
      port,
      host: target.host,
      targetPort: target.port,
      origin,
    })),
    forwards: forwards.map(({ listen, peer, remotePort, origin, problem }) => ({
      host: listen.host,
      port: listen.port,
      ...(member?.peerOf(peer) ?? { peer, nodeId: "" }),
      remotePort,
      origin,
      problem: problem ?? null,
    })),
  };
}

/** Why an SVID that has not expired is refused by all. */
const svidProblems = ["identity/revoked", "identity/untrusted"] as const;

function memberHealth(member: Member): RaisedCondition[] {
  const health: RaisedCondition[] = [];
  const { kernelProblem } = member.learning;
  if (kernelProblem !== undefined) {
    health.push({
      code: "learning/kernels-unavailable",
      message: kernelProblem.message,
    });
  }
  const { voidRounds } = member.learning;
  if (voidRounds >= VOID_ROUNDS_TOLD) {
    health.push({
      code: "learning/rounds-void",
      message: `The last ${voidRounds} rounds brought no new model: too few updates came. See meshctl fl status: who is silent?`,
    });
  }
  const { splitRound } = member.learning;
  if (splitRound !== undefined) {
    health.push({
      code: "learning/split",
      message: `All results of round ${splitRound} are in and none has a quorum: participants compute it unlike. Compare their versions and meshctl fl explain.`,
    });
  }
  if (member.workloads !== undefined) health.push(...workloadHealth(member.workloads));
  health.push(...svidHealthOf(member.svid, systemClock.now().wallMs), ...classicalHealthOf(member));
  if (member.issuing?.keeper?.isEnding === true) {
    health.push({
      code: "identity/authority-ending",
      message:
        "The authority that signs ends soon and no other one is prepared. Run meshctl trust authority prepare, or see the log why it is not done unattended.",
    });
  }
  const problem = svidProblems.find((code) => code === member.svidProblem);
  if (problem !== undefined) {
    health.push({
      code: problem,
      message:
        "This node's SVID is no longer good: it was shut out, or the authority that signed it was revoked. Join again with a new token, in a new state directory.",
    });
  }
  const members = member.mesh.members();
  const quarantined = members.filter(({ state }) => state === "quarantined");
  if (quarantined.length > 0) {
    health.push({
      code: "mesh/quarantined",
      message: `${quarantined.length} member(s) proven to equivocate: see meshctl quarantine list.`,
    });
  }
  if (member.learning.trainer.isAbsent) {
    health.push({
      code: "learning/trainer-absent",
      message:
        "A task waits for this node's own trainer, and none is attached. Start it: docs/trainers.md.",
    });
  }
  // The dead count: whoever is cut off holds all others for dead before long.
  const others = members.filter(({ state }) => state !== "left");
  if (others.length > 0 && !others.some(({ connected }) => connected)) {
    health.push({
      code: "mesh/isolated",
      message: "No peer is connected although members are known: check the network.",
    });
  }
  return health;
}

function svidOf(
  { svid }: Member,
  source: Config["identity"]["source"],
): NonNullable<Status["svid"]> {
  const { notBeforeMs, notAfterMs, serialNumber, isClassical = false } = svid.identity;
  return {
    notBefore: isoTime(notBeforeMs),
    notAfter: isoTime(notAfterMs),
    renewAt: isoTime(svid.renewAtMs),
    graceEnd: isoTime(svid.graceEndMs),
    serialNumber,
    source,
    classical: isClassical,
  };
}

function peerOf(member: Member, view: MemberView): Peer {
  const identity = member.identities.lookup(view.nodeId);
  const relay = member.network.relayTo(view.nodeId);
  return {
    name: member.nameOf(view.nodeId),
    nodeId: view.nodeId,
    peerId: identity === undefined ? "" : Network.peerIdOf(identity.ed25519).toString(),
    spiffeId: identity?.spiffeId ?? "",
    state: view.state,
    connected: view.connected,
    suite: member.network.suiteOf(view.nodeId) ?? null,
    relay: relay === undefined ? null : member.nameOf(relay),
    rttMs: view.rttMs ?? null,
    lossRatio: view.lossRatio ?? 0,
    lastBeaconAgeMs: Math.max(0, systemClock.now().monoMs - view.lastBeaconAtMs),
    epoch: view.epoch,
    sequence: view.sequence,
    addresses: [...view.addresses],
    lastErrorCode: view.lastErrorCode ?? null,
    score: member.network.scoreOf(view.nodeId) ?? null,
    reputation: Math.round(view.reputation),
  };
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

function zoneCounts({ mesh }: Member): { zoneMembers: number; zonesKnown: number } {
  const zones = mesh.zones();
  return { zoneMembers: zones.find(({ own }) => own)?.members ?? 0, zonesKnown: zones.length };
}

function zoneOf(member: Member, view: ZoneView): Zones["zones"][number] {
  const { zone, own, members, load, publisher, sequence, issuedAtMs, digest } = view;
  const nowMs = systemClock.now().monoMs;
  const route = member.mesh.zoneRoute(zone);
  const isTold =
    publisher !== undefined &&
    sequence !== undefined &&
    issuedAtMs !== undefined &&
    digest !== undefined;
  return {
    ...{ zone, own, members, load },
    gateways: view.gateways.map((nodeId) => ({ name: member.nameOf(nodeId), nodeId })),
    neighbours: view.neighbours.map((link) => ({ ...link })),
    summary: isTold
      ? { publisher, sequence, ageMs: Math.max(0, nowMs - issuedAtMs), membership: digest }
      : null,
    route:
      route === undefined
        ? null
        : {
            zones: [...route.zones],
            cost: route.cost,
            via: route.via.map((nodeId) => member.nameOf(nodeId)),
          },
  };
}
