// The libp2p node as the daemon sees it: authenticated links to peers by NodeId, request-response
// protocols, gossip (gossip.ts) and pings. Default deny: a stream of any protocol
// passes the stream guard first, so a peer that is only joining can open nothing but attestation.

import { generateKeyPairFromSeed, publicKeyFromRaw } from "@libp2p/crypto/keys";
import type { GossipSub } from "@libp2p/gossipsub";
import { identify } from "@libp2p/identify";
import type {
  Connection,
  IdentifyResult,
  MultiaddrConnection,
  PeerId,
  Stream,
} from "@libp2p/interface";
import { kadDHT, passthroughMapper } from "@libp2p/kad-dht";
import { peerIdFromPublicKey } from "@libp2p/peer-id";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p, type Libp2p, type ServiceFactoryMap } from "libp2p";
import { errorCode, errorMessage, MeshError, utf8Bytes, utf8Text } from "../../foundation/index.ts";
import type { AuthenticatedPeer } from "../../handshake/index.ts";
import type { NodeId, PeerIdentity } from "../../identity/index.ts";
import type { Logger, Meter, MetricDeclaration, MonoMs, Tracer } from "../../ports/index.ts";
import { parseTraceparent, TRACEPARENT_CHARS } from "../../telemetry/index.ts";
import { systemRandom } from "../random.ts";
import { ContentProviders, provideTimes } from "./content-providers.ts";
import { peerDiscovery } from "./discovery.ts";
import { exchange, framedStream, type RequestOptions, tracedProtocol } from "./exchange.ts";
import type { EncrypterFactory } from "./encrypter.ts";
import { Gossip, type GossipValidator } from "./gossip.ts";
import { gossipMetrics } from "./gossip-metrics.ts";
import type { ScoreOptions } from "./gossip-scores.ts";
import { Graylist } from "./graylist.ts";
import { PendingConnections } from "./pending-connections.ts";
import { Pinger, pingService } from "./ping.ts";
import { RecordStore } from "./record-store.ts";
import { PeerRegistry } from "./peer-registry.ts";
import {
  isRelayed,
  relayDefaults,
  relayMetrics,
  relayOf,
  type RelayOptions,
  Relays,
} from "./relay.ts";
import {
  boundMuxer,
  boundNegotiation,
  guardStreams,
  mayOpen,
  UNAUTHENTICATED_BYTES_MAX,
} from "./stream-guard.ts";

export const networkMetrics: readonly MetricDeclaration[] = [
  {
    name: "meshd_network_streams_refused_total",
    kind: "counter",
    help: "Streams aborted because the peer has no right to their protocol.",
  },
  {
    name: "meshd_network_connections_refused_total",
    kind: "counter",
    help: "Inbound connections refused because too many of their address had not authenticated.",
  },
  {
    name: "meshd_network_connections",
    kind: "gauge",
    help: "Open connections by what the peer has proven.",
    labels: { peer: ["svid", "joining", "unanchored", "interop"] },
  },
  ...gossipMetrics,
  {
    name: "meshd_network_records",
    kind: "gauge",
    help: "Records of nodes that this node keeps as its part of the DHT.",
  },
  ...relayMetrics,
];

/** How long a peer without an SVID may stay (handshake reference 2.4), and how many such at once. */
const JOINING_TIME_MS = 30_000;
const JOINING_MAX = 8;

/** How long the handshake of an inbound connection may take. */
const UPGRADE_TIMEOUT_MS = 10_000;

/** What a node tells of itself is kept in the DHT under its NodeId and under a digest of its SPIFFE id. */
const RECORD_NAMESPACES = ["x0id", "x0name"];
const RECORD_TIMEOUT_MS = 5_000;

/**
 * Raw connections that one address may open in a second, and connections before their handshake has ended. The
 * handshake limiter decides who is served: libp2p's own counters (5 and 10) would turn away nodes behind one NAT first.
 */
const INBOUND_PER_SECOND_MAX = 64;
const INBOUND_PENDING_MAX = 256;

const GRAYLISTED = "The member misused gossip and is refused for some minutes.";

/** A request must arrive, and its answer be taken, within this. */
const REQUEST_TIMEOUT_MS = 10_000;

/**
 * What a peer may send on a stream before somebody has read it. Below the 4 MiB at which libp2p gives up a stream that is paused (its default
 * window is 16), and enough for 20 MB/s at a round trip of 50 ms.
 */
const STREAM_WINDOW_BYTES_MAX = 1024 * 1024;

export type NetworkErrorCode =
  | "network/port-taken"
  | "network/cannot-listen"
  | "network/not-connected"
  | "network/request-failed"
  | "network/graylisted"
  | "network/no-reservation"
  | "network/dial-failed";

export interface NetworkOptions {
  readonly listen: readonly string[];
  readonly announce: readonly string[];
  readonly mdns: boolean;
  readonly trustDomain: string;
  /** Between two heartbeats of a node: what gossip expects of its neighbours. */
  readonly heartbeatIntervalMs: number;
  /** From where how many members may come; the defaults are those of {@link ScoreOptions}. */
  readonly gossip?: ScoreOptions;
  readonly connectionsMax: number;
  readonly version: string;
  /** Whether requests may come with a trace context. @default false */
  readonly traced?: boolean;
  /** How long a peer without an SVID may stay. @default 30000 */
  readonly joiningTimeMs?: number;
  /** @default relayDefaults */
  readonly relay?: RelayOptions;
  /** Whether the router is asked to let peers in. @default false */
  readonly upnp?: boolean;
}

export interface NetworkDeps {
  readonly ed25519Seed: Uint8Array;
  /** The encrypters of the handshake policy; they report each authenticated peer to the registry. */
  readonly encrypters: (registry: PeerRegistry) => EncrypterFactory[];
  readonly logger: Logger;
  readonly meter: Meter;
  readonly tracer: Tracer;
  readonly monoMs: () => MonoMs;
  /** What is known against a member, from -100 to 0. */
  readonly reputation: (nodeId: NodeId) => number;
  /** Whether a member may take part now. */
  readonly allowsMember: (peer: PeerIdentity) => boolean;
  /** Whether peers without SPIFFE identity (interop) may take part at all. */
  readonly allowsUnauthenticated: () => boolean;
  /** Decides on records that peers put into the DHT, or that it finds. `validate` throws to refuse. */
  readonly records: {
    readonly validate: (key: string, record: Uint8Array) => void;
    readonly select: (key: string, records: readonly Uint8Array[]) => number;
  };
  /** Each handshake of a member, also over a second connection: its SVID may be newer. */
  readonly onAuthenticated: (peer: PeerIdentity) => void;
  readonly onConnected: (peer: PeerIdentity, addresses: readonly string[]) => void;
  readonly onDisconnected: (nodeId: NodeId) => void;
  /** What {@link Network.addresses} or {@link Network.reservedRelays} give may have changed. */
  readonly onReachable?: () => void;
}

export interface ServeOptions {
  readonly requestBytesMax: number;
  readonly streamsPerPeerMax: number;
  /** Whether it also runs on links through a relay, whose bytes and time are counted. @default false */
  readonly relayed?: boolean;
}

/**
 * Answers one request.
 * @param peer whom the connection's handshake authenticated
 * @param signal ends with the stream
 */
type RequestHandler = (
  peer: AuthenticatedPeer,
  request: Uint8Array,
  signal: AbortSignal,
) => Promise<Uint8Array>;

interface Link {
  readonly peer: PeerIdentity;
  readonly suite: string;
  readonly connections: Set<Connection>;
}

type Services = {
  gossip: GossipSub;
  identify: { identify(connection: Connection): Promise<unknown> };
};

export class Network {
  readonly #deps: NetworkDeps;
  readonly #options: NetworkOptions;
  readonly #registry = new PeerRegistry();
  readonly #links = new Map<NodeId, Link>();
  readonly #pinger = new Pinger(systemRandom);
  readonly #nodeIdByPeerId = new Map<string, NodeId>();
  readonly #pending = new PendingConnections(
    (raw) => this.#registry.of(raw) !== undefined,
    INBOUND_PENDING_MAX,
  );
  /** Protocols that run on relayed links too. */
  readonly #relayedProtocols = new Set<string>();
  readonly #joining = new Map<Connection, NodeJS.Timeout>();
  /** What connected peers told of how they see this node. */
  readonly #observed = new Map<Connection, string>();
  readonly #graylist = new Graylist();
  readonly #gossip: Gossip;
  /** Who has which content. */
  readonly providers = new ContentProviders(() => this.#node().contentRouting);
  #libp2p: Libp2p<Services> | undefined;
  readonly #store = new RecordStore();
  #relays: Relays;

  constructor(deps: NetworkDeps, options: NetworkOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#relays = this.#newRelays();
    const { logger, meter, monoMs, reputation } = deps;
    this.#gossip = new Gossip(
      {
        ...{ logger, meter, monoMs, reputation },
        memberOf: (peerId) => this.#nodeIdByPeerId.get(peerId),
        members: () => this.#nodeIdByPeerId.entries(),
        onGraylisted: (nodeId, score) => this.#graylisted(nodeId, score),
      },
      { ...options.gossip, ...options },
    );
  }

  /**
   * Opens the listeners and starts all services. Idempotent.
   * @throws MeshError `network/port-taken`, `network/cannot-listen`
   */
  async start(): Promise<void> {
    if (this.#libp2p !== undefined) return;
    const node = await this.#create();
    node.addEventListener("connection:open", ({ detail }) => this.#opened(detail));
    node.addEventListener("connection:close", ({ detail }) => this.#closed(detail));
    node.addEventListener("peer:identify", ({ detail }) => this.#identified(detail));
    node.addEventListener("peer:discovery", ({ detail }) => {
      if (detail.multiaddrs.length > 0) this.#dialQuietly(detail.multiaddrs.map(String), detail.id);
    });
    node.addEventListener("self:peer:update", () => this.#reachable());
    this.#libp2p = node;
    try {
      await node.start();
      this.#relays.announceInterfaces();
    } catch (cause) {
      this.#libp2p = undefined;
      await node.stop();
      throw cannotListen(this.#options.listen, cause);
    }
  }

  /** Closes every connection and listener. Idempotent. */
  async stop(): Promise<void> {
    const node = this.#libp2p;
    this.#libp2p = undefined;
    for (const timer of this.#joining.values()) clearTimeout(timer);
    this.#joining.clear();
    await this.#relays.stop();
    await node?.stop();
  }

  get peerId(): string {
    return this.#node().peerId.toString();
  }

  /** Addresses to tell others, each with `/p2p/<PeerId>`. */
  addresses(): string[] {
    return this.#node().getMultiaddrs().map(String);
  }

  /** IP addresses of this node as connected peers see them. */
  observedIps(): string[] {
    return [...new Set(this.#observed.values())].sort();
  }

  /** The PeerId that belongs to an Ed25519 key. */
  static peerIdOf(ed25519: Uint8Array): PeerId {
    return peerIdFromPublicKey(publicKeyFromRaw(ed25519));
  }

  isConnected(nodeId: NodeId): boolean {
    return this.#links.has(nodeId);
  }

  /** The negotiated suite of a connected peer. */
  suiteOf(nodeId: NodeId): string | undefined {
    return this.#links.get(nodeId)?.suite;
  }

  /** The connection that requests to a peer take: its address, and the relay's name or PeerId if it goes through one. */
  transportTo(nodeId: NodeId): { readonly address: string; readonly relay?: string } | undefined {
    const remote = this.#newest(nodeId)?.remoteAddr;
    if (remote === undefined) return undefined;
    const parts = remote.getComponents();
    const circuit = parts.findIndex(({ name }) => name === "p2p-circuit");
    const relay = parts
      .slice(0, Math.max(0, circuit))
      .findLast(({ name }) => name === "p2p")?.value;
    if (relay === undefined) return { address: remote.toString() };
    const known = this.#links.get(this.#nodeIdByPeerId.get(relay) ?? ("" as NodeId));
    return { address: remote.toString(), relay: known?.peer.name ?? relay };
  }

  connectedPeers(): PeerIdentity[] {
    return [...this.#links.values()].map((link) => link.peer);
  }

  /** The relay that the link to a peer leads through, when no direct one is open; its PeerId when it is no member. */
  relayTo(nodeId: NodeId): string | undefined {
    const connections = open(this.#links.get(nodeId));
    const relay = connections.every(isRelayed) ? connections.at(-1) : undefined;
    const peerId = relay && relayOf(relay);
    return peerId && (this.#nodeIdByPeerId.get(peerId) ?? peerId);
  }

  /** Relays through which this node may be reached. */
  reservedRelays(): NodeId[] {
    return this.#relays.reserved.flatMap((peerId) => this.#nodeIdByPeerId.get(peerId) ?? []);
  }

  /** Asks a directly connected relay to let others reach this node through it. @throws MeshError `network/no-reservation` */
  async reserve(relay: NodeId): Promise<void> {
    try {
      await this.#relays.reserve(this.#connectionTo(relay).remotePeer);
    } catch (cause) {
      throw new MeshError<NetworkErrorCode>(
        "network/no-reservation",
        `The relay ${relay.slice(0, 12)} gave no reservation: ${errorMessage(cause)}. It may be full; another one is tried.`,
        { nodeId: relay },
        { cause },
      );
    }
  }

  /**
   * Dials a peer through one of the relays, all connected members; a no-op when connected.
   * @throws MeshError `network/dial-failed`
   */
  async dialThrough(
    relays: readonly NodeId[],
    peerId: PeerId,
    signal?: AbortSignal,
  ): Promise<void> {
    const peerIds = relays.flatMap((nodeId) => open(this.#links.get(nodeId))[0]?.remotePeer ?? []);
    await this.dial(
      peerIds.map((relay) => `/p2p/${relay.toString()}/p2p-circuit`),
      peerId,
      signal && { signal },
    );
  }

  /** Replaces a relayed link by a direct one, if the peer answers at an address. @throws MeshError `network/dial-failed` */
  async dialDirect(
    addresses: readonly string[],
    peerId: PeerId,
    signal?: AbortSignal,
  ): Promise<void> {
    this.#deps.meter.count("meshd_network_direct_upgrades_total", { outcome: "attempted" });
    await this.dial(addresses, peerId, { force: true, ...(signal && { signal }) });
  }

  /**
   * Dials a peer at any of its addresses, and tells its PeerId; a no-op when connected.
   * @throws MeshError `network/dial-failed`
   */
  async dial(
    addresses: readonly string[],
    peerId?: PeerId,
    options: { readonly force?: boolean; readonly signal?: AbortSignal } = {},
  ): Promise<string> {
    const suffix = peerId === undefined ? "" : `/p2p/${peerId.toString()}`;
    try {
      const targets = addresses.map((address) =>
        multiaddr(/\/p2p\/[^/]+$/.test(address) ? address : address + suffix),
      );
      if (addresses.some((address) => address.includes("/p2p-circuit"))) await this.#relays.load();
      const { remotePeer } = await this.#node().dial(targets, options);
      return remotePeer.toString();
    } catch (cause) {
      throw new MeshError<NetworkErrorCode>(
        "network/dial-failed",
        `Cannot reach ${addresses.join(", ")}: ${errorMessage(cause)}. Check that the peer runs and that the address is right.`,
        { addresses: addresses.join(",") },
        { cause },
      );
    }
  }

  /** Closes all connections to a peer. */
  async disconnect(nodeId: NodeId): Promise<void> {
    const connections = [...(this.#links.get(nodeId)?.connections ?? [])];
    await Promise.allSettled(connections.map((connection) => connection.close()));
  }

  /**
   * Round-trip time to a connected peer in milliseconds.
   * @throws MeshError `network/not-connected`; what libp2p throws on time-out
   */
  async ping(nodeId: NodeId, timeoutMs: number): Promise<number> {
    return this.#pinger.ping(this.#connectionTo(nodeId), timeoutMs);
  }

  /**
   * Sends one request on its own stream and reads the one answer.
   * @throws MeshError `network/not-connected`, `network/request-failed`
   */
  async request(
    nodeId: NodeId,
    protocol: string,
    request: Uint8Array,
    options: RequestOptions,
  ): Promise<Uint8Array> {
    return exchange(this.#deps.tracer, this.#connectionTo(nodeId), protocol, request, {
      ...options,
      relayed: this.#relayedProtocols.has(protocol),
    });
  }

  /**
   * Answers requests on a protocol, and where this node traces, on its traced variant. A throwing handler aborts the
   * stream: the peer learns nothing but that.
   */
  async serve(protocol: string, options: ServeOptions, handler: RequestHandler): Promise<void> {
    const variants =
      this.#options.traced === true ? [tracedProtocol(protocol), protocol] : [protocol];
    const { relayed = false } = options;
    if (relayed) this.#relayedProtocols.add(protocol);
    for (const variant of variants) {
      await this.#node().handle(
        variant,
        (stream, connection) => this.#answer(stream, connection, options, handler, protocol),
        { maxInboundStreams: options.streamsPerPeerMax, runOnLimitedConnection: relayed },
      );
    }
  }

  /**
   * A stream to a connected peer, for protocols that are no request and answer.
   * @throws MeshError `network/not-connected`, `network/request-failed`
   */
  async openStream(nodeId: NodeId, protocol: string, signal: AbortSignal): Promise<Stream> {
    const connection = this.#connectionTo(nodeId);
    try {
      const runOnLimitedConnection = this.#relayedProtocols.has(protocol);
      return await connection.newStream(protocol, { signal, runOnLimitedConnection });
    } catch (cause) {
      throw new MeshError<NetworkErrorCode>(
        "network/request-failed",
        `The peer takes no stream of ${protocol}: ${errorMessage(cause)}. It may run an older version.`,
        { protocol },
        { cause },
      );
    }
  }

  /** Gives members' streams on a protocol to `handler`; one that throws aborts its stream. */
  async handleStreams(
    protocol: string,
    { streamsPerPeerMax, relayed = false }: Omit<ServeOptions, "requestBytesMax">,
    handler: (peer: PeerIdentity, stream: Stream) => Promise<void>,
  ): Promise<void> {
    if (relayed) this.#relayedProtocols.add(protocol);
    await this.#node().handle(
      protocol,
      async (stream, connection) => {
        try {
          const peer = this.#registry.of(connection);
          if (peer?.kind !== "svid") throw new Error("only members of the trust domain may");
          await handler(peer.identity, stream);
        } catch (error) {
          this.#refused(stream, error);
        }
      },
      { maxInboundStreams: streamsPerPeerMax, runOnLimitedConnection: relayed },
    );
  }

  /** Subscribes to a topic of the mesh; the validator decides on each message before it is forwarded. */
  subscribe(topic: string, validate: GossipValidator): void {
    this.#gossip.subscribe(topic, validate);
  }

  /** Leaves a topic. */
  unsubscribe(topic: string): void {
    this.#gossip.unsubscribe(topic);
  }

  /** Publishes on a topic; nobody listening is no error. */
  publish(topic: string, bytes: Uint8Array): Promise<void> {
    return this.#gossip.publish(topic, bytes);
  }

  /** What gossip thinks of a connected member: 0 and above is good. */
  scoreOf(nodeId: NodeId): number | undefined {
    const [connection] = this.#links.get(nodeId)?.connections ?? [];
    return connection && this.#gossip.scoreOf(connection.remotePeer.toString());
  }

  /** Keeps this node's record in the DHT. @throws what the DHT throws, for instance without any peer */
  async putRecord(key: string, record: Uint8Array): Promise<void> {
    await this.#node().contentRouting.put(utf8Bytes(key), record, {
      signal: AbortSignal.timeout(RECORD_TIMEOUT_MS),
    });
  }

  /**
   * A validated record from the DHT. It may still be one of another key: a peer may answer with what it likes.
   * @throws what the DHT throws when there is none
   */
  async findRecord(key: string): Promise<Uint8Array> {
    return this.#node().contentRouting.get(utf8Bytes(key), {
      signal: AbortSignal.timeout(RECORD_TIMEOUT_MS),
    });
  }

  #node(): Libp2p<Services> {
    if (this.#libp2p === undefined)
      throw new MeshError<NetworkErrorCode>("network/not-connected", "The network is not started.");
    return this.#libp2p;
  }

  #connectionTo(nodeId: NodeId): Connection {
    const connection = this.#newest(nodeId);
    if (connection !== undefined) return connection;
    throw new MeshError<NetworkErrorCode>(
      "network/not-connected",
      `No connection to node ${nodeId.slice(0, 12)}. It may be restarting.`,
      { nodeId },
    );
  }

  /** The newest open connection: an older one may be half-open after the peer lost power. A relay is the last resort. */
  #newest(nodeId: NodeId): Connection | undefined {
    const connections = open(this.#links.get(nodeId)).reverse();
    return connections.find((each) => !isRelayed(each)) ?? connections[0];
  }

  async #create(): Promise<Libp2p<Services>> {
    const { listen, announce, connectionsMax, version } = this.#options;
    const relays = (this.#relays = this.#newRelays());
    const permitted = (connection: Connection, stream: Stream): boolean => {
      const allowed =
        mayOpen(this.#registry.of(connection), stream.protocol, {
          member: this.#deps.allowsMember,
          unauthenticated: this.#deps.allowsUnauthenticated,
        }) && relays.permits(connection, stream) !== false;
      if (!allowed) this.#deps.meter.count("meshd_network_streams_refused_total");
      return allowed;
    };
    return createLibp2p({
      start: false,
      datastore: this.#store,
      privateKey: await generateKeyPairFromSeed("Ed25519", this.#deps.ed25519Seed),
      nodeInfo: { name: "meshd", version, userAgent: `meshd/${version}` },
      addresses: { listen: [...listen], announce: [...announce] },
      transports: [tcp()],
      streamMuxers: [
        boundMuxer(yamux({ streamOptions: { maxStreamWindowSize: STREAM_WINDOW_BYTES_MAX } })),
      ],
      connectionGater: {
        denyInboundConnection: (raw) =>
          this.#refusePending(raw) || this.#boundUntilAuthenticated(raw),
        denyOutboundConnection: (_peerId, raw) => this.#boundUntilAuthenticated(raw),
      },
      connectionEncrypters: this.#deps.encrypters(this.#registry),
      connectionManager: {
        maxConnections: connectionsMax,
        inboundUpgradeTimeout: UPGRADE_TIMEOUT_MS,
        reconnectRetries: 0,
        inboundConnectionThreshold: INBOUND_PER_SECOND_MAX,
        maxIncomingPendingConnections: INBOUND_PENDING_MAX,
      },
      connectionMonitor: { enabled: false }, // membership has its own probes
      peerDiscovery: peerDiscovery(this.#options),
      services: {
        guard: guardStreams(permitted),
        ...(await relays.services()),
        ...(this.#options.upnp === true ? await upnpService() : {}),
        identify: identify({ protocolPrefix: "x0tta6bl4" }),
        ping: pingService(this.#pinger),
        dht: kadDHT({
          protocol: "/x0tta6bl4/kad/1.0.0",
          clientMode: false,
          peerInfoMapper: passthroughMapper,
          reprovide: provideTimes,
          validators: inEachNamespace((key: Uint8Array, value: Uint8Array) =>
            this.#deps.records.validate(utf8Text(key), value),
          ),
          selectors: inEachNamespace((key: Uint8Array, values: Uint8Array[]) =>
            this.#deps.records.select(utf8Text(key), values),
          ),
        }),
        gossip: this.#gossip.service,
      },
    });
  }

  #newRelays(): Relays {
    return new Relays(this.#options.relay ?? relayDefaults, () => this.#reachable());
  }

  /** Late news of a network that was stopped are none. */
  #reachable(): void {
    if (this.#libp2p?.status === "started") this.#deps.onReachable?.();
  }

  #refusePending(raw: MultiaddrConnection): boolean {
    const refused = this.#pending.refuses(raw);
    if (refused) this.#deps.meter.count("meshd_network_connections_refused_total");
    return refused;
  }

  /** Denies nothing by itself. */
  #boundUntilAuthenticated(raw: MultiaddrConnection): false {
    boundNegotiation(raw, UNAUTHENTICATED_BYTES_MAX, () => this.#registry.of(raw) !== undefined);
    return false;
  }

  #opened(connection: Connection): void {
    const peer = this.#registry.of(connection);
    if (peer === undefined) {
      connection.abort(
        new MeshError("internal/invariant", "A connection opened without a handshake."),
      );
      return;
    }
    if (peer.kind === "svid") this.#linked(connection, peer.identity, peer.suite);
    else if (peer.kind === "joining") this.#limitJoining(connection);
    else if (!this.#deps.allowsUnauthenticated()) {
      connection.abort(
        new MeshError<NetworkErrorCode>(
          "network/request-failed",
          "The policy lets no such peer in.",
        ),
      );
    }
    this.#countConnections();
  }

  #linked(connection: Connection, peer: PeerIdentity, suite: string): void {
    const peerId = connection.remotePeer.toString();
    const holder = this.#nodeIdByPeerId.get(peerId);
    if (holder !== undefined && holder !== peer.nodeId) {
      // Two members with one Ed25519 key: gossip and pings go by PeerId, so the second may not come in.
      connection.abort(
        new MeshError<NetworkErrorCode>("network/request-failed", "The PeerId belongs to another."),
      );
      return;
    }
    if (this.#graylist.has(peer.nodeId, this.#deps.monoMs())) {
      connection.abort(new MeshError<NetworkErrorCode>("network/graylisted", GRAYLISTED));
      return;
    }
    const known = this.#links.get(peer.nodeId);
    this.#upgraded(connection, open(known));
    this.#links.set(peer.nodeId, {
      peer,
      suite,
      connections: new Set([...(known?.connections ?? []), connection]),
    });
    this.#nodeIdByPeerId.set(peerId, peer.nodeId);
    this.#deps.onAuthenticated(peer);
    if (known === undefined) {
      const addresses =
        connection.direction === "outbound" ? [connection.remoteAddr.toString()] : [];
      this.#deps.onConnected(peer, addresses);
    }
  }

  #graylisted(nodeId: NodeId, score: number): void {
    const reason = new MeshError<NetworkErrorCode>("network/graylisted", GRAYLISTED);
    this.#graylist.add(nodeId, this.#deps.monoMs());
    this.#deps.meter.count("meshd_network_gossip_graylisted_total");
    this.#deps.logger.warn(
      { code: reason.code, nodeId, score },
      "peer disconnected: it misuses gossip",
    );
    for (const connection of [...(this.#links.get(nodeId)?.connections ?? [])]) {
      connection.abort(reason);
    }
  }

  /**
   * A direct connection makes those through relays needless. The responder of the handshake closes them: it is the last
   * to know of the new one, so neither side is without a connection for a moment.
   */
  #upgraded(connection: Connection, others: readonly Connection[]): void {
    if (isRelayed(connection) || others.length === 0 || !others.every(isRelayed)) return;
    this.#deps.meter.count("meshd_network_direct_upgrades_total", { outcome: "succeeded" });
    if (connection.direction === "outbound") return;
    for (const relayed of others) void relayed.close().catch(() => undefined);
  }

  /**
   * Gossip has one stream to a peer, on the connection that was first. When that closes, it makes another only when it
   * hears of the peer again, which identifying it brings about.
   */
  #restartGossip({ connections }: Link): void {
    const [left] = [...connections].filter(({ status }) => status === "open").slice(-1);
    const identify = this.#libp2p?.services.identify;
    if (left !== undefined) void identify?.identify(left).catch(() => undefined);
  }

  #limitJoining(connection: Connection): void {
    // The oldest gives way: a joiner needs a second, who stays longer only holds the place.
    if (this.#joining.size >= JOINING_MAX) {
      const [oldest] = this.#joining.keys();
      oldest?.abort(
        new MeshError<NetworkErrorCode>("network/request-failed", "Too many joining peers."),
      );
    }
    this.#joining.set(
      connection,
      setTimeout(
        () =>
          connection.abort(
            new MeshError<NetworkErrorCode>("network/request-failed", "Joining took too long."),
          ),
        this.#options.joiningTimeMs ?? JOINING_TIME_MS,
      ),
    );
  }

  /** A peer has told how it sees this node; only connections that are still open count. */
  #identified({ connection, observedAddr }: IdentifyResult): void {
    const ip = /^\/ip[46]\/([^/]+)/.exec(observedAddr?.toString() ?? "")?.[1];
    if (ip !== undefined && connection.status === "open" && !isRelayed(connection))
      this.#observed.set(connection, ip);
  }

  #closed(connection: Connection): void {
    clearTimeout(this.#joining.get(connection));
    this.#joining.delete(connection);
    this.#observed.delete(connection);
    const peer = this.#registry.of(connection);
    if (peer?.kind === "svid") {
      const link = this.#links.get(peer.identity.nodeId);
      link?.connections.delete(connection);
      if (link !== undefined && link.connections.size > 0) this.#restartGossip(link);
      if (link?.connections.size === 0) {
        this.#relays.forget(this.#relayServer(), connection.remotePeer);
        this.#links.delete(peer.identity.nodeId);
        this.#nodeIdByPeerId.delete(connection.remotePeer.toString());
        this.#deps.onDisconnected(peer.identity.nodeId);
      }
    }
    this.#countConnections();
  }

  #countConnections(): void {
    const counts = { svid: 0, joining: 0, unanchored: 0, interop: 0 };
    for (const connection of this.#libp2p?.getConnections() ?? []) {
      const kind = this.#registry.of(connection)?.kind;
      if (kind !== undefined && connection.status === "open") counts[kind]++;
    }
    for (const [peer, count] of Object.entries(counts))
      this.#deps.meter.set("meshd_network_connections", count, { peer });
  }

  /** Sets the gauges of relaying and of the DHT; what they count changes without an event of this class. */
  meterReach(): void {
    const { meter } = this.#deps;
    meter.set("meshd_network_records", this.#store.records);
    const relayed = [...this.#links.values()].filter((link) => open(link).every(isRelayed));
    meter.set("meshd_network_relayed_links", relayed.length);
    const held = this.#relays.reserved.length;
    meter.set("meshd_network_relay_reservations", held, { side: "held" });
    const granted = this.#relays.granted(this.#relayServer());
    meter.set("meshd_network_relay_reservations", granted, { side: "granted" });
    meter.set("meshd_network_relay_circuits", this.#relays.circuits());
  }

  #relayServer(): unknown {
    return (this.#libp2p?.services as { readonly relay?: unknown } | undefined)?.relay;
  }

  #dialQuietly(addresses: string[], peerId: PeerId): void {
    if (this.#nodeIdByPeerId.has(peerId.toString())) return;
    this.dial(addresses, peerId).catch((error: unknown) => {
      this.#deps.logger.debug(
        { code: errorCode(error), peerId: peerId.toString() },
        "discovered peer not reachable",
      );
    });
  }

  async #answer(
    stream: Stream,
    connection: Connection,
    options: ServeOptions,
    handler: RequestHandler,
    protocol: string,
  ): Promise<void> {
    const ended = new AbortController();
    stream.addEventListener("close", () => ended.abort(), { once: true });
    try {
      const peer = this.#registry.of(connection);
      if (peer === undefined)
        throw new MeshError("internal/invariant", "A stream opened without a handshake.");
      const { requestBytesMax } = options;
      const framed = framedStream(stream, Math.max(requestBytesMax, TRACEPARENT_CHARS));
      const arrival = { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) };
      const context = stream.protocol === protocol ? undefined : await framed.read(arrival);
      const request = (await framed.read(arrival)).subarray();
      if (request.length > requestBytesMax)
        throw new MeshError("network/request-failed", "The request is too long.");
      const answer = await this.#traced(protocol, peer, context?.subarray(), () =>
        handler(peer, request, ended.signal),
      );
      // A peer that never reads its answer would hold the stream for as long as it likes.
      const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
      await framed.write(answer, { signal });
      await stream.close({ signal });
    } catch (error) {
      this.#refused(stream, error);
    }
  }

  #refused(stream: Stream, error: unknown): void {
    this.#deps.logger.debug(
      { code: errorCode(error), protocol: stream.protocol, error: errorMessage(error) },
      "request refused",
    );
    stream.abort(new Error("refused"));
  }

  /** Runs the work as part of the peer's trace, if there is one: a request that is served never begins a trace. */
  #traced(
    protocol: string,
    peer: AuthenticatedPeer,
    context: Uint8Array | undefined,
    work: () => Promise<Uint8Array>,
  ): Promise<Uint8Array> {
    const traceparent = context && Buffer.from(context).toString("latin1");
    if (traceparent === undefined || parseTraceparent(traceparent) === undefined) return work();
    const attributes = {
      "meshd.protocol": protocol,
      "meshd.peer": peer.kind === "svid" ? peer.identity.spiffeId : peer.kind,
    };
    return this.#deps.tracer.span(
      `serve ${protocol}`,
      { kind: "server", parent: { traceparent }, attributes },
      work,
    );
  }
}

/** The open connections of a link, oldest first. */
function open(link: Link | undefined): Connection[] {
  return [...(link?.connections ?? [])].filter(({ status }) => status === "open");
}

/** The router's word is enough: it has made the mapping itself. */
async function upnpService(): Promise<ServiceFactoryMap> {
  const { uPnPNAT } = await import("@libp2p/upnp-nat");
  return { upnp: uPnPNAT({ portMappingDescription: "meshd", autoConfirmAddress: true }) };
}

function inEachNamespace<Value>(value: Value): Record<string, Value> {
  return Object.fromEntries(RECORD_NAMESPACES.map((name) => [name, value]));
}

/** libp2p puts the system's errors with their stacks into one message: only what the system said is for operators. */
function cannotListen(listen: readonly string[], cause: unknown): MeshError<NetworkErrorCode> {
  const reason = /\b(?:listen|bind|getaddrinfo) (E[A-Z]+)[^\n]*/.exec(errorMessage(cause));
  const taken = reason?.[1] === "EADDRINUSE";
  const nextStep = taken
    ? "Free the port or change mesh.listen."
    : "Set mesh.listen to an address of this host and a port that the daemon's user may use.";
  return new MeshError<NetworkErrorCode>(
    taken ? "network/port-taken" : "network/cannot-listen",
    `Cannot listen on ${listen.join(", ")}: ${reason?.[0] ?? errorMessage(cause)}. ${nextStep}`,
    { listen },
    { cause },
  );
}
