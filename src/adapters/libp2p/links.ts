// Who is connected: each member's open connections, and which member a PeerId belongs to.

import type { Connection } from "@libp2p/interface";
import { MeshError } from "../../foundation/index.ts";
import type { NodeId, PeerIdentity } from "../../identity/index.ts";
import type { NetworkErrorCode } from "./network-errors.ts";
import { isRelayed, relayOf } from "./relay.ts";

/** A member and its connections, oldest first; there is at least one. */
interface Link {
  readonly peer: PeerIdentity;
  readonly suite: string;
  readonly connections: Set<Connection>;
}

export class Links {
  readonly #links = new Map<NodeId, Link>();
  readonly #nodeIdByPeerId = new Map<string, NodeId>();

  has(nodeId: NodeId): boolean {
    return this.#links.has(nodeId);
  }

  /** The connected member with this PeerId. */
  nodeIdOf(peerId: string): NodeId | undefined {
    return this.#nodeIdByPeerId.get(peerId);
  }

  /** PeerId and NodeId of each connected member. */
  ids(): Iterable<readonly [peerId: string, nodeId: NodeId]> {
    return this.#nodeIdByPeerId.entries();
  }

  /** The connected members, as their handshakes proved them. */
  peers(): PeerIdentity[] {
    return [...this.#links.values()].map(({ peer }) => peer);
  }

  /** The negotiated suite of a connected member. */
  suiteOf(nodeId: NodeId): string | undefined {
    return this.#links.get(nodeId)?.suite;
  }

  /** All connections of a member, those that are closing included. */
  all(nodeId: NodeId): Connection[] {
    return [...(this.#links.get(nodeId)?.connections ?? [])];
  }

  /** The open connections of a member, oldest first. */
  open(nodeId: NodeId): Connection[] {
    return this.all(nodeId).filter(({ status }) => status === "open");
  }

  /** The newest open connection: an older one may be half-open after the peer lost power. A relay is the last resort. */
  newest(nodeId: NodeId): Connection | undefined {
    const connections = this.open(nodeId).reverse();
    return connections.find((each) => !isRelayed(each)) ?? connections[0];
  }

  /** The connection that requests to a member take. @throws MeshError `network/not-connected` */
  connectionTo(nodeId: NodeId): Connection {
    const connection = this.newest(nodeId);
    if (connection !== undefined) return connection;
    throw new MeshError<NetworkErrorCode>(
      "network/not-connected",
      `No connection to node ${nodeId.slice(0, 12)}. It may be restarting.`,
      { nodeId },
    );
  }

  /** The address that requests to a member go to, and the name or PeerId of the relay if they go through one. */
  transportTo(nodeId: NodeId): { readonly address: string; readonly relay?: string } | undefined {
    const connection = this.newest(nodeId);
    if (connection === undefined) return undefined;
    const address = connection.remoteAddr.toString();
    const relay = relayOf(connection);
    if (relay === undefined) return { address };
    const member = this.#nodeIdByPeerId.get(relay);
    const known = member && this.#links.get(member);
    return { address, relay: known?.peer.name ?? relay };
  }

  /** The relay that the link to a member leads through, when no direct one is open; its PeerId when it is no member. */
  relayTo(nodeId: NodeId): string | undefined {
    const connections = this.open(nodeId);
    const relay = connections.every(isRelayed) ? connections.at(-1) : undefined;
    const peerId = relay && relayOf(relay);
    return peerId && (this.#nodeIdByPeerId.get(peerId) ?? peerId);
  }

  /** How many members are reached through relays alone. */
  relayedCount(): number {
    return [...this.#links.keys()].filter((nodeId) => this.open(nodeId).every(isRelayed)).length;
  }

  /** @returns whether it is the member's first connection */
  add(connection: Connection, peer: PeerIdentity, suite: string): boolean {
    const known = this.#links.get(peer.nodeId);
    const connections = new Set([...(known?.connections ?? []), connection]);
    this.#links.set(peer.nodeId, { peer, suite, connections });
    this.#nodeIdByPeerId.set(connection.remotePeer.toString(), peer.nodeId);
    return known === undefined;
  }

  /** @returns whether it was the member's last connection; false too for one that was never added */
  remove(connection: Connection, nodeId: NodeId): boolean {
    const link = this.#links.get(nodeId);
    link?.connections.delete(connection);
    if (link?.connections.size !== 0) return false;
    this.#links.delete(nodeId);
    this.#nodeIdByPeerId.delete(connection.remotePeer.toString());
    return true;
  }
}
