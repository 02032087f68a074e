// Links through a third node, for peers that cannot be dialled (circuit-relay-v2). A relay carries bytes of two
// peers and sees ciphertext alone: their handshake runs end to end through it, by the same encrypter as on a
// direct connection. Who becomes a relay of this node is decided outside (node/reachability.ts): libp2p's own search for
// relays is never started. Everything here is loaded only where it is used.

import type { autoNAT } from "@libp2p/autonat";
import type { CircuitRelayService, circuitRelayTransport } from "@libp2p/circuit-relay-v2";
import type { dcutr } from "@libp2p/dcutr";
import type { Connection, PeerId, Stream, Transport } from "@libp2p/interface";
import type { ServiceFactoryMap } from "libp2p";
import type { MetricDeclaration } from "../../ports/index.ts";

export const RELAY_HOP_PROTOCOL = "/libp2p/circuit/relay/0.2.0/hop";
export const RELAY_STOP_PROTOCOL = "/libp2p/circuit/relay/0.2.0/stop";
export const UPGRADE_PROTOCOL = "/libp2p/dcutr";

export const relayMetrics: readonly MetricDeclaration[] = [
  {
    name: "meshd_network_relayed_links",
    kind: "gauge",
    help: "Members that this node is connected to through a relay only.",
  },
  {
    name: "meshd_network_relay_reservations",
    kind: "gauge",
    help: "Reservations: held by this node at relays, and granted by this node as a relay.",
    labels: { side: ["held", "granted"] },
  },
  {
    name: "meshd_network_relay_circuits",
    kind: "gauge",
    help: "Connections of others that this node carries as a relay.",
  },
  {
    name: "meshd_network_direct_upgrades_total",
    kind: "counter",
    help: "Relayed links that this node tried to replace by a direct one (hole punches included), and those that were.",
    labels: { outcome: ["attempted", "succeeded"] },
  },
];

export interface RelayOptions {
  /**
   * `server`: carry others. `client`: hold reservations always. `auto`: hold them while this node cannot be dialled.
   * `off`: neither, and no dialling through relays.
   */
  readonly mode: "off" | "auto" | "client" | "server";
  /** As a relay: nodes that may be reached through this one. */
  readonly reservationsMax: number;
  /** As a relay: how long a connection is carried before both ends must make a new one. */
  readonly circuitTimeMs: number;
  /** As a relay: bytes a connection may carry, both ways together. */
  readonly circuitBytesMax: number;
}

export const relayDefaults: RelayOptions = {
  mode: "auto",
  reservationsMax: 64,
  circuitTimeMs: 3_600_000,
  circuitBytesMax: 256 * 1024 * 1024,
};

/** A reservation ends after this unless it is renewed; libp2p's client renews five minutes before. */
const RESERVATION_MS = 30 * 60_000;
/** Connections that one peer may open through this relay, and have opened to it. */
const CIRCUITS_PER_PEER_MAX = 32;
/** Connections carried at once. Each may hold two stream windows of 1 MiB for a reader that is slow. */
const CIRCUITS_MAX = 256;
const HOP_TIMEOUT_MS = 10_000;

/** What libp2p gives each service; the proxy that it is has all parts. */
type Components = Parameters<ReturnType<typeof circuitRelayTransport>>[0] &
  Parameters<ReturnType<typeof dcutr>>[0] &
  Parameters<ReturnType<typeof autoNAT>>[0];

/** What the transport's class has beside `Transport`, in `@libp2p/circuit-relay-v2` 4.2. */
interface RelayTransport extends Transport {
  readonly reservationStore: EventTarget & {
    addRelay(peerId: PeerId, type: "configured"): Promise<unknown>;
    hasReservation(peerId: PeerId): boolean;
    /** Relays that failed once and are never tried again. */
    relayFilter: { has(id: Uint8Array): boolean; add(id: Uint8Array): void };
  };
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** What libp2p starts and stops. */
interface Part {
  start?(): void | Promise<void>;
  stop?(): void | Promise<void>;
}

/** Whether a connection leads through a relay. */
export function isRelayed({ remoteAddr }: Pick<Connection, "remoteAddr">): boolean {
  return remoteAddr.getComponents().some(({ name }) => name === "p2p-circuit");
}

/** The PeerId of the relay that a connection leads through. */
export function relayOf({ remoteAddr }: Pick<Connection, "remoteAddr">): string | undefined {
  const parts = remoteAddr.getComponents();
  const at = parts.findIndex(({ name }) => name === "p2p-circuit");
  return at < 0 ? undefined : parts.slice(0, at).findLast(({ name }) => name === "p2p")?.value;
}

export class Relays {
  readonly #options: RelayOptions;
  readonly #onChange: () => void;
  readonly #reserved = new Set<string>();
  #components: Components | undefined;
  #client: Promise<RelayTransport> | undefined;
  readonly #started: Part[] = [];
  #stopped = false;

  /** @param onChange called when a reservation was made or has ended */
  constructor(options: RelayOptions, onChange: () => void) {
    this.#options = options;
    this.#onChange = onChange;
  }

  /** The services of libp2p that this mode needs from the start. */
  async services(): Promise<ServiceFactoryMap> {
    const capture = (components: unknown): object => {
      this.#components = components as Components;
      return {};
    };
    if (this.#options.mode !== "server") return { relays: capture };
    const [relay, autonat] = await Promise.all([
      import("@libp2p/circuit-relay-v2"),
      import("@libp2p/autonat"),
    ]);
    const { reservationsMax, circuitTimeMs, circuitBytesMax } = this.#options;
    return {
      relays: capture,
      relay: relay.circuitRelayServer({
        hopTimeout: HOP_TIMEOUT_MS,
        maxInboundHopStreams: CIRCUITS_PER_PEER_MAX,
        maxOutboundStopStreams: CIRCUITS_PER_PEER_MAX,
        reservations: {
          maxReservations: reservationsMax,
          reservationTtl: RESERVATION_MS,
          defaultDurationLimit: circuitTimeMs,
          defaultDataLimit: BigInt(circuitBytesMax),
        },
      }),
      autonat: autonat.autoNAT({ protocolPrefix: "x0tta6bl4" }),
    };
  }

  /** Announces public addresses of this host's own interfaces until somebody finds out that they do not work. */
  announceInterfaces(): void {
    const manager = this.#parts().addressManager;
    for (const { multiaddr, type, verified } of manager.getAddressesWithMetadata()) {
      if (type === "transport" && !verified)
        manager.confirmObservedAddr(multiaddr, { type, ttl: 1 });
    }
  }

  /** Makes dialling through relays possible. @returns false in mode `off` */
  async load(): Promise<boolean> {
    if (this.#options.mode === "off" || this.#stopped) return false;
    this.#client ??= this.#loadClient();
    await this.#client;
    return true;
  }

  /** Asks a connected relay for a reservation, or finds that there is one. @throws what the relay's refusal becomes */
  async reserve(relay: PeerId): Promise<void> {
    if (!(await this.load())) return;
    const client = await this.#client;
    await client?.reservationStore.addRelay(relay, "configured");
  }

  /** PeerIds of the relays that this node holds reservations at. */
  get reserved(): readonly string[] {
    return [...this.#reserved];
  }

  /**
   * Whether a peer may take part in a protocol of relaying on this connection: `undefined` for other protocols. A peer
   * may announce a relayed connection only where this node has asked to be reached: libp2p would else make a reservation
   * at anybody who says so.
   */
  permits(connection: Connection, { protocol, direction }: Stream): boolean | undefined {
    if (protocol === RELAY_STOP_PROTOCOL && direction === "inbound")
      return this.#reserved.has(connection.remotePeer.toString()) && !isRelayed(connection);
    if (protocol === RELAY_HOP_PROTOCOL && direction === "inbound")
      return !isRelayed(connection) && this.circuits() < CIRCUITS_MAX;
    if (protocol === UPGRADE_PROTOCOL) return isRelayed(connection);
    return undefined;
  }

  /** Reservations that this node has granted to peers it is still connected to. */
  granted(server: unknown): number {
    return (server as CircuitRelayService | undefined)?.reservations.size ?? 0;
  }

  /** Gives the place of a peer that has gone to another. */
  forget(server: unknown, peerId: PeerId): void {
    const reservations = (server as CircuitRelayService | undefined)?.reservations;
    // Cleared, not left to run out: libp2p would then delete a newer reservation of the same peer.
    reservations?.get(peerId)?.signal.clear();
    reservations?.delete(peerId);
  }

  /** Connections of others that this node carries. */
  circuits(): number {
    let count = 0;
    for (const { streams } of this.#components?.connectionManager.getConnections() ?? []) {
      for (const { protocol, direction } of streams)
        if (protocol === RELAY_STOP_PROTOCOL && direction === "outbound") count++;
    }
    return count;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#client?.catch(() => undefined);
    for (const part of this.#started.splice(0)) await part.stop?.();
  }

  async #loadClient(): Promise<RelayTransport> {
    const [relay, holePunching] = await Promise.all([
      import("@libp2p/circuit-relay-v2"),
      import("@libp2p/dcutr"),
    ]);
    const components = this.#parts();
    const transport = relay.circuitRelayTransport({
      reservationCompletionTimeout: HOP_TIMEOUT_MS,
      maxInboundStopStreams: CIRCUITS_PER_PEER_MAX,
      maxOutboundStopStreams: CIRCUITS_PER_PEER_MAX,
    })(components) as RelayTransport;
    const { reservationStore: store } = transport;
    // A relay that is away now may be back later: who is tried and when is the caller's policy.
    store.relayFilter = { has: () => false, add: () => undefined };
    store.addEventListener("relay:created-reservation", (event) => this.#changed(event, true));
    store.addEventListener("relay:removed", (event) => this.#changed(event, false));
    components.transportManager.add(transport);
    const parts: Part[] = [transport, holePunching.dcutr()(components) as Part];
    if (this.#options.mode !== "server") {
      const autonat = await import("@libp2p/autonat");
      parts.push(autonat.autoNAT({ protocolPrefix: "x0tta6bl4" })(components) as Part);
    }
    for (const part of parts) {
      await part.start?.();
      this.#started.push(part);
    }
    return transport;
  }

  #changed(event: Event, isHeld: boolean): void {
    const { relay } = (event as CustomEvent<{ readonly relay: PeerId }>).detail;
    if (isHeld) this.#reserved.add(relay.toString());
    else this.#reserved.delete(relay.toString());
    this.#onChange();
  }

  #parts(): Components {
    if (this.#components === undefined) throw new Error("libp2p has not been made yet");
    return this.#components;
  }
}
