// What the network needs from the daemon, and what may be chosen about it.

import type { NodeId, PeerIdentity } from "../../identity/index.ts";
import type { Forwarding } from "../../mesh/index.ts";
import type { Logger, Meter, MonoMs, Tracer } from "../../ports/index.ts";
import type { EncrypterFactory } from "./encrypter.ts";
import type { ScoreOptions } from "./gossip-scores.ts";
import type { PeerRegistry } from "./peer-registry.ts";
import type { RelayOptions } from "./relay.ts";

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
  /** Whether and when gossip passes a message on to a member. */
  readonly forwarding: (bytes: Uint8Array, to: NodeId) => Forwarding;
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
  /** What `Network.addresses` or `Network.reservedRelays` give may have changed. */
  readonly onReachable?: () => void;
}
