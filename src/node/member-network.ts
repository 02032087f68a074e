// What a member's network is set up with: the handshakes of its policy, and the options of its configuration.

import { type EncrypterOptions, interopNoise, pqNoise } from "../adapters/libp2p/encrypter.ts";
import type { NetworkDeps, NetworkOptions } from "../adapters/libp2p/network-types.ts";
import type { Config } from "../config/index.ts";
import type { CryptoEngine } from "../crypto/index.ts";
import type { HandshakeLimiter, PeerVerifier } from "../handshake/index.ts";
import type { NodeKeys } from "../identity/index.ts";
import type { Clock, Logger, Meter, Random, Tracer } from "../ports/index.ts";

export interface HandshakeParts {
  readonly engine: CryptoEngine;
  readonly random: Random;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly tracer: Tracer;
  readonly limiter: HandshakeLimiter;
  readonly keys: NodeKeys;
  readonly verifier: PeerVerifier;
  readonly svidChain: () => readonly Uint8Array[];
  /** Whether peers without an SVID may come to join. */
  readonly acceptJoining: () => boolean;
}

/** The handshakes that peers may choose from, the mesh's own first. */
export function encryptersOf(
  { keys, verifier, svidChain, acceptJoining, ...shared }: HandshakeParts,
  policy: Config["mesh"]["handshakePolicy"],
  trustDomain: string,
): NetworkDeps["encrypters"] {
  const { ed25519, mldsa65 } = keys;
  return (registry) => {
    const onAuthenticated: EncrypterOptions["onAuthenticated"] = (peer, _peerId, _ms, raw) =>
      registry.remember(raw, peer);
    const mesh = pqNoise(
      {
        ...shared,
        verifier,
        credential: () => ({ ed25519, mldsa65, svidChain: svidChain() }),
      },
      { trustDomain, acceptJoining, onAuthenticated },
    );
    if (policy !== "interop") return [mesh];
    return [mesh, interopNoise({ ...shared, signer: ed25519 }, { onAuthenticated })];
  };
}

export function networkOptions(
  { mesh, telemetry }: Config,
  trustDomain: string,
  version: string,
): NetworkOptions {
  return {
    ...{ trustDomain, version },
    listen: mesh.listen,
    announce: mesh.announce,
    mdns: mesh.mdns,
    heartbeatIntervalMs: mesh.heartbeatIntervalMs,
    connectionsMax: 4 * mesh.connectionsTarget,
    traced: telemetry.tracing.endpoint !== "off",
    relay: {
      mode: mesh.relay,
      reservationsMax: mesh.relayReservations,
      circuitTimeMs: mesh.relayTimeMs,
      circuitBytesMax: mesh.relayMebibytes * 1024 * 1024,
    },
    upnp: mesh.upnp,
  };
}
