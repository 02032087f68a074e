// Bounds what libp2p's peer store keeps of a peer's addresses, refuses what would keep connections, and remembers what it has read. The DHT gives it what members say of themselves
// and of others, as many as a message holds and more with each message, and it compares each with each. And it keeps peers encoded: it decodes
// one at each question, encodes it at each address or stream, new or not; that was 15 % of the CPU time of a daemon that joins a mesh of 24.

import {
  KEEP_ALIVE,
  type Peer,
  type PeerData,
  type PeerId,
  type PeerStore,
} from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";

/** Of one peer. A host has a few; what is beyond is not needed to reach it. */
export const ADDRESSES_PER_PEER_MAX = 16;
/** The longest name in DNS and what stands around it. */
const ADDRESS_BYTES_MAX = 320;
/** `KEEP_ALIVE_TAG` of kad-dht, which it does not export. */
const DHT_KEEP_ALIVE = `${KEEP_ALIVE}-kad-dht`;
/** Peers remembered, and how long: tags end so late, and addresses that are still heard of are marked as such so often. */
const REMEMBERED_MAX = 256;
const REMEMBERED_MS = 30_000;

/** A libp2p service without an interface: what the store knows of a peer stays, new addresses come in while there is room. */
export function boundPeerStore({
  peerId: self,
  peerStore,
}: {
  readonly peerId: PeerId;
  readonly peerStore: PeerStore;
}): Record<string, never> {
  const { get, merge, patch, save, delete: remove } = unbound(peerStore);
  const read = new RecentPeers();
  peerStore.get = async (peerId, options) =>
    read.get(peerId) ?? read.keep(await get(peerId, options));
  peerStore.has = async (peerId, options) => {
    try {
      await peerStore.get(peerId, options);
      return true;
    } catch (error) {
      if ((error as Error).name === "NotFoundError") return false;
      throw error;
    }
  };
  peerStore.merge = async (peerId, offered, options) => {
    const data = withoutKeepAlive(offered);
    if (peerId.equals(self)) return read.keep(await merge(peerId, data, options));
    const known = (await peerStore.has(peerId)) ? await peerStore.get(peerId) : undefined;
    const bounded = bound(data, known);
    if (known !== undefined && holds(known, bounded)) return known;
    return read.keep(await merge(peerId, bounded, options));
  };
  peerStore.patch = async (peerId, data, options) => {
    const { addresses } = data;
    if (addresses === undefined || peerId.equals(self))
      return read.keep(await patch(peerId, data, options));
    const some = addresses.filter(({ multiaddr }) => isShort(multiaddr));
    const bounded = { ...data, addresses: some.slice(0, ADDRESSES_PER_PEER_MAX) };
    return read.keep(await patch(peerId, bounded, options));
  };
  peerStore.save = async (peerId, data, options) => read.keep(await save(peerId, data, options));
  peerStore.delete = async (peerId, options) => {
    await remove(peerId, options);
    read.forget(peerId);
  };
  return {};
}

function unbound(store: PeerStore): Pick<PeerStore, "get" | "merge" | "patch" | "save" | "delete"> {
  return {
    get: store.get.bind(store),
    merge: store.merge.bind(store),
    patch: store.patch.bind(store),
    save: store.save.bind(store),
    delete: store.delete.bind(store),
  };
}

/**
 * The DHT wants to stay connected to those nearest to it, of which zone they may be: libp2p would dial each again that membership has just
 * given up, without end, with a handshake and two new beacons each time.
 */
function withoutKeepAlive(data: PeerData): PeerData {
  if (data.tags === undefined || data.tags instanceof Map) return data;
  const { [DHT_KEEP_ALIVE]: _, ...tags } = data.tags;
  return { ...data, tags };
}

/** Of the addresses those that are new, while there is room. */
function bound(data: PeerData, known: Peer | undefined): PeerData {
  if (data.multiaddrs === undefined) return data;
  const room = Math.max(0, ADDRESSES_PER_PEER_MAX - (known?.addresses.length ?? 0));
  const isNew = (address: Multiaddr | undefined): boolean =>
    address !== undefined &&
    isShort(address) &&
    known?.addresses.some(({ multiaddr }) => multiaddr.equals(address)) !== true;
  const offered = data.multiaddrs.slice(0, ADDRESSES_PER_PEER_MAX).filter(isNew);
  return { ...data, multiaddrs: offered.slice(0, room) };
}

/** Whether the peer has all of it: a merge would change nothing. */
function holds(known: Peer, { multiaddrs = [], protocols = [], ...others }: PeerData): boolean {
  return (
    Object.keys(others).length === 0 &&
    multiaddrs.length === 0 &&
    protocols.every((protocol) => known.protocols.includes(protocol))
  );
}

function isShort(address: Multiaddr): boolean {
  return address.bytes.length <= ADDRESS_BYTES_MAX;
}

/** The peers that were read or written last, decoded. */
class RecentPeers {
  readonly #peers = new Map<string, { readonly peer: Peer; readonly atMs: number }>();

  get(peerId: PeerId): Peer | undefined {
    const found = this.#peers.get(peerId.toString());
    if (found !== undefined && performance.now() - found.atMs < REMEMBERED_MS) return found.peer;
    this.forget(peerId);
    return undefined;
  }

  keep(peer: Peer): Peer {
    this.forget(peer.id);
    this.#peers.set(peer.id.toString(), { peer, atMs: performance.now() });
    if (this.#peers.size > REMEMBERED_MAX) {
      const [oldest] = this.#peers.keys();
      if (oldest !== undefined) this.#peers.delete(oldest);
    }
    return peer;
  }

  forget(peerId: PeerId): void {
    this.#peers.delete(peerId.toString());
  }
}
