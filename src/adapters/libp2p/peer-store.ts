// Bounds what libp2p's peer store keeps of a peer's addresses. The DHT gives it what members say of themselves and of others, as many as
// a message holds and more with each message, and it compares each with each.

import type { PeerId, PeerStore } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";

/** Of one peer. A host has a few; what is beyond is not needed to reach it. */
export const ADDRESSES_PER_PEER_MAX = 16;
/** The longest name in DNS and what stands around it. */
const ADDRESS_BYTES_MAX = 320;

/** A libp2p service without an interface: what the store knows of a peer stays, new addresses come in while there is room. */
export function boundAddresses({
  peerId: self,
  peerStore,
}: {
  readonly peerId: PeerId;
  readonly peerStore: PeerStore;
}): Record<string, never> {
  const merge = peerStore.merge.bind(peerStore);
  const patch = peerStore.patch.bind(peerStore);
  peerStore.merge = async (peerId, data, options) => {
    if (data.multiaddrs === undefined || peerId.equals(self)) return merge(peerId, data, options);
    const known = (await peerStore.has(peerId)) ? (await peerStore.get(peerId)).addresses : [];
    const room = Math.max(0, ADDRESSES_PER_PEER_MAX - known.length);
    const isNew = (address: Multiaddr | undefined): boolean =>
      address !== undefined &&
      isShort(address) &&
      !known.some(({ multiaddr }) => multiaddr.equals(address));
    const offered = data.multiaddrs.slice(0, ADDRESSES_PER_PEER_MAX).filter(isNew);
    return merge(peerId, { ...data, multiaddrs: offered.slice(0, room) }, options);
  };
  peerStore.patch = (peerId, data, options) => {
    const { addresses } = data;
    if (addresses === undefined || peerId.equals(self)) return patch(peerId, data, options);
    const some = addresses.filter(({ multiaddr }) => isShort(multiaddr));
    return patch(peerId, { ...data, addresses: some.slice(0, ADDRESSES_PER_PEER_MAX) }, options);
  };
  return {};
}

function isShort(address: Multiaddr): boolean {
  return address.bytes.length <= ADDRESS_BYTES_MAX;
}
