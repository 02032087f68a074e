// A node that is enrolled: its trust, network, mesh and learning, from start to stop.

import { Network } from "../adapters/libp2p/network.ts";
import { topicOf } from "../adapters/libp2p/topics.ts";
import { Tunnels } from "../adapters/tunnel/tunnels.ts";
import type { StoredCredential } from "../adapters/sqlite/state-store.ts";
import type { Config } from "../config/index.ts";
import { errorCode, isMeshError, MeshError } from "../foundation/index.ts";
import { HandshakeLimiter, type PeerVerifier } from "../handshake/index.ts";
import {
  type NodeId,
  nodeIdOf,
  parseLeafKey,
  type PeerIdentity,
  type SvidHolder,
  type TrustBundle,
} from "../identity/index.ts";
import {
  meshDefaults,
  startingZone,
  MeshMachine,
  type MeshAction,
  type ReleaseRefusal,
} from "../mesh/index.ts";
import { IDENTITY_BYTES_MAX, IDENTITY_PROTOCOL, NodeIdentities } from "./identity-directory.ts";
import { Lookup } from "./lookup.ts";
import { NodeRecords } from "./node-record.ts";
import { roundEvidenceReader } from "./learning/round-evidence.ts";
import { MemberRepairs } from "./healing/member-repairs.ts";
import { Notices } from "./healing/notices.ts";
import { LearningService } from "./learning-service.ts";
import type { MemberDeps } from "./member-deps.ts";
import { memberCalled } from "./member-lookup.ts";
import { encryptersOf, networkOptions } from "./member-network.ts";
import { MeshService } from "./mesh-service.ts";
import { Reach, RELAY_ROLE } from "./reach.ts";
import { MemberTrust, refuseQuarantined } from "./trust/member-trust.ts";
import { OwnRecord } from "./own-record.ts";
import { Rejoin } from "./rejoin.ts";
import { Workloads } from "./workload/workloads.ts";

/** How often expiry and isolation are looked at: renewal times are hours, and a dial that fails costs little. */
const UPKEEP_MS = 5_000;

export interface MemberOptions {
  readonly config: Config;
  readonly credential: StoredCredential;
  readonly epoch: number;
  readonly version: string;
}

export class Member {
  readonly trust: MemberTrust;
  readonly mesh: MeshMachine;
  readonly network: Network;
  readonly learning: LearningService;
  readonly tunnels: Tunnels;
  readonly identities: NodeIdentities;
  readonly #deps: MemberDeps;
  readonly #config: Config;
  readonly #service: MeshService;
  #upkeepTimer: NodeJS.Timeout | undefined;
  readonly lookup: Lookup;
  readonly #records: NodeRecords;
  readonly #reach: Reach;
  readonly #rejoin: Rejoin;
  readonly workloads: Workloads | undefined;
  readonly #limiter: HandshakeLimiter;
  /** What healing can do here. */
  readonly repairs: MemberRepairs;
  readonly notices: Notices;
  /** The addresses that the own beacon tells. */
  #told = "";
  readonly #ownRecord: OwnRecord;
  /**
   * @throws MeshError `identity/expired` and the other codes of chain verification for a stored SVID that is no
   * longer good, `identity/bundle-malformed`, `identity/policy-invalid`
   */
  constructor(deps: MemberDeps, options: MemberOptions) {
    const { engine, meter, random, keys } = deps;
    const { config, credential, epoch } = options;
    this.#deps = deps;
    this.#config = config;
    this.#limiter = new HandshakeLimiter(deps.clock.now().monoMs);
    deps.access.bind(credential.trustDomain);
    const { clockSkewMs, issuerGraceMs: graceMs } = config.identity;
    this.trust = new MemberTrust(deps, config, credential, {
      network: () => this.network,
      mesh: () => this.mesh,
      identities: () => this.identities,
      reach: (nodeId) => this.#reachMember(nodeId),
      onRoles: () => this.#rolesChanged(),
      onBundle: () => this.workloads?.bundleChanged(),
      onSvid: (identity) => this.#svidChanged(identity),
    });
    this.#records = new NodeRecords({
      engine,
      verify: (chain, ed25519) => this.trust.standing.verify(chain, ed25519),
      clock: deps.clock,
      clockSkewMs,
    });
    this.identities = new NodeIdentities({
      verify: (chain, ed25519) => this.trust.standing.verify(chain, ed25519),
      request: (from, request) =>
        this.network.request(from, IDENTITY_PROTOCOL, request, {
          timeoutMs: 5_000,
          responseBytesMax: IDENTITY_BYTES_MAX,
        }),
      find: async (nodeId) => {
        const key = this.#records.keyOfNode(nodeId);
        return this.#records.admit(key, await this.network.findRecord(key)).identity;
      },
      logger: deps.logger,
      clock: deps.clock,
      toleranceMs: clockSkewMs + graceMs,
      self: keys.nodeId,
    });
    this.identities.add(this.svid.identity);
    this.network = this.#makeNetwork(options);
    this.mesh = new MeshMachine(
      {
        engine,
        signer: keys.mldsa65,
        self: {
          nodeId: keys.nodeId,
          epoch,
          addresses: [],
          zone: startingZone(config.mesh.zone, deps.store.zone(), keys.nodeId),
          roles: this.roles,
          svidNotAfterMs: this.svid.identity.notAfterMs,
        },
        identities: this.identities,
        allows: (spiffeId, right) =>
          right === "mesh.release"
            ? this.#mayRelease(spiffeId)
            : deps.access.allows(spiffeId, right),
        evidence: deps.store.evidence(),
        readForeignProof: roundEvidenceReader(engine),
        random,
        meter,
      },
      {
        clockSkewMs,
        svidGraceMs: graceMs,
        heartbeatIntervalMs: config.mesh.heartbeatIntervalMs,
        connectionsTarget: config.mesh.connectionsTarget,
      },
    );
    this.lookup = new Lookup({
      trustDomain: this.bundle.trustDomain,
      records: this.#records,
      members: () => this.mesh.members(),
      spiffeIdOf: (nodeId) => this.identities.lookup(nodeId)?.spiffeId,
      find: (key) => this.network.findRecord(key),
    });
    this.#reach = this.#makeReach();
    this.#ownRecord = new OwnRecord({
      ...{ records: this.#records, network: this.network, keys },
      ...{ clock: deps.clock, logger: deps.logger, identity: () => this.svid.identity },
      place: () => ({
        ...{ epoch: this.mesh.epoch, zone: this.mesh.zone },
        addresses: this.#reach.addresses(),
      }),
    });
    this.#rejoin = this.#makeRejoin();
    this.#service = this.#makeMeshService();
    this.workloads = this.#makeWorkloads();
    this.learning = this.#makeLearning();
    this.tunnels = new Tunnels({
      network: this.network,
      allows: (spiffeId, right) => deps.access.allows(spiffeId, right),
      find: (peer) => this.find(peer),
      reach: (nodeId) => this.#reachMember(nodeId),
      nameOf: (nodeId) => this.nameOf(nodeId),
      logger: deps.logger,
      meter,
      relayed: config.mesh.relayBulk,
    });
    this.repairs = this.#makeRepairs();
    this.notices = this.#makeNotices(epoch);
  }

  get bundle(): TrustBundle {
    return this.trust.bundle;
  }

  get svid(): SvidHolder {
    return this.trust.svid;
  }

  /** Where the other issuers are reached, one address each. */
  issuerAddresses(): string[] {
    return this.mesh.members().flatMap(({ nodeId, addresses }) => {
      const address = addresses.find((one) => !one.includes("/p2p-circuit"));
      const peerId = this.#peerIdOf(nodeId)?.toString();
      if (!this.trust.issuers.includes(nodeId) || address === undefined || peerId === undefined)
        return [];
      return [address.includes("/p2p/") ? address : `${address}/p2p/${peerId}`];
    });
  }

  /** What this node does for others, as its beacons tell. */
  get roles(): string[] {
    const isRelay = this.#config.mesh.relay === "server";
    return [...(this.trust.isIssuer ? ["issuer"] : []), ...(isRelay ? [RELAY_ROLE] : [])];
  }

  /** The name behind a NodeId, this node's included; its first digits when no identity is known. */
  nameOf(nodeId: string): string {
    return this.identities.lookup(nodeId as NodeId)?.name ?? nodeId.slice(0, 12);
  }

  /**
   * Lets a node out of quarantine, here and wherever this node may do so.
   * @throws MeshError `mesh/not-allowed`, `mesh/not-quarantined` and the machine's other refusals
   */
  release(nodeId: NodeId, reason: string): void {
    if (!this.#mayRelease(this.svid.identity.spiffeId)) throw releaseRefused("mesh/not-allowed");
    this.#deps.audit.record({
      event: "quarantine.release",
      subject: this.#subjectOf(nodeId),
      fields: { nodeId, reason },
    });
    const outcome = this.#service.release(nodeId, reason);
    if (!outcome.ok) throw releaseRefused(outcome.code);
  }

  /** The node that a text names. @throws MeshError `control/unknown-peer`, `control/ambiguous-peer` */
  find(peer: string): NodeId {
    return memberCalled(this.mesh.members(), this.bundle.trustDomain, peer).nodeId;
  }

  /** Name and NodeId of the node that a text names, as far as they are known now. */
  peerOf(text: string): { readonly peer: string; readonly nodeId: string } {
    try {
      const nodeId = this.find(text);
      return { peer: this.nameOf(nodeId), nodeId };
    } catch (error) {
      if (!isMeshError(error)) throw error;
      return { peer: text, nodeId: "" };
    }
  }

  /** Joins the mesh. @throws MeshError `network/port-taken`, `network/cannot-listen` */
  async start(): Promise<void> {
    const { network } = this;
    await network.start();
    await network.serve(
      IDENTITY_PROTOCOL,
      { requestBytesMax: 32, streamsPerPeerMax: 8, relayed: true },
      (_peer, request) => Promise.resolve(this.identities.answer(request)),
    );
    await this.trust.serve();
    await this.#service.start();
    // Connections that opened before the machine listened; a second report of one changes nothing.
    for (const peer of this.network.connectedPeers()) {
      this.#service.handle({ kind: "peer-connected", peer, addresses: [] });
    }
    this.#told = ""; // what was told before the machine ran was not heard
    this.#tellAddresses();
    this.network.subscribe(this.#noticeTopic(), (from, bytes) => this.notices.receive(from, bytes));
    await this.learning.start();
    await this.tunnels.start();
    const { expose, forward } = this.#config.tunnel;
    await this.tunnels.configure(expose, forward);
    await this.workloads?.start(this.#config.workloadApi.socket);
    this.#rejoin.upkeep();
    this.trust.start();
    this.#upkeepTimer = setInterval(() => this.#upkeep(), UPKEEP_MS);
  }

  /** Whether the mesh machine does its work. */
  isLive(): boolean {
    return this.#service.isProgressing();
  }

  /** How many timers the mesh machine has worked off, once it runs. */
  timersHandled(): number | undefined {
    return this.#service.timersHandled();
  }

  /** Tells the mesh that this node leaves, and closes everything. Idempotent. */
  async stop(): Promise<void> {
    clearInterval(this.#upkeepTimer);
    this.trust.stop();
    this.#rejoin.remember(true);
    this.tunnels.stop();
    await this.workloads?.stop();
    await this.learning.stop();
    await this.#service.stop();
    await this.network.stop();
  }

  /** Takes a changed configuration, when the policy is in force already: who lost the right to be here goes. */
  reload(config: Config): void {
    this.trust.standing.applyPolicy();
    this.#rejoin.bootstrap = config.mesh.bootstrap;
    void this.tunnels.configure(config.tunnel.expose, config.tunnel.forward);
  }

  #makeNetwork({ config, credential, version }: MemberOptions): Network {
    const { engine, random, clock, logger, meter, tracer, keys, keyFiles } = this.#deps;
    const verifier: PeerVerifier = {
      verifyChain: (chain, ed25519) => this.trust.standing.verify(chain, ed25519),
      parseLeafKey: (chain, ed25519) => parseLeafKey({ engine, chain, ed25519 }),
      nodeIdOf: (ed25519, mldsa65) => nodeIdOf(engine, ed25519, mldsa65),
      allowsJoin: ({ nodeId, spiffeId }) =>
        this.#deps.access.allows(spiffeId, "mesh.join") && !this.mesh.isQuarantined(nodeId),
    };
    return new Network(
      {
        ed25519Seed: keyFiles.seed("ed25519"),
        encrypters: encryptersOf(
          {
            ...{ engine, random, clock, logger, meter, tracer, limiter: this.#limiter },
            ...{ keys, verifier, svidChain: () => this.svid.identity.chain },
            acceptJoining: () => this.trust.isIssuer,
          },
          config.mesh.handshakePolicy,
          credential.trustDomain,
        ),
        logger,
        meter,
        tracer,
        monoMs: () => clock.now().monoMs,
        reputation: (nodeId) => this.mesh.reputation(nodeId),
        forwarding: (bytes, to) => this.mesh.forwarding(bytes, to),
        allowsMember: (peer) => this.trust.standing.mayBeHere(peer, "allows"),
        allowsUnauthenticated: () => this.#deps.access.permits(undefined, "mesh.join"),
        records: {
          validate: (key, record) => {
            refuseQuarantined(this.mesh, this.#records.admit(key, record).identity.nodeId);
          },
          select: (key, records) => this.#records.select(key, records),
        },
        onAuthenticated: (peer) => this.identities.add(peer),
        onConnected: (peer, addresses) => {
          logger.info(
            { name: peer.name, nodeId: peer.nodeId, suite: this.network.suiteOf(peer.nodeId) },
            "peer connected",
          );
          this.#rejoin.reached(peer.nodeId, addresses);
          this.learning.peerHere(peer.nodeId);
          this.#service.handle({ kind: "peer-connected", peer, addresses });
          this.trust.met(peer.nodeId);
        },
        onDisconnected: (nodeId) => {
          logger.info({ nodeId }, "peer disconnected");
          this.#service.handle({ kind: "peer-disconnected", nodeId });
        },
        onReachable: () => this.#tellAddresses(),
      },
      networkOptions(config, credential.trustDomain, version),
    );
  }

  #makeRepairs(): MemberRepairs {
    return new MemberRepairs({
      engine: this.#deps.engine,
      members: () => this.mesh.members(),
      isConnected: (nodeId) => this.network.isConnected(nodeId),
      isRelayed: (nodeId) => this.network.relayTo(nodeId) !== undefined,
      answers: (nodeId) =>
        this.network.ping(nodeId, meshDefaults.probeTimeoutMaxMs).then(
          (rttMs) => {
            this.#service.handle({ kind: "rtt", nodeId, rttMs });
            return true;
          },
          () => false,
        ),
      ...{ reach: this.#reach, rejoin: this.#rejoin, service: this.#service },
      ...{ learning: this.learning, limiter: this.#limiter },
      addressesOf: async (nodeId) => {
        const key = this.#records.keyOfNode(nodeId);
        return this.#records.admit(key, await this.network.findRecord(key)).addresses;
      },
      renew: () => this.trust.renewal.renew(),
      bundle: () => this.bundle,
      adopt: (bytes) => this.#deps.held.offer(bytes),
      askIssuer: (request) => this.trust.askIssuer(request),
    });
  }

  #makeNotices(epoch: number): Notices {
    const { engine, keys, clock, random, meter, access, onNotice } = this.#deps;
    return new Notices({
      ...{ engine, clock, random, meter, signer: keys.mldsa65, self: keys.nodeId, epoch, onNotice },
      identities: this.identities,
      allows: (spiffeId) => access.allows(spiffeId, "beacon.publish"),
      publish: (bytes) => this.network.publish(this.#noticeTopic(), bytes),
    });
  }

  #noticeTopic(): string {
    return topicOf(this.bundle.trustDomain, this.mesh.zone, "healing");
  }

  #makeReach(): Reach {
    const { clock, logger } = this.#deps;
    const { announce, relay } = this.#config.mesh;
    return new Reach(
      {
        network: this.network,
        mesh: this.mesh,
        peerIdOf: (nodeId) => this.#peerIdOf(nodeId),
        clock,
        logger,
      },
      { mode: relay, isAnnounced: announce.length > 0 },
    );
  }

  #makeRejoin(): Rejoin {
    const { store, clock, random, logger } = this.#deps;
    return new Rejoin(
      {
        network: this.network,
        mesh: this.mesh,
        store,
        peerIdOf: (nodeId) => this.#peerIdOf(nodeId),
        clock,
        random,
        logger,
      },
      this.#config.mesh.bootstrap,
    );
  }

  /** The own beacon tells whether this node issues. */
  #rolesChanged(): void {
    this.#deps.logger.info({ roles: this.roles }, "roles changed");
    this.#service.handle({ kind: "local-changed", roles: this.roles });
  }

  #svidChanged(identity: PeerIdentity): void {
    this.identities.renewed(identity);
    this.#ownRecord.changed("now");
    this.#service.handle({ kind: "local-changed", svidNotAfterMs: identity.notAfterMs });
  }

  /** The own beacon tells where this node can be reached now. */
  #tellAddresses(): void {
    const addresses = this.#reach.addresses();
    if (addresses.join() === this.#told) return;
    this.#told = addresses.join();
    this.#ownRecord.changed("soon");
    this.#service.handle({ kind: "local-changed", addresses });
  }

  #makeMeshService(): MeshService {
    const { engine, clock, logger, meter, tracer, store } = this.#deps;
    return new MeshService(
      {
        self: this.#deps.keys.nodeId,
        network: this.network,
        machine: this.mesh,
        identities: this.identities,
        engine,
        clock,
        logger,
        meter,
        tracer,
        dial: (nodeId, addresses) => this.#reach.dial(nodeId, addresses),
        onMemberChanged: (change) => this.#memberChanged(change),
        onEvidence: ({ nodeId, statement }) => store.saveEvidence(nodeId, statement),
        onEpochRaised: (epoch) => store.saveEpoch(epoch),
        onZoneChanged: (zone) => store.saveZone(zone),
      },
      {
        trustDomain: this.bundle.trustDomain,
        probeTimeoutMs: meshDefaults.probeTimeoutMs,
      },
    );
  }

  #makeLearning(): LearningService {
    const { engine, keys, clock, logger, meter, tracer, store } = this.#deps;
    const self = this.svid.identity;
    return new LearningService(
      {
        network: this.network,
        store,
        identities: this.identities,
        engine,
        signer: keys.mldsa65,
        clock,
        logger,
        meter,
        tracer,
        self,
        allows: (spiffeId, right) => this.#deps.access.allows(spiffeId, right),
        members: () => [
          { nodeId: self.nodeId, name: self.name, alive: true },
          ...this.mesh
            .members()
            .flatMap(({ nodeId, name, state }) =>
              name === undefined || state === "quarantined"
                ? []
                : [{ nodeId, name, alive: state === "alive" }],
            ),
        ],
        mesh: () => ({
          connections: this.network.connectedPeers().length,
          members: this.mesh.members(),
        }),
        onLearning: (learning) => this.#service.handle({ kind: "local-changed", learning }),
        onEvidence: (evidence) => this.#service.accuse(evidence),
      },
      {
        learning: this.#config.learning,
        relayed: this.#config.mesh.relayBulk,
        zone: this.#config.mesh.zone,
        clockSkewMs: this.#config.identity.clockSkewMs,
      },
    );
  }

  /** Who the policy names, and always the issuer that this node joined through: it vouches for the keys. */
  #mayRelease(spiffeId: string | undefined): boolean {
    if (spiffeId === undefined) return false;
    if (this.trust.isIssuer && spiffeId === this.svid.identity.spiffeId) return true;
    return (
      spiffeId === this.#deps.store.issuerId() || this.#deps.access.allows(spiffeId, "mesh.release")
    );
  }

  #memberChanged({
    nodeId,
    from,
    to,
    cause,
  }: Extract<MeshAction, { kind: "member-changed" }>): void {
    const name = this.identities.lookup(nodeId)?.name;
    this.#deps.logger.info({ nodeId, name, from, to, cause }, "member changed");
    if (to === "quarantined" || from === "quarantined") {
      this.#deps.audit.note({
        event: to === "quarantined" ? "quarantine.begin" : "quarantine.end",
        subject: this.#subjectOf(nodeId),
        fields: { nodeId, cause },
      });
    }
    if (to === "dead" || to === "left" || to === "quarantined") {
      this.learning.peerGone(nodeId);
      // What is left of its connections is half-open: the next one must not wait for that to be noticed.
      void this.network.disconnect(nodeId);
    }
  }

  /** As the audit log names a node. */
  #subjectOf(nodeId: NodeId): string {
    return this.identities.lookup(nodeId)?.spiffeId ?? nodeId;
  }

  /** Sees to a connection to a member. @throws MeshError `network/dial-failed` */
  async #reachMember(nodeId: NodeId): Promise<void> {
    if (this.network.isConnected(nodeId)) return;
    const view = this.mesh.members().find((member) => member.nodeId === nodeId);
    await this.#reach.dial(nodeId, view?.addresses ?? []);
  }

  #peerIdOf(nodeId: NodeId): ReturnType<typeof Network.peerIdOf> | undefined {
    const identity = this.identities.lookup(nodeId);
    return identity === undefined ? undefined : Network.peerIdOf(identity.ed25519);
  }

  #makeWorkloads(): Workloads | undefined {
    if (this.#config.workloadApi.socket === "off") return undefined;
    return new Workloads(
      {
        ...this.#deps,
        self: this.#deps.keys.nodeId,
        bundle: () => this.bundle,
        adopt: (bytes) => this.#deps.held.offer(bytes),
        ask: (request) => this.trust.askIssuer(request),
        onEntries: (listener) => this.trust.onEntries(listener),
      },
      { trustDomain: this.bundle.trustDomain, clockSkewMs: this.#config.identity.clockSkewMs },
    );
  }

  /** Renewal of the own SVID, expiry of the peers', and the way back into the mesh when no peer is left. */
  #upkeep(): void {
    this.#rejoin.remember();
    this.#rejoin.upkeep();
    void this.#reach.upkeep();
    this.notices.tell().catch((error: unknown) => {
      this.#deps.logger.debug({ code: errorCode(error) }, "lesson not told");
    });
    this.#ownRecord.upkeep();
    this.trust.upkeep();
  }
}

const RELEASE_REFUSED: Readonly<Record<ReleaseRefusal | "mesh/not-allowed", string>> = {
  "mesh/not-allowed":
    "This node has no right mesh.release. Run the command on the issuer, or add the right to the policy of all nodes.",
  "mesh/not-quarantined": "The node is not in quarantine. See meshctl quarantine list.",
  "mesh/bad-release": "The reason must be one line of 1 to 200 visible ASCII characters.",
  "mesh/epochs-used-up":
    "The node has signed with its last epoch and cannot come back. Join it again with a new state directory.",
  "mesh/not-running": "The mesh does not run on this node yet. Try again in a moment.",
};

function releaseRefused(code: ReleaseRefusal | "mesh/not-allowed"): MeshError {
  return new MeshError(code, `Cannot release. ${RELEASE_REFUSED[code]}`);
}
