// How libp2p hears of peers: by multicast DNS in the local network. Discovery gives addresses and nothing else: who
// answers there decides the handshake. Bootstrap addresses and the address book are the node's own (node/rejoin.ts),
// because they are dialled again and again.

import { createHash } from "node:crypto";
import { mdns } from "@libp2p/mdns";
import type { createLibp2p } from "libp2p";

type Discovery = NonNullable<NonNullable<Parameters<typeof createLibp2p>[0]>["peerDiscovery"]>;

export function peerDiscovery({
  mdns: isOn,
  trustDomain,
}: {
  readonly mdns: boolean;
  readonly trustDomain: string;
}): Discovery {
  return isOn ? [mdns({ serviceTag: mdnsTag(trustDomain) })] : [];
}

/** The service name of a mesh: a label of DNS holds no dots and 63 bytes at most, so the trust domain is hashed. */
function mdnsTag(trustDomain: string): string {
  const label = createHash("sha256").update(trustDomain).digest("hex").slice(0, 16);
  return `_x0-${label}._udp.local`;
}
