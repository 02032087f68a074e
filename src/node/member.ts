// A node that is enrolled: its network, mesh, learning and the renewal of its SVID, from start to stop.

import type { KeyFiles } from "../adapters/key-files.ts";
import { type EncrypterOptions, interopNoise, pqNoise } from "../adapters/libp2p/encrypter.ts";
import { Network } from "../adapters/libp2p/network.ts";
import { Tunnels } from "../adapters/tunnel/tunnels.ts";
import {
  PEERS_KEPT,
  type StateStore,
  type StoredCredential,
} from "../adapters/sqlite/state-store.ts";
import type { Config } from "../config/index.ts";
import type { CryptoEngine } from "../crypto/index.ts";
import { errorCode, errorMessage, isMeshError, MeshError } from "../foundation/index.ts";
import { type AuthenticatedPeer, HandshakeLimiter, type PeerVerifier } from "../handshake/index.ts";
import {
  acceptRenewal,
  ATTESTATION_PROTOCOL,
  ATTESTATION_REQUEST_BYTES_MAX,
  ATTESTATION_RESPONSE_BYTES_MAX,
  AttestationServer,
  bundleToJson,
  ChainVerifier,
  type NodeId,
  nodeIdOf,
  type NodeKeys,
  parseBundleJson,
  parseLeafKey,
  type PeerIdentity,
  type Policy,
  renewalRequest,
  SvidHolder,
  type TrustBundle,
} from "../identity/index.ts";
import {
  type MemberView,
  meshDefaults,
  MeshMachine,
  type MeshAction,
  type ReleaseRefusal,
} from "../mesh/index.ts";
import type { Clock, Logger, Meter, Random, Tracer } from "../ports/index.ts";
import {
  encodeIdentityRecord,
  IDENTITY_BYTES_MAX,
  IDENTITY_PROTOCOL,
  NodeIdentities,
} from "./identity-directory.ts";
import type { Issuing } from "./issuing.ts";
import { LearningService } from "./learning-service.ts";
import { memberCalled } from "./member-lookup.ts";
import { MeshService } from "./mesh-service.ts";
import { policyFor } from "./policy.ts";

/** How often expiry and isolation are looked at: renewal times are hours, and a dial that fails costs little. */
const UPKEEP_MS = 5_000;
const ATTEST_TIMEOUT_MS = 10_000;

export interface MemberDeps {
  readonly engine: CryptoEngine;
  readonly random: Random;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly tracer: Tracer;
  readonly store: StateStore;
  readonly keyFiles: KeyFiles;
  readonly keys: NodeKeys;
  readonly issuing: Issuing | undefined;
}

export interface MemberOptions {
  readonly config: Config;
  readonly credential: StoredCredential;
  readonly epoch: number;
  readonly version: string;
}

export class Member {
  readonly mesh: MeshMachine;
  readonly network: Network;
  readonly learning: LearningService;
  readonly tunnels: Tunnels;
  readonly identities: NodeIdentities;
  readonly svid: SvidHolder;
  readonly #deps: MemberDeps;
  readonly #config: Config;
  readonly #service: MeshService;
  readonly #verifier: ChainVerifier;
  #policy: Policy;
  readonly #bundle: TrustBundle;
  #upkeepTimer: NodeJS.Timeout | undefined;
  #bootstrap: readonly string[];
  #renewing = false;
  /** The DHT has not this node's record yet, or not its newest. */
  #recordDue = true;
  /** The PeerId that was last reached under an address. */
  readonly #bootstrapPeers = new Map<string, string>();
  /** Addresses on disk by NodeId: only what changed is written. */
  readonly #remembered = new Map<NodeId, string>();

  /**
   * @throws MeshError `identity/expired` and the other codes of chain verification for a stored SVID that is no
   * longer good, `identity/bundle-malformed`, `identity/policy-invalid`
   */
  constructor(deps: MemberDeps, options: MemberOptions) {
    const { engine, meter, random, keys, issuing } = deps;
    const { config, credential, epoch } = options;
    this.#deps = deps;
    this.#config = config;
    this.#bootstrap = config.mesh.bootstrap;
    this.#bundle = bundleOf(credential);
    this.#policy = policyFor(config.policy, credential.trustDomain);
    this.#verifier = new ChainVerifier({ engine, meter }, this.#bundle, {
      clockSkewMs: config.identity.clockSkewMs,
    });
    this.svid = new SvidHolder({ meter, random }, this.#ownIdentity(credential));
    this.identities = new NodeIdentities({
      verify: (chain, ed25519) => this.#verify(chain, ed25519),
      request: (from, request) =>
        this.network.request(from, IDENTITY_PROTOCOL, request, {
          timeoutMs: 5_000,
          responseBytesMax: IDENTITY_BYTES_MAX,
        }),
      find: (nodeId) => this.network.findRecord(nodeId),
      logger: deps.logger,
      clock: deps.clock,
      clockSkewMs: config.identity.clockSkewMs,
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
          zone: config.mesh.zone,
          roles: issuing === undefined ? [] : ["issuer"],
          svidNotAfterMs: this.svid.identity.notAfterMs,
        },
        identities: this.identities,
        allows: (spiffeId, right) =>
          right === "mesh.release"
            ? this.#mayRelease(spiffeId)
            : this.#policy.allows(spiffeId, right),
        evidence: deps.store.evidence(),
        random,
        meter,
      },
      {
        clockSkewMs: config.identity.clockSkewMs,
        heartbeatIntervalMs: config.mesh.heartbeatIntervalMs,
        connectionsTarget: config.mesh.connectionsTarget,
      },
    );
    this.#service = this.#makeMeshService();
    this.learning = this.#makeLearning();
    this.tunnels = new Tunnels({
      network: this.network,
      allows: (spiffeId, right) => this.#policy.allows(spiffeId, right),
      find: (peer) => this.find(peer),
      reach: (nodeId) => this.#reach(nodeId),
      nameOf: (nodeId) => this.nameOf(nodeId),
      logger: deps.logger,
      meter,
    });
  }

  get bundle(): TrustBundle {
    return this.#bundle;
  }

  get isIssuer(): boolean {
    return this.#deps.issuing !== undefined;
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
    const outcome = this.#service.release(nodeId, reason);
    if (!outcome.ok) throw releaseRefused(outcome.code);
  }

  /** The node that a text names. @throws MeshError `control/unknown-peer`, `control/ambiguous-peer` */
  find(peer: string): NodeId {
    return memberCalled(this.mesh.members(), this.#bundle.trustDomain, peer).nodeId;
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
      { requestBytesMax: 32, streamsPerPeerMax: 8 },
      (_peer, request) => Promise.resolve(this.identities.answer(request)),
    );
    await this.#serveAttestation();
    await this.#service.start();
    // Connections that opened before the machine listened; a second report of one changes nothing.
    for (const peer of this.network.connectedPeers()) {
      this.#service.handle({ kind: "peer-connected", peer, addresses: [] });
    }
    this.#service.handle({ kind: "local-changed", addresses: network.addresses().slice(0, 8) });
    await this.learning.start();
    await this.tunnels.start();
    const { expose, forward } = this.#config.tunnel;
    await this.tunnels.configure(expose, forward);
    this.#dialKnown();
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
    this.#rememberPeers();
    this.tunnels.stop();
    await this.learning.stop();
    await this.#service.stop();
    await this.network.stop();
  }

  /** Takes a changed configuration: policy, bootstrap addresses and tunnels. @throws MeshError `identity/policy-invalid` */
  reload(config: Config): void {
    this.#policy = policyFor(config.policy, this.#bundle.trustDomain);
    for (const peer of this.network.connectedPeers()) {
      if (this.#policy.allows(peer.spiffeId, "mesh.join")) continue;
      this.#deps.logger.warn(
        { code: "handshake/not-allowed", spiffeId: peer.spiffeId },
        "peer lost its right to join",
      );
      void this.network.disconnect(peer.nodeId);
    }
    this.#bootstrap = config.mesh.bootstrap;
    this.#dialAbsentBootstrap();
    void this.tunnels.configure(config.tunnel.expose, config.tunnel.forward);
  }

  #makeNetwork({ config, credential, version }: MemberOptions): Network {
    const { engine, random, clock, logger, meter, tracer, keys, keyFiles, issuing } = this.#deps;
    const limiter = new HandshakeLimiter(clock.now().monoMs);
    const shared = { engine, random, clock, logger, meter, tracer, limiter };
    const verifier: PeerVerifier = {
      verifyChain: (chain, ed25519) => this.#verify(chain, ed25519),
      parseLeafKey: (chain, ed25519) => parseLeafKey({ engine, chain, ed25519 }),
      nodeIdOf: (ed25519, mldsa65) => nodeIdOf(engine, ed25519, mldsa65),
      allowsJoin: ({ nodeId, spiffeId }) =>
        this.#policy.allows(spiffeId, "mesh.join") && !this.mesh.isQuarantined(nodeId),
    };
    return new Network(
      {
        ed25519Seed: keyFiles.seed("ed25519"),
        encrypters: (registry) => {
          const onAuthenticated: NonNullable<EncrypterOptions["onAuthenticated"]> = (
            peer,
            _peerId,
            _ms,
            raw,
          ) => registry.remember(raw, peer);
          const mesh = pqNoise(
            {
              ...shared,
              verifier,
              credential: () => ({
                ed25519: keys.ed25519,
                mldsa65: keys.mldsa65,
                svidChain: this.svid.identity.chain,
              }),
            },
            {
              trustDomain: credential.trustDomain,
              acceptJoining: () => issuing !== undefined,
              onAuthenticated,
            },
          );
          return config.mesh.handshakePolicy === "interop"
            ? [mesh, interopNoise({ ...shared, signer: keys.ed25519 }, { onAuthenticated })]
            : [mesh];
        },
        logger,
        meter,
        tracer,
        monoMs: () => clock.now().monoMs,
        reputation: (nodeId) => this.mesh.reputation(nodeId),
        allowsUnauthenticated: () => this.#policy.allows(undefined, "mesh.join"),
        records: {
          validate: (nodeId, record) => {
            this.#refuseQuarantined(nodeId);
            this.identities.open(nodeId, record);
          },
          select: (nodeId, records) => this.identities.newest(nodeId, records),
        },
        onAuthenticated: (peer) => this.identities.add(peer),
        onConnected: (peer, addresses) => {
          logger.info(
            { name: peer.name, nodeId: peer.nodeId, suite: this.network.suiteOf(peer.nodeId) },
            "peer connected",
          );
          this.#service.handle({ kind: "peer-connected", peer, addresses });
        },
        onDisconnected: (nodeId) => {
          logger.info({ nodeId }, "peer disconnected");
          this.#service.handle({ kind: "peer-disconnected", nodeId });
        },
      },
      {
        listen: config.mesh.listen,
        announce: config.mesh.announce,
        bootstrap: config.mesh.bootstrap,
        mdns: config.mesh.mdns,
        trustDomain: credential.trustDomain,
        heartbeatIntervalMs: config.mesh.heartbeatIntervalMs,
        connectionsMax: 4 * config.mesh.connectionsTarget,
        version,
        traced: config.telemetry.tracing.endpoint !== "off",
      },
    );
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
        onMemberChanged: (change) => this.#memberChanged(change),
        onEvidence: ({ nodeId, statement }) => store.saveEvidence(nodeId, statement),
        onEpochRaised: (epoch) => store.saveEpoch(epoch),
      },
      {
        trustDomain: this.#bundle.trustDomain,
        zone: this.#config.mesh.zone,
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
        allows: (spiffeId, right) => this.#policy.allows(spiffeId, right),
        aliveMembers: () => [
          { nodeId: self.nodeId, name: self.name },
          ...this.mesh
            .members()
            .flatMap(({ nodeId, name, state }) =>
              state === "alive" && name !== undefined ? [{ nodeId, name }] : [],
            ),
        ],
        onLearning: (learning) => this.#service.handle({ kind: "local-changed", learning }),
      },
      {
        learning: this.#config.learning,
        zone: this.#config.mesh.zone,
        clockSkewMs: this.#config.identity.clockSkewMs,
      },
    );
  }

  /** Who the policy names, and always the issuer that this node joined through: it vouches for the keys. */
  #mayRelease(spiffeId: string | undefined): boolean {
    if (spiffeId === undefined) return false;
    if (this.isIssuer && spiffeId === this.svid.identity.spiffeId) return true;
    return (
      spiffeId === this.#deps.store.issuerId() || this.#policy.allows(spiffeId, "mesh.release")
    );
  }

  /** @throws MeshError `mesh/quarantined` */
  #refuseQuarantined(nodeId: NodeId): void {
    if (!this.mesh.isQuarantined(nodeId)) return;
    throw new MeshError(
      "mesh/quarantined",
      `Node ${nodeId.slice(0, 12)} is in quarantine. See meshctl quarantine show ${nodeId}.`,
      { nodeId },
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
    if (to === "dead" || to === "left" || to === "quarantined") {
      this.learning.peerGone(nodeId);
      // What is left of its connections is half-open: the next one must not wait for that to be noticed.
      void this.network.disconnect(nodeId);
    }
  }

  /**
   * Keeps where connected members are reachable: after a restart this node finds them again by itself. A member is
   * often alive by its connection before its beacon tells its addresses, so this is looked at again and again.
   */
  #rememberPeers(): void {
    const reachable = this.mesh
      .members()
      .filter(({ connected, addresses }) => connected && addresses.length > 0)
      .slice(0, PEERS_KEPT);
    try {
      for (const { nodeId, addresses } of reachable) this.#rememberPeer(nodeId, addresses);
    } catch (error) {
      this.#deps.logger.error(
        { code: errorCode(error), error: errorMessage(error) },
        "addresses of peers not kept",
      );
    }
    const still = new Set(reachable.map(({ nodeId }) => nodeId));
    for (const nodeId of this.#remembered.keys())
      if (!still.has(nodeId)) this.#remembered.delete(nodeId);
  }

  #rememberPeer(nodeId: NodeId, addresses: readonly string[]): void {
    const peerId = this.#peerIdOf(nodeId);
    if (peerId === undefined || this.#remembered.get(nodeId) === addresses.join()) return;
    const dialable = addresses.map((address) =>
      address.includes("/p2p/") ? address : `${address}/p2p/${peerId.toString()}`,
    );
    this.#deps.store.rememberPeer(nodeId, dialable, this.#deps.clock.now().wallMs);
    this.#remembered.set(nodeId, addresses.join());
  }

  /** Sees to a connection to a member. @throws MeshError `network/dial-failed` */
  async #reach(nodeId: NodeId): Promise<void> {
    if (this.network.isConnected(nodeId)) return;
    const view = this.mesh.members().find((member) => member.nodeId === nodeId);
    await this.network.dial(view?.addresses ?? [], this.#peerIdOf(nodeId));
  }

  #peerIdOf(nodeId: NodeId): ReturnType<typeof Network.peerIdOf> | undefined {
    const identity = this.identities.lookup(nodeId);
    return identity === undefined ? undefined : Network.peerIdOf(identity.ed25519);
  }

  #verify(chain: readonly Uint8Array[], ed25519: Uint8Array): ReturnType<ChainVerifier["verify"]> {
    return this.#verifier.verify({ chain, ed25519, now: this.#deps.clock.now().wallMs });
  }

  #ownIdentity({ chain }: StoredCredential): PeerIdentity {
    const verified = this.#verify(chain, this.#deps.keys.ed25519.publicKey);
    if (verified.ok) return verified.value;
    throw new MeshError(
      verified.code,
      `Cannot use this node's SVID: ${verified.code}. Check the clock, or join again with a new token.`,
    );
  }

  async #serveAttestation(): Promise<void> {
    const { issuing, meter, logger, clock } = this.#deps;
    const server = new AttestationServer({
      bundle: () => this.#bundle,
      policy: () => this.#policy,
      meter,
      logger,
      ...(issuing && { issuing }),
    });
    await this.network.serve(
      ATTESTATION_PROTOCOL,
      { requestBytesMax: ATTESTATION_REQUEST_BYTES_MAX, streamsPerPeerMax: 2 },
      async (peer, request) => {
        if (peer.kind === "joining") this.#refuseQuarantined(peer.nodeId);
        issuing?.keepIntermediate(clock.now().wallMs);
        return server.handle(request, await this.#asOfNow(peer), clock.now());
      },
    );
  }

  /** A connection outlives the SVID of its handshake: a peer that has renewed since then is taken by its new one. */
  async #asOfNow(peer: AuthenticatedPeer): Promise<AuthenticatedPeer> {
    if (peer.kind !== "svid") return peer;
    const { nodeId, notAfterMs } = peer.identity;
    const now = this.#deps.clock.now().wallMs;
    if (now > (this.identities.lookup(nodeId)?.notAfterMs ?? notAfterMs))
      await this.identities.fetch(nodeId, nodeId);
    return { ...peer, identity: this.identities.lookup(nodeId) ?? peer.identity };
  }

  /** Peers of an earlier run: a restarted node finds the mesh again without its bootstrap addresses. */
  #dialKnown(): void {
    for (const address of new Set([...this.#bootstrap, ...this.#deps.store.knownAddresses()])) {
      this.#dialInBackground(address);
    }
  }

  /**
   * Bootstrap addresses are dialled although there are peers, while the node behind them is not in the mesh. Hosts that boot
   * together could otherwise find one another in pairs and stay two meshes; and a host that comes back under its name, but with
   * another address, may itself know nobody to dial.
   */
  #dialAbsentBootstrap(): void {
    const present = new Set<string>();
    for (const { nodeId, state } of this.mesh.members()) {
      const identity = this.identities.lookup(nodeId);
      if (identity !== undefined && (state === "alive" || state === "suspect"))
        present.add(Network.peerIdOf(identity.ed25519).toString());
    }
    for (const address of this.#bootstrap) {
      if (!present.has(this.#bootstrapPeers.get(address) ?? "")) this.#dialInBackground(address);
    }
  }

  #dialInBackground(address: string): void {
    this.network.dial([address]).then(
      (peerId) => this.#bootstrapPeers.set(address, peerId),
      (error: unknown) => {
        this.#deps.logger.debug({ code: errorCode(error), address }, "known peer not reachable");
      },
    );
  }

  /** Renewal of the own SVID, expiry of the peers', and the way back into the mesh when no peer is left. */
  #upkeep(): void {
    this.#rememberPeers();
    if (this.#recordDue) this.#putRecord();
    if (this.network.connectedPeers().length === 0) this.#dialKnown();
    else this.#dialAbsentBootstrap();
    const now = this.#deps.clock.now().wallMs;
    if (now >= this.svid.renewAtMs && !this.#renewing) {
      this.#renewing = true;
      void this.#renew().finally(() => {
        this.#renewing = false;
      });
    }
    for (const peer of this.network.connectedPeers()) {
      const known = this.identities.lookup(peer.nodeId) ?? peer;
      if (now > known.notAfterMs + this.#config.identity.clockSkewMs)
        void this.#refreshOrDrop(peer);
    }
  }

  /** A peer renews without a new handshake: it is asked for its new chain before it is dropped. */
  async #refreshOrDrop(peer: PeerIdentity): Promise<void> {
    if (await this.identities.fetch(peer.nodeId, peer.nodeId)) return;
    this.#deps.logger.warn(
      { code: "identity/expired", nodeId: peer.nodeId, spiffeId: peer.spiffeId },
      "peer disconnected: its SVID expired",
    );
    await this.network.disconnect(peer.nodeId);
  }

  async #renew(): Promise<void> {
    const { logger, clock, tracer } = this.#deps;
    try {
      await tracer.span("svid.renew", { parent: "root" }, () => this.#renewNow());
      logger.info(
        { notAfter: new Date(this.svid.identity.notAfterMs).toISOString() },
        "SVID renewed",
      );
    } catch (error) {
      this.svid.failed(clock.now().wallMs);
      logger.warn(
        { code: errorCode(error), error: errorMessage(error) },
        "SVID renewal failed; it is tried again",
      );
    }
  }

  async #renewNow(): Promise<void> {
    const { issuing, keys } = this.#deps;
    if (issuing === undefined) return this.#renewAtIssuer();
    this.#adopt({ ...this.#stored(), chain: issuing.issueTo(keys, this.svid.identity.name) });
  }

  /** Asks one issuer after another; the last refusal is thrown. */
  async #renewAtIssuer(): Promise<void> {
    let refusal: MeshError = new MeshError("identity/not-issuer", "No issuer is in reach.");
    for (const { nodeId, addresses } of this.#issuers()) {
      try {
        this.#adopt(await this.#renewAt(nodeId, addresses));
        return;
      } catch (error) {
        if (!isMeshError(error)) throw error;
        refusal = error;
      }
    }
    throw refusal;
  }

  /** Present issuers that may renew here: the one this node joined through, and those the policy names. */
  #issuers(): readonly MemberView[] {
    const pinned = this.#deps.store.issuerId();
    return this.mesh.members().filter(({ nodeId, state }) => {
      const spiffeId = this.identities.lookup(nodeId)?.spiffeId;
      if (spiffeId === undefined || !["joining", "alive", "suspect"].includes(state)) return false;
      return spiffeId === pinned || this.#policy.allows(spiffeId, "issuer.attest");
    });
  }

  async #renewAt(nodeId: NodeId, addresses: readonly string[]): Promise<StoredCredential> {
    const peerId = this.#peerIdOf(nodeId);
    if (!this.network.isConnected(nodeId)) await this.network.dial(addresses, peerId);
    const response = await this.network.request(nodeId, ATTESTATION_PROTOCOL, renewalRequest(), {
      timeoutMs: ATTEST_TIMEOUT_MS,
      responseBytesMax: ATTESTATION_RESPONSE_BYTES_MAX,
    });
    const renewed = acceptRenewal({
      engine: this.#deps.engine,
      current: { identity: this.svid.identity, bundle: this.#bundle },
      response,
      now: this.#deps.clock.now().wallMs,
    });
    if (renewed.ok) return { ...this.#stored(), chain: renewed.value.identity.chain };
    throw new MeshError(renewed.code, `The issuer did not renew: ${renewed.code}.`);
  }

  #stored(): StoredCredential {
    const { trustDomain, name, chain } = this.svid.identity;
    return { trustDomain, name, chain, bundle: bundleToJson(this.#bundle) };
  }

  /** The DHT holds this node's identity record, so that peers far away can verify its beacons. */
  #putRecord(): void {
    if (this.network.connectedPeers().length === 0) return;
    this.#recordDue = false;
    this.network
      .putRecord(this.svid.identity.nodeId, encodeIdentityRecord(this.svid.identity))
      .catch((error: unknown) => {
        this.#recordDue = true;
        this.#deps.logger.debug(
          { code: errorCode(error), error: errorMessage(error) },
          "identity record not stored yet",
        );
      });
  }

  /** On disk first: a crash afterwards starts with the new SVID, before with the old one. */
  #adopt(credential: StoredCredential): void {
    this.#deps.store.saveCredential(credential);
    this.svid.renewed(this.#ownIdentity(credential));
    this.identities.add(this.svid.identity);
    this.#recordDue = true;
    this.#service.handle({ kind: "local-changed", svidNotAfterMs: this.svid.identity.notAfterMs });
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

/** @throws MeshError `identity/bundle-malformed` */
function bundleOf({ trustDomain, bundle }: StoredCredential): TrustBundle {
  const parsed = parseBundleJson(trustDomain, bundle);
  if (parsed.ok) return parsed.value;
  throw new MeshError(
    parsed.code,
    "Cannot read the stored trust bundle. Restore a backup or join again.",
  );
}
