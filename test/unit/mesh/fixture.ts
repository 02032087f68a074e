// Nodes for mesh tests: real ML-DSA-65 keys, made-up identities, a meter that remembers, a repeatable Random.

import { createNativeEngine } from "../../../src/adapters/crypto/native.ts";
import { concatBytes, toHex, uint32be, utf8Bytes } from "../../../src/foundation/index.ts";
import type { MlDsaSigner } from "../../../src/crypto/index.ts";
import type { NodeId, PeerIdentity } from "../../../src/identity/index.ts";
import {
  encodeStateBeacon,
  type MeshAction,
  type MeshDeps,
  MeshMachine,
  type MeshOptions,
  type MeshTimerId,
  type ReadForeignProof,
  type StateBeacon,
} from "../../../src/mesh/index.ts";
import type { Meter, MetricLabels, MonoMs, Now, Random, WallMs } from "../../../src/ports/index.ts";

export const engine = createNativeEngine();
const WALL_AT_ZERO = 1_800_000_000_000;

/** Both clocks at a monotonic time. */
export function at(ms: number): Now {
  return { monoMs: ms as MonoMs, wallMs: (WALL_AT_ZERO + ms) as WallMs };
}

/** xorshift32: enough for jitter in tests. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0 || 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>>= 0);
  };
  return {
    bytes: (length) => Uint8Array.from({ length }, () => next() & 0xff),
    fraction: () => next() / 2 ** 32,
  };
}

/** Counts by `name{label=value}`. */
export class MemoryMeter implements Meter {
  readonly values = new Map<string, number>();

  count(name: string, labels: MetricLabels = {}, by = 1): void {
    this.values.set(key(name, labels), this.value(name, labels) + by);
  }

  set(name: string, value: number, labels: MetricLabels = {}): void {
    this.values.set(key(name, labels), value);
  }

  observe(name: string, _value: number, labels: MetricLabels = {}): void {
    this.count(name, labels);
  }

  value(name: string, labels: MetricLabels = {}): number {
    return this.values.get(key(name, labels)) ?? 0;
  }
}

function key(name: string, labels: MetricLabels): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${value}`);
  return `${name}{${pairs.join(",")}}`;
}

/** A node that is only keys and an identity; its messages are made by the test. */
export interface TestNode {
  readonly identity: PeerIdentity;
  readonly nodeId: NodeId;
  readonly signer: MlDsaSigner;
}

const nodes = new Map<number, TestNode>();

/** Node `number`, the same in every test. Node ids do not ascend with the number. */
export function testNode(number: number): TestNode {
  const known = nodes.get(number);
  if (known !== undefined) return known;
  const signer = engine.mlDsa65.signer(engine.sha256(utf8Bytes(`mesh test node ${number}`)));
  const nodeId = toHex(engine.sha256(signer.publicKey)) as NodeId;
  const name = `node-${number}`;
  const identity: PeerIdentity = {
    nodeId,
    spiffeId: `spiffe://mesh.test/node/${name}`,
    trustDomain: "mesh.test",
    name,
    ed25519: new Uint8Array(32),
    mldsa65: signer.publicKey,
    chain: [],
    notBeforeMs: 0 as WallMs,
    notAfterMs: (WALL_AT_ZERO + 3_600_000) as WallMs,
    serialNumber: "01",
  };
  const node = { identity, nodeId, signer };
  nodes.set(number, node);
  return node;
}

/** A plausible beacon of a node; override what matters. */
export function beaconOf(node: TestNode, change: Partial<StateBeacon> = {}): StateBeacon {
  return {
    nodeId: node.nodeId,
    epoch: 1,
    sequence: 1,
    status: "up",
    zone: "",
    addresses: ["/ip4/192.0.2.1/tcp/4001"],
    roles: ["worker"],
    load: 0.25,
    chain: {
      ...{ base: 0, length: 64, position: 0, intervalMs: 1000 },
      anchor: engine.sha256(uint32be(7)),
    },
    neighbours: [],
    ...change,
  };
}

/** The signed bytes of such a beacon. */
export function signedBeacon(node: TestNode, change: Partial<StateBeacon> = {}): Uint8Array {
  return encodeStateBeacon(beaconOf(node, change), node.signer);
}

/** A machine of node 0 with a directory, and what it did. */
export class Bench {
  readonly self: TestNode = testNode(0);
  readonly directory = new Map<NodeId, PeerIdentity>();
  readonly denied = new Set<string>();
  /** SPIFFE ids with the right to release. */
  readonly releasers = new Set<string>();
  readonly meter = new MemoryMeter();
  readonly machine: MeshMachine;

  constructor(
    options: Partial<MeshOptions> = {},
    self: Partial<MeshDeps["self"]> = {},
    evidence: MeshDeps["evidence"] = [],
    readForeignProof?: ReadForeignProof,
  ) {
    this.machine = new MeshMachine(
      {
        engine,
        signer: this.self.signer,
        self: {
          ...{ nodeId: this.self.nodeId, epoch: 5, addresses: ["/ip4/192.0.2.9/tcp/4001"] },
          ...{ zone: "", roles: [], ...self },
        },
        identities: { lookup: (nodeId) => this.directory.get(nodeId) },
        allows: (spiffeId, right) => {
          if (spiffeId === undefined || this.denied.has(spiffeId)) return false;
          return right !== "mesh.release" || this.releasers.has(spiffeId);
        },
        evidence,
        ...(readForeignProof && { readForeignProof }),
        random: seededRandom(11),
        meter: this.meter,
      },
      options,
    );
  }

  /** Puts nodes into the directory. */
  know(...numbers: readonly number[]): void {
    for (const number of numbers) {
      const { identity } = testNode(number);
      this.directory.set(identity.nodeId, identity);
    }
  }

  start(ms = 0): readonly MeshAction[] {
    return this.machine.handle({ kind: "started" }, at(ms));
  }

  connect(number: number, ms: number): readonly MeshAction[] {
    const peer = testNode(number).identity;
    return this.machine.handle({ kind: "peer-connected", peer, addresses: [] }, at(ms));
  }

  disconnect(number: number, ms: number): readonly MeshAction[] {
    const { nodeId } = testNode(number);
    return this.machine.handle({ kind: "peer-disconnected", nodeId }, at(ms));
  }

  tick(id: MeshTimerId, ms: number) {
    return this.machine.handle({ kind: "timer", id }, at(ms));
  }

  state(number: number): string | undefined {
    const { nodeId } = testNode(number);
    return this.machine.members().find((member) => member.nodeId === nodeId)?.state;
  }
}

/** The actions of one kind. */
export function only<Kind extends MeshAction["kind"]>(
  actions: readonly MeshAction[],
  kind: Kind,
): Extract<MeshAction, { kind: Kind }>[] {
  return actions.filter(
    (action): action is Extract<MeshAction, { kind: Kind }> => action.kind === kind,
  );
}

/** A copy with one bit flipped; a negative offset counts from the end. */
export function flipped(bytes: Uint8Array, offset: number): Uint8Array {
  const copy = concatBytes(bytes);
  const place = offset < 0 ? copy.length + offset : offset;
  copy[place] = (copy[place] ?? 0) ^ 1;
  return copy;
}
