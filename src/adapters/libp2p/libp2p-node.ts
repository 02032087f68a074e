// What our libp2p node is made of: transports, bounds, and the services that peers meet. Started by network.ts.

import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import type { GossipSub } from "@libp2p/gossipsub";
import { identify } from "@libp2p/identify";
import type { Connection, MultiaddrConnection, PeerInfo, Stream } from "@libp2p/interface";
import { kadDHT, passthroughMapper } from "@libp2p/kad-dht";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { createLibp2p, type Libp2p, type ServiceFactoryMap } from "libp2p";
import { assert, MeshError, utf8Text } from "../../foundation/index.ts";
import { keepPoolsSmall } from "../buffer-pools.ts";
import { provideTimes } from "./content-providers.ts";
import { peerDiscovery } from "./discovery.ts";
import { FrameGuard, RECORDS_PROTOCOL } from "./frame-bound.ts";
import type { Gossip } from "./gossip.ts";
import type { NetworkDeps, NetworkOptions } from "./network-types.ts";
import { boundPeerStore } from "./peer-store.ts";
import { PendingConnections } from "./pending-connections.ts";
import type { PeerRegistry } from "./peer-registry.ts";
import { type Pinger, pingService } from "./ping.ts";
import type { RecordStore } from "./record-store.ts";
import type { Relays } from "./relay.ts";
import { silentLogger } from "./silent-logger.ts";
import {
  boundMuxer,
  boundNegotiation,
  guardStreams,
  mayOpen,
  UNAUTHENTICATED_BYTES_MAX,
} from "./stream-guard.ts";

/** How long the handshake of an inbound connection may take. */
const UPGRADE_TIMEOUT_MS = 10_000;

/** What a node tells of itself is kept in the DHT under its NodeId and under a digest of its SPIFFE id. */
const RECORD_NAMESPACES = ["x0id", "x0name"];

/**
 * Nodes that keep a record, and peers that an answer of the DHT names: what BitTorrent's DHT takes (BEP 5). With libp2p's 20 a query in a mesh
 * of 24 asks nearly all of them, and each names all. All eight are liars in one of 15,000 keys when 30 % of a mesh are.
 */
const RECORD_KEEPERS = 8;

/**
 * How often a node looks for the DHT's nodes around itself and in each distance from itself: log2 N + 1 queries, each of which connects to
 * some eight nodes: with libp2p's five minutes up to 56 in a mesh of 50, by a new connection where there is none. Who connects or asks becomes known anyway.
 */
const TABLE_REFRESH_MS = 3_600_000;

/** Each node that the DHT hears of is asked whether it is there, which may take a connection. */
const CONTACTS_TRIED_AT_ONCE = 2;

/**
 * Raw connections that one address may open in a second, and connections before their handshake has ended. The
 * handshake limiter decides who is served: libp2p's own counters (5 and 10) would turn away nodes behind one NAT first.
 */
const INBOUND_PER_SECOND_MAX = 64;
const INBOUND_PENDING_MAX = 256;

/**
 * What a peer may send on a stream before somebody has read it. Below the 4 MiB at which libp2p gives up a stream that is paused (its default
 * window is 16), and enough for 20 MB/s at a round trip of 50 ms.
 */
const STREAM_WINDOW_BYTES_MAX = 1024 * 1024;

export type MeshNode = Libp2p<{
  gossip: GossipSub;
  identify: { identify(connection: Connection): Promise<unknown> };
}>;

/** Our own parts that libp2p calls. */
export interface NodeParts {
  readonly registry: PeerRegistry;
  readonly relays: Relays;
  readonly pinger: Pinger;
  readonly gossip: Gossip;
  readonly store: RecordStore;
  /** Called with a peer of the LAN that is to be dialled. */
  readonly onFound: (peer: PeerInfo) => void;
}

/** Makes the node; it neither listens nor dials before it is started. */
export async function createNode(
  deps: NetworkDeps,
  options: NetworkOptions,
  parts: NodeParts,
): Promise<MeshNode> {
  const { listen, announce, connectionsMax, version } = options;
  const { registry, relays } = parts;
  keepPoolsSmall();
  const frames = new FrameGuard(deps.monoMs);
  return createLibp2p({
    start: false,
    logger: silentLogger,
    datastore: parts.store,
    privateKey: await generateKeyPairFromSeed("Ed25519", deps.ed25519Seed),
    nodeInfo: { name: "meshd", version, userAgent: `meshd/${version}` },
    addresses: { listen: [...listen], announce: [...announce] },
    transports: [tcp()],
    streamMuxers: [
      boundMuxer(yamux({ streamOptions: { maxStreamWindowSize: STREAM_WINDOW_BYTES_MAX } })),
    ],
    connectionGater: gater(deps, registry),
    connectionEncrypters: deps.encrypters(registry),
    connectionManager: {
      maxConnections: connectionsMax,
      inboundUpgradeTimeout: UPGRADE_TIMEOUT_MS,
      reconnectRetries: 0,
      inboundConnectionThreshold: INBOUND_PER_SECOND_MAX,
      maxIncomingPendingConnections: INBOUND_PENDING_MAX,
    },
    connectionMonitor: { enabled: false }, // membership has its own probes
    peerDiscovery: peerDiscovery(options, deps.monoMs, parts.onFound),
    services: {
      guard: guardStreams(streamPermit(deps, registry, relays), (...opened) =>
        frames.watch(...opened),
      ),
      peers: boundPeerStore,
      ...(await relays.services()),
      ...(options.upnp === true ? await upnpService() : {}),
      identify: identify({ protocolPrefix: "x0tta6bl4" }),
      ping: pingService(parts.pinger),
      dht: recordTable(deps.records),
      gossip: parts.gossip.service,
    },
  });
}

/** Whether a peer may open a stream: by what its handshake proved, and by what the policy gives it now. */
function streamPermit(
  deps: NetworkDeps,
  registry: PeerRegistry,
  relays: Relays,
): (connection: Connection, stream: Stream) => boolean {
  return (connection, stream) => {
    const allowed =
      mayOpen(registry.of(connection), stream.protocol, {
        member: deps.allowsMember,
        unauthenticated: deps.allowsUnauthenticated,
      }) && relays.permits(connection, stream) !== false;
    if (!allowed) deps.meter.count("meshd_network_streams_refused_total");
    return allowed;
  };
}

/** Bounds what comes before the handshake, in both directions. */
function gater(
  { meter }: NetworkDeps,
  registry: PeerRegistry,
): {
  denyInboundConnection: (raw: MultiaddrConnection) => boolean;
  denyOutboundConnection: (peerId: unknown, raw: MultiaddrConnection) => boolean;
} {
  const isAuthenticated = (raw: MultiaddrConnection): boolean => registry.of(raw) !== undefined;
  const pending = new PendingConnections(isAuthenticated, INBOUND_PENDING_MAX);
  const bound = (raw: MultiaddrConnection): void =>
    boundNegotiation(raw, UNAUTHENTICATED_BYTES_MAX, () => isAuthenticated(raw));
  return {
    denyInboundConnection: (raw) => {
      const refused = pending.refuses(raw);
      if (refused) meter.count("meshd_network_connections_refused_total");
      else bound(raw);
      return refused;
    },
    denyOutboundConnection: (_peerId, raw) => {
      bound(raw);
      return false;
    },
  };
}

function recordTable({ validate, select }: NetworkDeps["records"]): ReturnType<typeof kadDHT> {
  const table = kadDHT({
    protocol: RECORDS_PROTOCOL,
    clientMode: false,
    kBucketSize: RECORD_KEEPERS,
    routingTableUpdateQueueConcurrency: CONTACTS_TRIED_AT_ONCE,
    peerInfoMapper: passthroughMapper,
    querySelfInterval: TABLE_REFRESH_MS,
    reprovide: provideTimes,
    validators: {
      ...inEachNamespace((key: Uint8Array, value: Uint8Array) => validate(utf8Text(key), value)),
      pk: refusePublicKeys,
    },
    selectors: inEachNamespace((key: Uint8Array, values: Uint8Array[]) =>
      select(utf8Text(key), values),
    ),
  });
  return (components) => {
    const dht = table(components);
    const { routingTableRefresh: refresh } = dht as { routingTableRefresh?: object };
    assert(refresh !== undefined && "refreshInterval" in refresh, "kad-dht is built as we know it");
    refresh.refreshInterval = TABLE_REFRESH_MS;
    return dht;
  };
}

/**
 * kad-dht takes public keys, too, unless it is told otherwise: whoever makes enough of them, which costs nothing, would push out every
 * record that a node keeps.
 */
function refusePublicKeys(): never {
  throw new MeshError("network/request-failed", "No public keys are kept in this DHT.");
}

/** The router's word is enough: it has made the mapping itself. */
async function upnpService(): Promise<ServiceFactoryMap> {
  const { uPnPNAT } = await import("@libp2p/upnp-nat");
  return { upnp: uPnPNAT({ portMappingDescription: "meshd", autoConfirmAddress: true }) };
}

function inEachNamespace<Value>(value: Value): Record<string, Value> {
  return Object.fromEntries(RECORD_NAMESPACES.map((name) => [name, value]));
}
