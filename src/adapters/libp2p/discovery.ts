// How libp2p hears of peers: by multicast DNS in the local network. Discovery gives addresses and nothing else: who
// answers there decides the handshake. Bootstrap addresses and the address book are the node's own (node/rejoin.ts),
// because they are dialled again and again.

import { createHash } from "node:crypto";
import type { PeerInfo } from "@libp2p/interface";
import { mdns } from "@libp2p/mdns";
import type { createLibp2p } from "libp2p";
import { RateLimiter } from "../../mesh/index.ts";
import type { MonoMs } from "../../ports/index.ts";

type Discovery = NonNullable<NonNullable<Parameters<typeof createLibp2p>[0]>["peerDiscovery"]>;

/**
 * Who answers in the LAN is dialled, for it may be of another part of the mesh: each once in ten minutes, and of many only some at once. The
 * others are known by beacons soon, and membership chooses among them: were all dialled, each node of a LAN would be connected to all.
 */
const DIALS_OF_ONE = { perSecond: 1 / 600, burst: 1, bucketsMax: 1_024 };
const DIALS = { perSecond: 0.2, burst: 8, bucketsMax: 1 };

/** Whom of those that answer in the LAN to dial now. */
export class DialPace {
  readonly #ofOne = new RateLimiter(DIALS_OF_ONE);
  readonly #ofAll = new RateLimiter(DIALS);

  /** Counts a permitted dial. */
  permits(peerId: string, nowMs: MonoMs): boolean {
    // In this order: a peer whose turn has not come must not lose its own.
    return (
      this.#ofAll.has("", nowMs) && this.#ofOne.take(peerId, nowMs) && this.#ofAll.take("", nowMs)
    );
  }
}

/**
 * @param onFound a peer that is to be dialled. It is not what libp2p calls a discovery: that is each address new to its peer store, those in
 * answers of the DHT too
 */
export function peerDiscovery(
  { mdns: isOn, trustDomain }: { readonly mdns: boolean; readonly trustDomain: string },
  monoMs: () => MonoMs,
  onFound: (peer: PeerInfo) => void,
): Discovery {
  if (!isOn) return [];
  const pace = new DialPace();
  return [
    (components) => {
      const service = mdns({ serviceTag: mdnsTag(trustDomain) })(components);
      service.addEventListener("peer", ({ detail }) => {
        if (pace.permits(detail.id.toString(), monoMs())) onFound(detail);
      });
      return service;
    },
  ];
}

/** The service name of a mesh: a label of DNS holds no dots and 63 bytes at most, so the trust domain is hashed. */
function mdnsTag(trustDomain: string): string {
  const label = createHash("sha256").update(trustDomain).digest("hex").slice(0, 16);
  return `_x0-${label}._udp.local`;
}
