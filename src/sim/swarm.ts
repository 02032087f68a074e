// A swarm: a world full of mesh nodes with the checkers attached. It builds the nodes (keys, identities,
// machines, whom they dial first), keeps what survives a restart (the boot counter), steps time, and
// answers whether everyone sees everyone alive. Scenarios are written against it.

import { createNobleEngine } from "../crypto/index.ts";
import { MeshError } from "../foundation/index.ts";
import type { NodeId, PeerIdentity } from "../identity/index.ts";
import {
  type MemberState,
  type MeshDeps,
  meshDefaults,
  MeshMachine,
  type MeshOptions,
  type MeshProtocol,
  type StoredEvidence,
} from "../mesh/index.ts";
import type { Meter } from "../ports/index.ts";
import { addressOf, Census, type SimEngine } from "./census.ts";
import { NoFalseDeath } from "./checkers/no-false-death.ts";
import { SequenceRises } from "./checkers/sequence-rises.ts";
import type { Violation } from "./checkers/violation.ts";
import type { SimErrorCode } from "./errors.ts";
import type { MeshDatagram } from "./mesh-datagrams.ts";
import { MeshNode, type MeshNodeObserver } from "./mesh-node.ts";
import { createModelSignatures, verifyOnce } from "./model-signatures.ts";
import type { NodeIndex, SimNode } from "./node-types.ts";
import { createSharedIntake } from "./shared-intake.ts";
import { SeededRandom } from "./random.ts";
import { World } from "./world.ts";
import type { WorldOptions } from "./world-types.ts";

/** How often the swarm stops to check, in virtual milliseconds. */
const CHECK_INTERVAL_MS = 1_000;

/** Options of a swarm beside those of its world. */
export interface SwarmOptions extends Omit<WorldOptions, "bytesInTrace"> {
  /** The crypto of all nodes. @default SHA-256 and model signatures ({@link createSimEngine}) */
  readonly engine?: SimEngine;
  /** Whether signatures of the engine are a function of the seed. @default true */
  readonly deterministicEngine?: boolean;
  /** Options of the machines. */
  readonly mesh?: Partial<MeshOptions>;
  /** The zone of each node; its seeds are of its own zone, and one of any. @default all in one zone, "" */
  readonly zoneOf?: (node: NodeIndex) => string;
  /** Whom each node dials at start, beside its ring neighbour. @default 2 */
  readonly seedsPerNode?: number;
  /** The nodes start within this time. @default 5000 */
  readonly startWithinMs?: number;
  /** See {@link NoFalseDeath}. @default 30000 */
  readonly refuteMs?: number;
  /** Makes a node's machine; for sabotage. @default the production machine */
  readonly makeMachine?: MachineMaker;
  /** Puts something else in the place of an honest node; undefined: an honest node. */
  readonly makeIntruder?: IntruderMaker;
}

/** Makes the machine of one node. */
export type MachineMaker = (
  deps: MeshDeps,
  options: Partial<MeshOptions>,
  node: NodeIndex,
) => MeshProtocol;

/** Makes a dishonest node around an honest one. */
export type IntruderMaker = (parts: {
  readonly node: NodeIndex;
  readonly honest: MeshNode;
  /** Makes a second honest node with the same keys and epoch. */
  readonly twin: () => MeshNode;
}) => SimNode<MeshDatagram> | undefined;

/** The default crypto of a simulation: real SHA-256, model signatures. Nothing of it is secret. */
export function createSimEngine(sha256?: (data: Uint8Array) => Uint8Array): SimEngine {
  const noble = createNobleEngine(SeededRandom.fromSeed(0));
  const hash = sha256 ?? ((data: Uint8Array) => noble.sha256(data));
  return { sha256: hash, mlDsa65: verifyOnce(createModelSignatures(hash)) };
}

/** A world of mesh nodes under watch. */
export class Swarm {
  readonly world: World<MeshDatagram>;
  readonly census: Census;
  readonly noFalseDeath: NoFalseDeath;
  readonly sequenceRises: SequenceRises;
  readonly #options: SwarmOptions;
  readonly #engine: SimEngine;
  readonly #nodes: (MeshNode | undefined)[] = [];
  readonly #intruders = new Set<NodeIndex>();
  readonly #intake = createSharedIntake();
  readonly #seeds: readonly (readonly NodeIndex[])[];
  readonly #stalledUntilMs = new Map<NodeIndex, number>();
  /** What each node's disk says of its boot counter. */
  readonly #epochs: number[];
  /** ... and of quarantines and releases. */
  readonly #evidence: Map<NodeId, StoredEvidence>[];

  /** @throws MeshError `sim/bad-option`; the machine's and the engine's own errors */
  constructor(options: SwarmOptions) {
    this.#options = options;
    this.#engine = options.engine ?? createSimEngine();
    const sha256 = (data: Uint8Array): Uint8Array => this.#engine.sha256(data);
    this.world = new World(
      { sha256, spawn: (node, boot) => this.#spawn(node, boot) },
      { ...options, bytesInTrace: options.deterministicEngine ?? true },
    );
    this.census = new Census(options.nodes, this.#engine, this.world.random.fork("census"));
    this.noFalseDeath = new NoFalseDeath(options.refuteMs ?? 30_000);
    this.sequenceRises = new SequenceRises((nodeId) => this.census.find(nodeId)?.index);
    this.#seeds = chooseSeeds(options, this.world.random.fork("seeds"));
    this.#epochs = new Array<number>(options.nodes).fill(0);
    this.#evidence = Array.from({ length: options.nodes }, () => new Map<NodeId, StoredEvidence>());
  }

  /** Every broken invariant so far. */
  get violations(): readonly Violation[] {
    return [...this.noFalseDeath.violations, ...this.sequenceRises.violations];
  }

  get nowMs(): number {
    return this.world.nowMs;
  }

  get size(): number {
    return this.world.size;
  }

  /** Starts every node at a random moment of the start window, and runs to its end. */
  startAll(): void {
    this.disturbed();
    const random = this.world.random.fork("starts");
    const withinMs = this.#options.startWithinMs ?? 5_000;
    for (let node = 0; node < this.size; node++) {
      this.world.start(node, random.fraction() * withinMs);
    }
    this.run(withinMs);
    this.disturbed();
  }

  /** The running honest node at this place. */
  node(node: NodeIndex): MeshNode | undefined {
    return this.world.isUp(node) ? this.#nodes[node] : undefined;
  }

  /** Runs for `ms`, checking the invariants once a virtual second. */
  run(ms: number): void {
    const endMs = this.nowMs + ms;
    while (this.nowMs < endMs) {
      this.world.runUntil(Math.min(endMs, this.nowMs + CHECK_INTERVAL_MS));
      this.noFalseDeath.check(this);
    }
  }

  /** Runs until everyone sees everyone alive; how long that took, or undefined after `limitMs`. */
  runUntilConverged(limitMs: number): number | undefined {
    const startMs = this.nowMs;
    while (this.nowMs - startMs < limitMs) {
      if (this.isConverged()) return this.nowMs - startMs;
      this.run(CHECK_INTERVAL_MS);
    }
    return this.isConverged() ? this.nowMs - startMs : undefined;
  }

  /** The world is being disturbed at this moment. */
  disturbed(): void {
    this.noFalseDeath.disturbed(this.nowMs);
  }

  /** Cuts the world into groups. */
  partition(groups: readonly (readonly NodeIndex[])[]): void {
    this.disturbed();
    this.world.partition(groups);
  }

  /** Lifts every block on every link. */
  heal(): void {
    this.disturbed();
    this.world.network.heal();
  }

  crash(node: NodeIndex): void {
    this.disturbed();
    this.world.crash(node);
  }

  /** Starts a node again; `staleDisk` forgets that the boot counter ever rose, as a restored image does. */
  restart(node: NodeIndex, staleDisk = false): void {
    this.disturbed();
    if (staleDisk) this.#epochs[node] = 0;
    this.world.start(node);
  }

  stall(node: NodeIndex, ms: number): void {
    this.disturbed();
    this.#stalledUntilMs.set(node, this.nowMs + ms);
    this.world.stall(node, this.nowMs + ms);
    this.world.plan(this.nowMs + ms, "stall ends", () => this.disturbed());
  }

  isHealthy(node: NodeIndex): boolean {
    const stalledUntilMs = this.#stalledUntilMs.get(node) ?? 0;
    return this.world.isUp(node) && !this.#intruders.has(node) && stalledUntilMs <= this.nowMs;
  }

  isConnected(a: NodeIndex, b: NodeIndex): boolean {
    return this.world.isConnected(a, b);
  }

  peers(node: NodeIndex): readonly NodeIndex[] {
    return this.world.peers(node);
  }

  /** How a node sees the others, in the machine's order. */
  states(observer: NodeIndex): (readonly [NodeIndex, MemberState])[] {
    const views = this.node(observer)?.machine.members() ?? [];
    return views.flatMap(({ nodeId, state }) => {
      const subject = this.census.find(nodeId)?.index;
      return subject === undefined ? [] : [[subject, state] as const];
    });
  }

  /** Every healthy node sees every other healthy node alive. */
  isConverged(): boolean {
    return this.firstDisagreement() === undefined;
  }

  /** All healthy nodes. */
  healthy(): NodeIndex[] {
    return this.census.all.map(({ index }) => index).filter((index) => this.isHealthy(index));
  }

  /** The first pair that keeps the swarm from being converged, as text; `tolerated` counts as alive. */
  firstDisagreement(tolerated?: MemberState): string | undefined {
    const healthy = this.healthy();
    for (const observer of healthy) {
      const states = new Map(this.states(observer));
      for (const subject of healthy) {
        const state = states.get(subject) ?? "unknown";
        if (subject !== observer && state !== "alive" && state !== tolerated) {
          return `node ${observer} sees node ${subject} ${state} at ${this.nowMs} ms`;
        }
      }
    }
    return undefined;
  }

  #spawn(node: NodeIndex, boot: number): SimNode<MeshDatagram> {
    const epoch = (this.#epochs[node] ?? 0) + 1;
    this.#epochs[node] = epoch;
    this.sequenceRises.restarted(node);
    const honest = this.#makeNode(node, epoch, `node ${node} boot ${boot}`);
    const twin = (): MeshNode => this.#makeNode(node, epoch, `twin of ${node} boot ${boot}`);
    const intruder = this.#options.makeIntruder?.({ node, honest, twin });
    if (intruder !== undefined) this.#intruders.add(node);
    this.#nodes[node] = intruder === undefined ? honest : undefined;
    return intruder ?? honest;
  }

  #makeNode(node: NodeIndex, epoch: number, stream: string): MeshNode {
    const { census } = this;
    const self = census.at(node);
    const directory = new Map<NodeId, PeerIdentity>();
    const { nodeId } = self.identity;
    const zone = this.#options.zoneOf?.(node) ?? "";
    const deps: MeshDeps = {
      engine: this.#engine,
      signer: self.signer,
      self: { nodeId, epoch, addresses: [addressOf(node)], zone, roles: [] },
      identities: { lookup: (id) => directory.get(id) },
      allows: (spiffeId) => spiffeId !== undefined,
      random: this.world.random.fork(stream),
      meter: silentMeter,
      evidence: [...(this.#evidence[node]?.values() ?? [])],
      intake: this.#intake,
    };
    const mesh = this.#options.mesh ?? {};
    const make = this.#options.makeMachine ?? ((d: MeshDeps, o) => new MeshMachine(d, o));
    const machine = make(deps, mesh, node);
    const seeds = this.#seeds[node] ?? [];
    const { probeTimeoutMs } = { ...meshDefaults, ...mesh };
    const observer = this.#observer();
    return new MeshNode({ self, census, machine, directory, seeds, observer }, { probeTimeoutMs });
  }

  #observer(): MeshNodeObserver {
    return {
      memberChanged: (observer, subject, from, to, cause) => {
        this.world.trace.record({
          atMs: this.nowMs,
          kind: `member-${to ?? "forgotten"}`,
          node: observer,
          peer: this.census.find(subject)?.index ?? observer,
          detail: `${from ?? "new"} ${cause}`,
          value: 0,
          content: 0,
        });
      },
      accepted: (observer, bytes) => {
        if (!this.#intruders.has(observer)) {
          this.sequenceRises.accepted(observer, bytes, this.nowMs);
        }
      },
      published: (node, bytes) => {
        if (!this.#intruders.has(node)) this.sequenceRises.published(node, bytes, this.nowMs);
      },
      evidence: (node, subject, statement) => {
        const disk = this.#evidence[node];
        disk?.delete(subject);
        if (statement !== undefined) disk?.set(subject, statement);
      },
      epochRaised: (node, epoch) => {
        this.#epochs[node] = Math.max(this.#epochs[node] ?? 0, epoch);
      },
    };
  }
}

const silentMeter: Meter = {
  count: () => undefined,
  set: () => undefined,
  observe: () => undefined,
};

/** Whom each node dials first: the one before it, which makes the whole reachable, and some at random. */
function chooseSeeds(options: SwarmOptions, random: SeededRandom): NodeIndex[][] {
  const extra = options.seedsPerNode ?? 2;
  if (!Number.isInteger(extra) || extra < 0) {
    const code: SimErrorCode = "sim/bad-option";
    throw new MeshError(
      code,
      `seedsPerNode must be a whole number from 0: current value is ${extra}.`,
    );
  }
  const zoneOf = options.zoneOf ?? (() => "");
  const zones = new Map<string, NodeIndex[]>();
  for (let node = 0; node < options.nodes; node++) {
    const zone = zones.get(zoneOf(node));
    if (zone === undefined) zones.set(zoneOf(node), [node]);
    else zone.push(node);
  }
  const seeds: NodeIndex[][] = [];
  for (const zone of zones.values()) {
    for (const [at, node] of zone.entries()) {
      const before = zone.at(at - 1) ?? node;
      const chosen = new Set([before, ...random.sample(zone, extra + 1)]);
      chosen.delete(node);
      seeds[node] = [...chosen].slice(0, extra + 1);
      if (zones.size > 1) seeds[node].push(random.below(options.nodes));
    }
  }
  return seeds;
}
