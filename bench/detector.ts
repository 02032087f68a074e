// The failure detector of a node that watches 1,000 members: one look at all of them, and the moment in which all but its
// own connections have fallen silent at once, as when a mesh is cut in two.

import { systemRandom } from "../src/adapters/random.ts";
import { createWasmEngine } from "../src/adapters/wasm/engine.ts";
import { ML_DSA_65 } from "../src/crypto/index.ts";
import type { NodeId, PeerIdentity } from "../src/identity/index.ts";
import { encodeStateBeacon, MeshMachine } from "../src/mesh/index.ts";
import type { Meter, MonoMs, Now, Random, WallMs } from "../src/ports/index.ts";

const MEMBERS = 1_000;
const CONNECTIONS = 12;
const REPORTS = 64;
const meter: Meter = { count: () => undefined, set: () => undefined, observe: () => undefined };
const random: Random = { bytes: (length) => new Uint8Array(length).fill(1), fraction: () => 0.5 };
const nodeIdOf = (n: number): NodeId => n.toString(16).padStart(64, "0") as NodeId;
const at = (ms: number): Now => ({ monoMs: ms as MonoMs, wallMs: ms as WallMs });

/** A signature of no worth: who watches has checked it long ago. */
const signer = {
  publicKey: new Uint8Array(ML_DSA_65.publicKeyBytes),
  sign: () => new Uint8Array(ML_DSA_65.signatureBytes),
  destroy: () => undefined,
};

function identityOf(nodeId: NodeId): PeerIdentity {
  return {
    ...{ nodeId, spiffeId: `spiffe://bench/node/${nodeId}`, trustDomain: "bench", name: "n" },
    ...{ ed25519: new Uint8Array(32), mldsa65: signer.publicKey, chain: [], serialNumber: "01" },
    ...{ notBeforeMs: 0 as WallMs, notAfterMs: 4_000_000_000_000 as WallMs },
  };
}

function beaconOf(n: number): Uint8Array {
  const neighbours = Array.from({ length: REPORTS }, (_, i) =>
    nodeIdOf(1 + ((n + i * 15) % MEMBERS)),
  )
    .filter((nodeId) => nodeId !== nodeIdOf(n))
    .sort()
    .map((nodeId) => ({ nodeId, rttMs: 1, lossRatio: 0, suspect: false }));
  const chain = { base: 0, length: 64, position: 0, intervalMs: 1_000, anchor: new Uint8Array(32) };
  return encodeStateBeacon(
    {
      ...{ nodeId: nodeIdOf(n), epoch: 1, sequence: 1, status: "up", zone: "", addresses: [] },
      ...{ roles: [], load: 0, chain, neighbours },
    },
    signer,
  );
}

/** A machine that knows 1,000 members and is connected to 12 of them. */
export function watcher(): MeshMachine {
  const real = createWasmEngine({ random: systemRandom });
  const mlDsa65 = { verify: () => true } as unknown as ReturnType<
    typeof createWasmEngine
  >["mlDsa65"];
  const self = { nodeId: nodeIdOf(MEMBERS + 1), epoch: 1, addresses: [], zone: "", roles: [] };
  const machine = new MeshMachine({
    ...{ signer, self, random, meter, allows: () => true },
    engine: { sha256: (data) => real.sha256(data), mlDsa65 },
    identities: { lookup: identityOf },
  });
  machine.handle({ kind: "started" }, at(0));
  for (let n = 1; n <= MEMBERS; n++) {
    if (n <= CONNECTIONS)
      machine.handle(
        { kind: "peer-connected", peer: identityOf(nodeIdOf(n)), addresses: [] },
        at(0),
      );
    machine.receive(beaconOf(n), nodeIdOf(1), at(0));
  }
  return machine;
}

/** One look at all members, none of them silent. */
export function look(machine: MeshMachine): void {
  machine.handle({ kind: "timer", id: "detector" }, at(0));
}

/** All members silent: those connected are probed, helpers are chosen for each of the others. Gives how many. */
export function lookAtSilence(machine: MeshMachine): number {
  machine.handle({ kind: "timer", id: "detector" }, at(900));
  machine.handle({ kind: "timer", id: "detector" }, at(1_800));
  return machine.handle({ kind: "timer", id: "detector" }, at(2_300)).length;
}
