// The mesh room: beacons as they arrive from gossip, and the topology (mesh-graph.ts).

import { systemRandom } from "../src/adapters/random.ts";
import { createWasmEngine } from "../src/adapters/wasm/engine.ts";
import { HashChain } from "../src/crypto/index.ts";
import { toHex, utf8Bytes } from "../src/foundation/index.ts";
import type { NodeId, PeerIdentity } from "../src/identity/index.ts";
import {
  beaconContext,
  chainContext,
  decodeStateBeacon,
  encodeHeartbeat,
  encodeStateBeacon,
  MeshMachine,
} from "../src/mesh/index.ts";
import type { Meter, MonoMs, Now, Random, WallMs } from "../src/ports/index.ts";
import { graphSuite, nodeIdOf, reportsOf } from "./mesh-graph.ts";
import { type BenchSuite, measureRate } from "./measure.ts";

const LENGTH = 4096;
const meter: Meter = { count: () => undefined, set: () => undefined, observe: () => undefined };
const random: Random = { bytes: (length) => new Uint8Array(length).fill(1), fraction: () => 0.5 };

/** A listener, and heartbeats of one origin as gossip delivers them: parsed, checked, verified, applied. */
export function heartbeatReceiver(): () => void {
  const engine = createWasmEngine({ random: systemRandom });
  const origin = engine.mlDsa65.signer(engine.sha256(utf8Bytes("origin")));
  const own = engine.mlDsa65.signer(engine.sha256(utf8Bytes("listener")));
  const nodeId = toHex(engine.sha256(origin.publicKey)) as NodeId;
  const identity: PeerIdentity = {
    ...{ nodeId, spiffeId: "spiffe://bench/node/origin", trustDomain: "bench", name: "origin" },
    ...{ ed25519: new Uint8Array(32), mldsa65: origin.publicKey, chain: [], serialNumber: "01" },
    ...{ notBeforeMs: 0 as WallMs, notAfterMs: 4_000_000_000_000 as WallMs },
  };
  const now: Now = { monoMs: 0 as MonoMs, wallMs: 1_800_000_000_000 as WallMs };
  const self = { nodeId: nodeIdOf(1), epoch: 1, addresses: [], zone: "", roles: [] };
  const chain = new HashChain(engine, {
    ...{ seed: new Uint8Array(32), length: LENGTH, context: chainContext(nodeId, 1, 0) },
  });
  const beats = Array.from({ length: LENGTH }, (_, i) =>
    encodeHeartbeat({ nodeId, epoch: 1, index: i + 1, link: chain.link(i + 1) }),
  );
  const anchored = { base: 0, length: LENGTH, position: 0, anchor: chain.anchor, intervalMs: 1000 };
  const state = encodeStateBeacon(
    {
      ...{ nodeId, epoch: 1, sequence: 1, status: "up", zone: "", addresses: [], roles: [] },
      ...{ load: 0, chain: anchored, neighbours: [] },
    },
    origin,
  );
  const fresh = (): MeshMachine => {
    const machine = new MeshMachine(
      {
        ...{ engine, signer: own, self, random, meter, allows: () => true },
        identities: { lookup: () => identity },
      },
      { heartbeatBurst: 2 * LENGTH },
    );
    machine.handle({ kind: "started" }, now);
    machine.receive(state, nodeId, now);
    return machine;
  };
  // A chain ends, so a run goes through as many listeners as it needs; making one costs three signature operations
  // per 4096 heartbeats.
  let machine = fresh();
  let next = 0;
  return () => {
    if (next === LENGTH) {
      machine = fresh();
      next = 0;
    }
    const verdict = machine.receive(beats[next++] ?? state, nodeId, now);
    if (verdict.verdict !== "accept")
      throw new Error(`a heartbeat was refused: ${JSON.stringify(verdict)}`);
  };
}

/** One signed beacon with 12 neighbours, parsed and verified each time. */
function signedVerifier(): () => void {
  const engine = createWasmEngine({ random: systemRandom });
  const signer = engine.mlDsa65.signer(engine.sha256(utf8Bytes("origin")));
  const [neighbours = []] = reportsOf(50, 12);
  const anchored = {
    ...{ base: 0, length: LENGTH, position: 0, intervalMs: 1000 },
    anchor: new Uint8Array(32),
  };
  const bytes = encodeStateBeacon(
    {
      ...{ nodeId: nodeIdOf(0), epoch: 1, sequence: 1, status: "up", zone: "z", roles: ["worker"] },
      ...{ addresses: ["/ip4/192.0.2.1/tcp/4001"], load: 0, chain: anchored, neighbours },
    },
    signer,
  );
  return () => {
    const decoded = decodeStateBeacon(bytes);
    if (!decoded.ok) throw new Error(decoded.code);
    const { signed, signature } = decoded.value;
    if (!engine.mlDsa65.verify(signer.publicKey, signed, signature, beaconContext)) {
      throw new Error("a valid signature was refused");
    }
  };
}

/** Rates a second on one core. */
export const suite: BenchSuite = (report, options) => {
  report(measureRate("mesh/beacon/verify-signed", signedVerifier(), options));
  report(measureRate("mesh/beacon/verify-heartbeat", heartbeatReceiver(), options));
  return graphSuite(report, options);
};
