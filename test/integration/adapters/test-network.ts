// Network adapters over real sockets, with a verifier that knows its own certificates.

import { systemClock } from "../../../src/adapters/clock.ts";
import { pqNoise } from "../../../src/adapters/libp2p/encrypter.ts";
import type { ScoreOptions } from "../../../src/adapters/libp2p/gossip-scores.ts";
import { Network } from "../../../src/adapters/libp2p/network.ts";
import type { RelayOptions } from "../../../src/adapters/libp2p/relay.ts";
import { systemRandom } from "../../../src/adapters/random.ts";
import { HandshakeLimiter } from "../../../src/handshake/index.ts";
import type { NodeId, PeerIdentity } from "../../../src/identity/index.ts";
import type { Forwarding } from "../../../src/mesh/index.ts";
import { noTracer } from "../../../src/ports/index.ts";
import {
  engine,
  fakeCertificate,
  fakeVerifier,
  seededRandom,
  TRUST_DOMAIN,
} from "../../unit/handshake/fixture.ts";
import { type Cleanup, until } from "../node/harness.ts";

export const quiet = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export interface TestNetwork {
  readonly network: Network;
  readonly nodeId: NodeId;
  readonly connected: PeerIdentity[];
  readonly disconnected: NodeId[];
  readonly gauges: Map<string, number>;
  /** Counters by name and the value of their label. */
  readonly counts: Map<string, number>;
}

interface Options {
  readonly gossip?: ScoreOptions;
  readonly reputation?: (nodeId: NodeId) => number;
  readonly forwarding?: (bytes: Uint8Array, to: NodeId) => Forwarding;
  readonly listen?: readonly string[];
  /** Without a certificate it can only join. */
  readonly joining?: boolean;
  readonly joiningTimeMs?: number;
  readonly relay?: RelayOptions;
}

export function makeNetwork(t: Cleanup, seed: string, options: Options = {}): TestNetwork {
  const ed25519Seed = seededRandom(`${seed}/ed25519`).bytes(32);
  const ed25519 = engine.ed25519.signer(ed25519Seed);
  const mldsa65 = engine.mlDsa65.signer(seededRandom(`${seed}/mldsa65`).bytes(32));
  const svidChain =
    options.joining === true ? [] : [fakeCertificate(ed25519.publicKey, mldsa65.publicKey)];
  const connected: PeerIdentity[] = [];
  const disconnected: NodeId[] = [];
  const gauges = new Map<string, number>();
  const counts = new Map<string, number>();
  const meter = {
    count: (name: string, labels: Readonly<Record<string, string>> = {}) => {
      const key = [name, ...Object.values(labels)].join(" ");
      counts.set(key, (counts.get(key) ?? 0) + 1);
    },
    set: (_name: string, value: number, labels?: Readonly<Record<string, string>>) => {
      gauges.set(labels?.["peer"] ?? labels?.["side"] ?? "", value);
    },
    observe: () => undefined,
  };
  const shared = {
    engine,
    random: systemRandom,
    clock: systemClock,
    logger: quiet,
    meter,
    tracer: noTracer,
  };
  const verifier = fakeVerifier();
  const network = new Network(
    {
      ed25519Seed,
      encrypters: (registry) => [
        pqNoise(
          {
            ...shared,
            limiter: new HandshakeLimiter(systemClock.now().monoMs),
            verifier,
            credential: () => ({ ed25519, mldsa65, svidChain }),
          },
          {
            trustDomain: TRUST_DOMAIN,
            acceptJoining: () => true,
            acceptUnanchored: options.joining === true,
            onAuthenticated: (peer, _peerId, _ms, raw) => registry.remember(raw, peer),
          },
        ),
      ],
      logger: quiet,
      meter,
      tracer: noTracer,
      // An issuer is unanchored to a joiner, and stays only where the policy lets such peers in.
      allowsMember: () => true,
      allowsUnauthenticated: () => options.joining === true,
      monoMs: () => systemClock.now().monoMs,
      reputation: options.reputation ?? (() => 0),
      forwarding: options.forwarding ?? (() => "now"),
      records: { validate: () => undefined, select: () => 0 },
      onAuthenticated: () => undefined,
      onConnected: (peer) => connected.push(peer),
      onDisconnected: (nodeId) => disconnected.push(nodeId),
    },
    {
      listen: options.listen ?? ["/ip4/127.0.0.1/tcp/0"],
      announce: [],
      mdns: false,
      trustDomain: TRUST_DOMAIN,
      heartbeatIntervalMs: 1_000,
      connectionsMax: 64,
      version: "0.0.0-test",
      ...(options.relay && { relay: options.relay }),
      gossip: options.gossip ?? {},
      ...(options.joiningTimeMs === undefined ? {} : { joiningTimeMs: options.joiningTimeMs }),
    },
  );
  t.after(() => network.stop());
  const nodeId = verifier.nodeIdOf(ed25519.publicKey, mldsa65.publicKey);
  return { network, nodeId, connected, disconnected, gauges, counts };
}

/** Two networks with a connection from the first to the second. */
export async function linked(t: Cleanup, seed: string): Promise<[TestNetwork, TestNetwork]> {
  const a = makeNetwork(t, `${seed}/a`);
  const b = makeNetwork(t, `${seed}/b`);
  await a.network.start();
  await b.network.start();
  await a.network.dial(b.network.addresses());
  await until("b to see a", () => Promise.resolve(b.network.isConnected(a.nodeId)));
  return [a, b];
}
