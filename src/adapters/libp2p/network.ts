// The libp2p node as the daemon sees it: authenticated links to peers by NodeId, request-response
// protocols, gossip (gossip.ts) and pings. Default deny: a stream of any protocol
// passes the stream guard first, so a peer that is only joining can open nothing but attestation.

import { publicKeyFromRaw } from "@libp2p/crypto/keys";
import type { Connection, IdentifyResult, PeerId, Stream } from "@libp2p/interface";
import { peerIdFromPublicKey } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { errorCode, errorMessage, MeshError, utf8Bytes } from "../../foundation/index.ts";
import type { NodeId, PeerIdentity } from "../../identity/index.ts";
import type { MetricDeclaration } from "../../ports/index.ts";
import { systemRandom } from "../random.ts";
import { ContentProviders } from "./content-providers.ts";
import { exchange, type RequestOptions, tracedProtocol } from "./exchange.ts";
import { Gossip, type GossipValidator } from "./gossip.ts";
import { gossipMetrics } from "./gossip-metrics.ts";
import { Graylist } from "./graylist.ts";
import { JoiningPeers } from "./joining-peers.ts";
import { createNode, type MeshNode } from "./libp2p-node.ts";
import { Links } from "./links.ts";
import { cannotListen, type NetworkErrorCode } from "./network-errors.ts";
import type { NetworkDeps, NetworkOptions } from "./network-types.ts";
import { Pinger } from "./ping.ts";
import { RecordStore } from "./record-store.ts";
import { PeerRegistry } from "./peer-registry.ts";
import { isRelayed, relayDefaults, relayMetrics, Relays } from "./relay.ts";
import { abortRefused, answerRequest, type RequestHandler } from "./request-server.ts";

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

const RECORD_TIMEOUT_MS = 5_000;

const GRAYLISTED = "The member misused gossip and is refused for some minutes.";

export interface ServeOptions {
  readonly requestBytesMax: number;
  readonly streamsPerPeerMax: number;
  /** Whether it also runs on links through a relay, whose bytes and time are counted. @default false */
  readonly relayed?: boolean;
}

export interface DialOptions {
  /** Also when there is a connection. @default false */
  readonly force?: boolean;
  readonly signal?: AbortSignal;
}

export class Network {
  readonly #deps: NetworkDeps;
  readonly #options: NetworkOptions;
  readonly #registry = new PeerRegistry();
  readonly #links = new Links();
  readonly #pinger = new Pinger(systemRandom);
  /** Protocols that run on relayed links too. */
  readonly #relayedProtocols = new Set<string>();
  readonly #joining: JoiningPeers;
  /** What connected peers told of how they see this node. */
  readonly #observed = new Map<Connection, string>();
  readonly #graylist = new Graylist();
  readonly #gossip: Gossip;
  /** Who has which content. */
  readonly providers = new ContentProviders(() => this.#node().contentRouting);
  #libp2p: MeshNode | undefined;
  readonly #store = new RecordStore();
  #relays: Relays;

  constructor(deps: NetworkDeps, options: NetworkOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#relays = this.#newRelays();
    this.#joining = new JoiningPeers(options.joiningTimeMs);
    const { logger, meter, monoMs, reputation, forwarding } = deps;
    this.#gossip = new Gossip(
      {
        ...{ logger, meter, monoMs, reputation, forwarding },
        memberOf: (peerId) => this.#links.nodeIdOf(peerId),
        members: () => this.#links.ids(),
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
    const relays = (this.#relays = this.#newRelays());
    const node = await createNode(this.#deps, this.#options, {
      ...{ registry: this.#registry, relays, pinger: this.#pinger },
      ...{ gossip: this.#gossip, store: this.#store },
      onFound: ({ id, multiaddrs }) => this.#dialQuietly(multiaddrs.map(String), id),
    });
    node.addEventListener("connection:open", ({ detail }) => this.#opened(detail));
    node.addEventListener("connection:close", ({ detail }) => this.#closed(detail));
    node.addEventListener("peer:identify", ({ detail }) => this.#identified(detail));
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
    this.#joining.stop();
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
    return this.#links.suiteOf(nodeId);
  }

  /** The connection that requests to a peer take: its address, and the relay's name or PeerId if it goes through one. */
  transportTo(nodeId: NodeId): ReturnType<Links["transportTo"]> {
    return this.#links.transportTo(nodeId);
  }

  connectedPeers(): PeerIdentity[] {
    return this.#links.peers();
  }

  /** The relay that the link to a peer leads through, when no direct one is open; its PeerId when it is no member. */
  relayTo(nodeId: NodeId): string | undefined {
    return this.#links.relayTo(nodeId);
  }

  /** Relays through which this node may be reached. */
  reservedRelays(): NodeId[] {
    return this.#relays.reserved.flatMap((peerId) => this.#links.nodeIdOf(peerId) ?? []);
  }

  /** Asks a directly connected relay to let others reach this node through it. @throws MeshError `network/no-reservation` */
  async reserve(relay: NodeId): Promise<void> {
    try {
      await this.#relays.reserve(this.#links.connectionTo(relay).remotePeer);
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
   * Dials a peer through one of the relays, all connected members; a no-op when connected, unless `force` asks for another link.
   * @throws MeshError `network/dial-failed`
   */
  async dialThrough(
    relays: readonly NodeId[],
    peerId: PeerId,
    options: DialOptions = {},
  ): Promise<void> {
    const peerIds = relays.flatMap((nodeId) => this.#links.open(nodeId)[0]?.remotePeer ?? []);
    await this.dial(
      peerIds.map((relay) => `/p2p/${relay.toString()}/p2p-circuit`),
      peerId,
      options,
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
   * Dials a peer at any of its addresses, and tells its PeerId; a no-op when connected, unless `force` asks for another link.
   * @throws MeshError `network/dial-failed`
   */
  async dial(
    addresses: readonly string[],
    peerId?: PeerId,
    options: DialOptions = {},
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

  /**
   * Ends all connections to a peer but the one that was opened last, once that has answered a ping: by then the peer knows of it,
   * too, and neither side is without a link for a moment.
   * @throws what libp2p throws on time-out; the newest ends then, and the others stay
   */
  async keepNewest(nodeId: NodeId, timeoutMs: number): Promise<void> {
    const open = this.#links.open(nodeId);
    const newest = open.at(-1);
    if (newest === undefined || open.length === 1) return;
    const reason = new MeshError<NetworkErrorCode>("network/replaced", "Another link is in use.");
    try {
      await this.#pinger.ping(newest, timeoutMs);
    } catch (error) {
      newest.abort(reason);
      throw error;
    }
    for (const older of open) if (older !== newest) older.abort(reason);
  }

  /** Closes all connections to a peer. */
  async disconnect(nodeId: NodeId): Promise<void> {
    const connections = this.#links.all(nodeId);
    await Promise.allSettled(connections.map((connection) => connection.close()));
  }

  /**
   * Round-trip time to a connected peer in milliseconds.
   * @throws MeshError `network/not-connected`; what libp2p throws on time-out
   */
  async ping(nodeId: NodeId, timeoutMs: number): Promise<number> {
    return this.#pinger.ping(this.#links.connectionTo(nodeId), timeoutMs);
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
    return exchange(this.#deps.tracer, this.#links.connectionTo(nodeId), protocol, request, {
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
    const served = { protocol, requestBytesMax: options.requestBytesMax, handler };
    for (const variant of variants) {
      await this.#node().handle(
        variant,
        (stream, connection) =>
          answerRequest(this.#deps, stream, this.#registry.of(connection), served),
        { maxInboundStreams: options.streamsPerPeerMax, runOnLimitedConnection: relayed },
      );
    }
  }

  /**
   * A stream to a connected peer, for protocols that are no request and answer.
   * @throws MeshError `network/not-connected`, `network/request-failed`
   */
  async openStream(nodeId: NodeId, protocol: string, signal: AbortSignal): Promise<Stream> {
    const connection = this.#links.connectionTo(nodeId);
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
          abortRefused(this.#deps.logger, stream, error);
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
    const [connection] = this.#links.all(nodeId);
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

  #node(): MeshNode {
    if (this.#libp2p === undefined)
      throw new MeshError<NetworkErrorCode>("network/not-connected", "The network is not started.");
    return this.#libp2p;
  }

  #newRelays(): Relays {
    return new Relays(this.#options.relay ?? relayDefaults, () => this.#reachable());
  }

  /** Late news of a network that was stopped are none. */
  #reachable(): void {
    if (this.#libp2p?.status === "started") this.#deps.onReachable?.();
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
    else if (peer.kind === "joining") this.#joining.admit(connection);
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
    const holder = this.#links.nodeIdOf(connection.remotePeer.toString());
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
    this.#upgraded(connection, this.#links.open(peer.nodeId));
    const isFirst = this.#links.add(connection, peer, suite);
    this.#deps.onAuthenticated(peer);
    if (isFirst) {
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
    for (const connection of this.#links.all(nodeId)) connection.abort(reason);
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
  #restartGossip(nodeId: NodeId): void {
    const left = this.#links.open(nodeId).at(-1);
    const identify = this.#libp2p?.services.identify;
    if (left !== undefined) void identify?.identify(left).catch(() => undefined);
  }

  /** A peer has told how it sees this node; only connections that are still open count. */
  #identified({ connection, observedAddr }: IdentifyResult): void {
    const ip = /^\/ip[46]\/([^/]+)/.exec(observedAddr?.toString() ?? "")?.[1];
    if (ip !== undefined && connection.status === "open" && !isRelayed(connection))
      this.#observed.set(connection, ip);
  }

  #closed(connection: Connection): void {
    this.#joining.forget(connection);
    this.#observed.delete(connection);
    const peer = this.#registry.of(connection);
    if (peer?.kind === "svid") this.#unlinked(connection, peer.identity.nodeId);
    this.#countConnections();
  }

  #unlinked(connection: Connection, nodeId: NodeId): void {
    if (!this.#links.remove(connection, nodeId)) {
      this.#restartGossip(nodeId);
      return;
    }
    this.#relays.forget(this.#relayServer(), connection.remotePeer);
    this.#deps.onDisconnected(nodeId);
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
    meter.set("meshd_network_relayed_links", this.#links.relayedCount());
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
    if (this.#links.nodeIdOf(peerId.toString()) !== undefined) return;
    this.dial(addresses, peerId).catch((error: unknown) => {
      this.#deps.logger.debug(
        { code: errorCode(error), peerId: peerId.toString() },
        "discovered peer not reachable",
      );
    });
  }
}
