// Beacons as a zone sends them: 60 heartbeats for each state beacon, of many origins, with the meter of the daemon. Through the machine
// alone, through the intake that verifies signatures in batches, and through gossipsub with the guard in front of it; beside them what
// a mesh would have to do that signs every beacon.

import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import type { GossipSubComponents } from "@libp2p/gossipsub";
import { RPC } from "@libp2p/gossipsub/message";
import type { PeerId, Startable } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { systemClock } from "../src/adapters/clock.ts";
import { Gossip } from "../src/adapters/libp2p/gossip.ts";
import { type GossipInternals, internalsOf } from "../src/adapters/libp2p/gossip-internals.ts";
import { topicOf } from "../src/adapters/libp2p/topics.ts";
import { systemRandom } from "../src/adapters/random.ts";
import { createPromMeter } from "../src/adapters/telemetry/prom-meter.ts";
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
  type NeighbourReport,
} from "../src/mesh/index.ts";
import { BeaconIntake } from "../src/node/beacon-intake.ts";
import { allMetrics } from "../src/node/metrics.ts";
import type { Logger, MonoMs, Now, WallMs } from "../src/ports/index.ts";
import type { BenchOptions, BenchResult, BenchSuite } from "./measure.ts";

const ORIGINS = 100;
const CYCLES = 10;
const HEARTBEATS = 60;
const INTERVAL_MS = 1_000;
const DOMAIN = "bench.example";
const START_MS = 1_800_000_000_000;

const engine = createWasmEngine({ random: systemRandom });
const nodeIdOf = (publicKey: Uint8Array): NodeId => toHex(engine.sha256(publicKey)) as NodeId;
const quiet: Logger = {
  ...{ debug: () => undefined, info: () => undefined },
  ...{ warn: () => undefined, error: () => undefined },
};

interface Message {
  readonly kind: "state" | "heartbeat";
  readonly bytes: Uint8Array;
  readonly atMs: number;
}

interface Zone {
  readonly identities: ReadonlyMap<NodeId, PeerIdentity>;
  /** In the order in which they arrive. */
  readonly messages: readonly Message[];
  readonly forwarder: NodeId;
}

/** All that the origins say in ten minutes. */
function makeZone(): Zone {
  const identities = new Map<NodeId, PeerIdentity>();
  const rounds: Message[][] = Array.from({ length: CYCLES * (HEARTBEATS + 1) }, () => []);
  for (let i = 0; i < ORIGINS; i++) {
    const signer = engine.mlDsa65.signer(engine.sha256(utf8Bytes(`origin ${i}`)));
    const nodeId = nodeIdOf(signer.publicKey);
    identities.set(nodeId, {
      ...{ nodeId, spiffeId: `spiffe://${DOMAIN}/node/n${i}`, trustDomain: DOMAIN, name: `n${i}` },
      ...{ ed25519: new Uint8Array(32), mldsa65: signer.publicKey, chain: [], serialNumber: "01" },
      ...{ notBeforeMs: 0 as WallMs, notAfterMs: 4_000_000_000_000 as WallMs },
    });
    const chain = new HashChain(engine, {
      ...{ seed: systemRandom.bytes(32), length: 1024, context: chainContext(nodeId, 1, 0) },
    });
    let position = 0;
    for (const [round, messages] of rounds.entries()) {
      const atMs = round * INTERVAL_MS;
      if (round % (HEARTBEATS + 1) !== 0) {
        position++;
        const link = chain.link(position);
        const bytes = encodeHeartbeat({ nodeId, epoch: 1, index: position, link });
        messages.push({ kind: "heartbeat", bytes, atMs });
        continue;
      }
      const anchor = chain.link(position);
      const bytes = encodeStateBeacon(
        {
          ...{ nodeId, epoch: 1, sequence: round + 1, status: "up", zone: "z", roles: ["worker"] },
          ...{ addresses: ["/ip4/192.0.2.1/tcp/4001"], load: 0, neighbours: neighbours(nodeId) },
          chain: { base: 0, length: 1024, position, anchor, intervalMs: INTERVAL_MS },
        },
        signer,
      );
      messages.push({ kind: "state", bytes, atMs });
    }
  }
  const [forwarder = "" as NodeId] = identities.keys();
  return { identities, messages: rounds.flat(), forwarder };
}

function neighbours(self: NodeId): NeighbourReport[] {
  return Array.from({ length: 12 }, (_, i) => ({
    nodeId: `${i.toString(16).padStart(4, "0")}${self.slice(4)}` as NodeId,
    ...{ rttMs: 10, lossRatio: 0, suspect: false },
  })).filter(({ nodeId }) => nodeId !== self);
}

/** A listener with the daemon's meter, and its clock: that of the message under way. */
function makeListener(zone: Zone) {
  const { meter } = createPromMeter(allMetrics);
  const signer = engine.mlDsa65.signer(engine.sha256(utf8Bytes("listener")));
  const self = {
    ...{ nodeId: nodeIdOf(signer.publicKey), epoch: 1, addresses: [], zone: "z", roles: [] },
  };
  const machine = new MeshMachine({
    ...{ engine, signer, self, meter, random: systemRandom, allows: () => true },
    identities: { lookup: (nodeId) => zone.identities.get(nodeId) },
  });
  let nowMs = 0;
  const clock = {
    now: (): Now => ({ monoMs: nowMs as MonoMs, wallMs: (START_MS + nowMs) as WallMs }),
  };
  const at = (ms: number): void => {
    nowMs = ms;
  };
  machine.handle({ kind: "started" }, clock.now());
  return { machine, meter, clock, at };
}

/** Drives all messages once through a listener of its own. */
type Pass = (messages: readonly Message[]) => Promise<void>;

function machinePass(zone: Zone): Pass {
  const { machine, clock, at } = makeListener(zone);
  return (messages) => {
    for (const { bytes, atMs } of messages) {
      at(atMs);
      const { verdict } = machine.receive(bytes, zone.forwarder, clock.now());
      if (verdict !== "accept") throw new Error(`a beacon was not accepted: ${verdict}`);
    }
    return Promise.resolve();
  };
}

/** As many messages for each turn of the event loop as a busy socket brings. */
const TURN = 610;

function intakePass(zone: Zone): Pass {
  const { machine, meter, clock, at } = makeListener(zone);
  const intake = makeIntake(machine, meter, clock);
  return async (messages) => {
    for (let first = 0; first < messages.length; first += TURN) {
      const turn = messages.slice(first, first + TURN).map(({ bytes, atMs }) => {
        at(atMs);
        return intake.receive(bytes, zone.forwarder);
      });
      for (const pending of turn) {
        const judgement = await pending;
        if (judgement.decision !== "accept") throw new Error(`refused: ${judgement.code}`);
      }
    }
  };
}

function makeIntake(
  machine: MeshMachine,
  meter: ReturnType<typeof makeListener>["meter"],
  clock: { now: () => Now },
): BeaconIntake {
  return new BeaconIntake({
    ...{ machine, meter, clock },
    verify: (jobs) => engine.mlDsa65.verifyBatch(jobs),
    fetchIdentity: () => Promise.resolve(false),
    carryOut: () => undefined,
  });
}

/** From the bytes of an RPC on: decoded, guarded, deduplicated, validated, scored and given on to a mesh of nobody. */
async function gossipPass(zone: Zone): Promise<Pass> {
  const { machine, meter, clock, at } = makeListener(zone);
  const intake = makeIntake(machine, meter, clock);
  const key = await generateKeyPairFromSeed("Ed25519", new Uint8Array(32).fill(7));
  const peer = peerIdFromPrivateKey(key);
  const { gossip, service, stop } = await makeGossip(peer, zone.forwarder, meter);
  let accepted = 0;
  for (const name of ["state", "heartbeat"] as const) {
    gossip.subscribe(topicOf(DOMAIN, "z", name), async (from, bytes) => {
      const { decision } = await intake.receive(bytes, from);
      if (decision === "accept") accepted++;
      return decision;
    });
  }
  return async (messages) => {
    accepted = 0;
    for (let first = 0; first < messages.length; first += TURN) {
      const handled = messages.slice(first, first + TURN).map(({ kind, bytes, atMs }) => {
        at(atMs);
        const topic = topicOf(DOMAIN, "z", kind);
        const rpc = RPC.encode({ subscriptions: [], messages: [{ data: bytes, topic }] });
        return service.handleReceivedRpc(peer, RPC.decode(rpc));
      });
      await Promise.all(handled);
      await new Promise((resolve) => setImmediate(resolve));
    }
    // gossipsub answers before its validators do: the last turn's are still under way.
    for (let turns = 0; accepted < messages.length && turns < 100; turns++) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    await stop();
    if (accepted !== messages.length) throw new Error(`${accepted} of ${messages.length} accepted`);
  };
}

async function makeGossip(
  peer: PeerId,
  forwarder: NodeId,
  meter: ReturnType<typeof makeListener>["meter"],
): Promise<{
  readonly gossip: Gossip;
  readonly service: GossipInternals;
  readonly stop: () => Promise<void>;
}> {
  const gossip = new Gossip(
    {
      ...{ logger: quiet, meter, members: () => [] },
      monoMs: () => (systemClock.now().monoMs * 1_000) as MonoMs, // a thousandth of the rate limits
      memberOf: (peerId) => (peerId === peer.toString() ? forwarder : undefined),
      ...{ reputation: () => 0, forwarding: () => "now", onGraylisted: () => undefined },
    },
    { trustDomain: DOMAIN, heartbeatIntervalMs: INTERVAL_MS },
  );
  const forComponent = () =>
    Object.assign(() => undefined, {
      ...{ error: () => undefined, trace: () => undefined, enabled: false },
    });
  const done = (): Promise<void> => Promise.resolve();
  const registrar = { handle: done, register: done, unhandle: done, unregister: done };
  const components = { peerId: peer, logger: { forComponent }, registrar };
  const service = gossip.service(components as unknown as GossipSubComponents);
  const startable = service as unknown as Startable;
  await startable.start();
  const stop = async (): Promise<void> => startable.stop();
  return { gossip, service: internalsOf(service), stop };
}

/**
 * Messages for each second of the main thread's CPU time, over whole passes with a listener of its own each: what one core does,
 * also where others use it, too.
 */
async function rateOf(
  name: string,
  makePass: () => Pass | Promise<Pass>,
  messages: readonly Message[],
  { seconds }: BenchOptions,
): Promise<BenchResult> {
  const rates: number[] = [];
  await (await makePass())(messages); // warm-up
  for (let spentMs = 0; spentMs < seconds * 1_000 || rates.length < 5; ) {
    const pass = await makePass();
    const start = process.threadCpuUsage();
    await pass(messages);
    const { user, system } = process.threadCpuUsage(start);
    spentMs += (user + system) / 1_000;
    rates.push((messages.length * 1_000_000) / (user + system));
  }
  rates.sort((a, b) => a - b);
  const at = (q: number): number => rates[Math.floor(q * (rates.length - 1))] ?? Number.NaN;
  const value = rates.length / rates.reduce((sum, rate) => sum + 1 / rate, 0);
  return { name, unit: "1/s", value, p50: at(0.5), p95: at(0.05), p99: at(0.01), n: rates.length };
}

/** Target: 100,000 a second through the machine. */
export const suite: BenchSuite = async (report, options) => {
  const zone = makeZone();
  const { messages } = zone;
  report(await rateOf("beacons/machine", () => machinePass(zone), messages, options));
  report(await rateOf("beacons/intake", () => intakePass(zone), messages, options));
  report(await rateOf("beacons/gossipsub", () => gossipPass(zone), messages, options));
  const states = messages.filter(({ kind }) => kind === "state");
  report(await rateOf("beacons/signature-on-each", () => verifyPass(zone), states, options));
  for (const kind of ["heartbeat", "state"] as const) {
    const bytes = messages.find((message) => message.kind === kind)?.bytes.length ?? 0;
    const row = { unit: "B", value: bytes, p50: bytes, p95: bytes, p99: bytes, n: 1 };
    report({ name: `beacons/bytes-${kind}`, ...row });
  }
};

/** Every message a state beacon: parsed and verified, and nothing else done with it. */
function verifyPass({ identities }: Zone): Pass {
  return (messages) => {
    for (const { bytes } of messages) {
      const decoded = decodeStateBeacon(bytes);
      if (!decoded.ok) throw new Error(decoded.code);
      const { beacon, signed, signature } = decoded.value;
      const key = identities.get(beacon.nodeId)?.mldsa65 ?? new Uint8Array(0);
      if (!engine.mlDsa65.verify(key, signed, signature, beaconContext)) throw new Error("invalid");
    }
    return Promise.resolve();
  };
}
