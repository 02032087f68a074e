// A swarm: a world full of mesh nodes with the checkers attached. It builds the nodes (keys, identities,
// machines, whom they dial first), keeps what survives a restart (the boot counter), steps time, and
// answers whether everyone sees everyone alive. Injectors and checkers work on it.

import { createNobleEngine, type MlDsaSigner } from "../crypto/index.ts";
import { MeshError } from "../foundation/index.ts";
import type { NodeId, PeerIdentity } from "../identity/index.ts";
import { decodeRoundEvidence } from "../learning/index.ts";
import {
  type ForeignProof,
  type MemberState,
  type MeshBuggifyPoint,
  type MeshDeps,
  meshDefaults,
  MeshMachine,
  type MeshOptions,
  type MeshProtocol,
  Rendezvous,
  type StoredEvidence,
} from "../mesh/index.ts";
import type { Buggify, Meter, WallMs } from "../ports/index.ts";
import { Ailments } from "./ailments.ts";
import { addressOf, Census, type SimEngine, SVID_LIFE_MS } from "./census.ts";
import { Checker, type SwarmListener } from "./checkers/checker.ts";
import { NoFalseDeath } from "./checkers/no-false-death.ts";
import { SequenceRises } from "./checkers/sequence-rises.ts";
import type { Disagreement, SwarmView } from "./checkers/swarm-view.ts";
import type { Violation } from "./checkers/violation.ts";
import type { SimErrorCode } from "./errors.ts";
import type { MeshDatagram } from "./mesh-datagrams.ts";
import { isOffered, MeshNode, type MeshNodeObserver } from "./mesh-node.ts";
import { createModelSignatures, verifyOnce } from "./model-signatures.ts";
import type { NodeIndex, SimNode } from "./node-types.ts";
import { createSharedIntake } from "./shared-intake.ts";
import { SeededRandom } from "./random.ts";
import { World } from "./world.ts";
import type { WorldOptions } from "./world-types.ts";

/** How often the swarm stops to check, in virtual milliseconds. */
const CHECK_INTERVAL_MS = 1_000;
/** How often it looks whether the views are equal. */
const CONVERGENCE_INTERVAL_MS = 200;
const CONNECTIONS_MAX = 64;

/** Members that the address book on a node's disk has, as a daemon's. */
const BOOK_MAX = 64;

/** Options of a swarm beside those of its world. */
export interface SwarmOptions extends Omit<WorldOptions, "bytesInTrace"> {
  /** The crypto of all nodes. @default SHA-256 and model signatures ({@link createSimEngine}) */
  readonly engine?: SimEngine;
  /** Whether signatures of the engine are a function of the seed. @default true */
  readonly deterministicEngine?: boolean;
  /** Options of the machines. */
  readonly mesh?: Partial<MeshOptions>;
  /** The zone that each node starts in; its seeds are of its own zone, and one of any. @default all in one zone, "" */
  readonly zoneOf?: (node: NodeIndex, nodeId: NodeId) => string;
  /** Whom each node dials at start, beside its ring neighbour. @default 2 */
  readonly seedsPerNode?: number;
  /** The nodes start within this time. @default 5000 */
  readonly startWithinMs?: number;
  /** See {@link NoFalseDeath}. @default 30000 */
  readonly refuteMs?: number;
  /** Share of the buggify points that do the unlikely thing, each time they are passed. @default 0 */
  readonly buggify?: number;
  /** Puts something around an honest node, such as traffic. */
  readonly wrap?: (node: NodeIndex, inner: MeshNode) => SimNode<MeshDatagram>;
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
  readonly honest: SimNode<MeshDatagram>;
  /** The node's own key. */
  readonly signer: MlDsaSigner;
  readonly engine: SimEngine;
  readonly random: SeededRandom;
}) => SimNode<MeshDatagram> | undefined;

/** The default crypto of a simulation: real SHA-256, model signatures. Nothing of it is secret. */
export function createSimEngine(sha256?: (data: Uint8Array) => Uint8Array): SimEngine {
  const noble = createNobleEngine(SeededRandom.fromSeed(0));
  const hash = sha256 ?? ((data: Uint8Array) => noble.sha256(data));
  return { sha256: hash, mlDsa65: verifyOnce(createModelSignatures(hash)) };
}

/** A world of mesh nodes under watch. */
export class Swarm implements SwarmView {
  readonly world: World<MeshDatagram>;
  readonly census: Census;
  readonly ailments: Ailments;
  readonly noFalseDeath: NoFalseDeath;
  readonly sequenceRises: SequenceRises;
  readonly connectionsMax: number;
  /** Messages refused so far by all nodes, by code. */
  readonly refused = new Map<string, number>();
  readonly #options: SwarmOptions;
  readonly #engine: SimEngine;
  readonly #listeners: SwarmListener[] = [];
  readonly #nodes: (MeshNode | undefined)[] = [];
  readonly #intruders = new Set<NodeIndex>();
  readonly #intake = createSharedIntake();
  readonly #rendezvous: Rendezvous;
  readonly #seeds: readonly (readonly NodeIndex[])[];
  readonly #stalledUntilMs = new Map<NodeIndex, number>();
  /** What each node's disk says of its boot counter. */
  readonly #epochs: number[];
  /** ... and of quarantines and releases. */
  readonly #evidence: Map<NodeId, StoredEvidence>[];
  /** ... and of the zone it was in last. */
  readonly #zones: string[];
  /** ... and of whom it met last, the newest at the end. */
  readonly #books: Set<NodeIndex>[];
  readonly #forgetful = new Set<NodeIndex>();
  /** The pair that was the last to disagree: the first to be asked again. */
  #lastPair: Disagreement | undefined;

  /** @throws MeshError `sim/bad-option`; the machine's and the engine's own errors */
  constructor(options: SwarmOptions) {
    this.#options = options;
    this.#engine = options.engine ?? createSimEngine();
    this.connectionsMax = options.connectionsMax ?? CONNECTIONS_MAX;
    const sha256 = (data: Uint8Array): Uint8Array => this.#engine.sha256(data);
    this.#rendezvous = new Rendezvous({ sha256 }, 2 * options.nodes);
    this.world = new World(
      { sha256, spawn: (node, boot) => this.#spawn(node, boot) },
      { isOffered, ...options, bytesInTrace: options.deterministicEngine ?? true },
    );
    this.ailments = new Ailments(options.nodes);
    this.world.handshakes = (a, b) => this.ailments.handshake(a, b);
    this.census = new Census(options.nodes, this.#engine, this.world.random.fork("census"));
    this.noFalseDeath = new NoFalseDeath(options.refuteMs ?? 30_000);
    this.sequenceRises = new SequenceRises((nodeId) => this.census.find(nodeId)?.index);
    this.#listeners.push(this.noFalseDeath, this.sequenceRises);
    this.#zones = this.census.all.map(
      ({ index, identity }) => options.zoneOf?.(index, identity.nodeId) ?? "",
    );
    this.#seeds = chooseSeeds(
      this.#zones,
      options.seedsPerNode ?? 2,
      this.world.random.fork("seeds"),
    );
    this.#epochs = new Array<number>(options.nodes).fill(0);
    this.#evidence = Array.from({ length: options.nodes }, () => new Map<NodeId, StoredEvidence>());
    this.#books = Array.from({ length: options.nodes }, () => new Set<NodeIndex>());
  }

  /** Attaches more checkers and monitors; before the nodes start. */
  watch(...listeners: readonly SwarmListener[]): void {
    this.#listeners.push(...listeners);
  }

  get checkers(): readonly Checker[] {
    return this.#listeners.filter((one) => one instanceof Checker);
  }

  /** Every broken invariant so far, the first ones of each. */
  get violations(): readonly Violation[] {
    return this.checkers.flatMap(({ violations }) => violations);
  }

  get nowMs(): number {
    return this.world.nowMs;
  }

  get size(): number {
    return this.world.size;
  }

  /** Starts every node at a random moment of the start window. */
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

  /** Runs for `ms`, checking the invariants once a virtual second; `each` is called as often. */
  run(ms: number, each?: () => void): void {
    const endMs = this.nowMs + ms;
    while (this.nowMs < endMs) {
      this.world.runUntil(Math.min(endMs, this.nowMs + CHECK_INTERVAL_MS));
      each?.();
      for (const checker of this.checkers) checker.check?.(this);
    }
  }

  /** Runs until everyone is there and sees everyone alive; how long that took, or undefined after `limitMs`. */
  runUntilConverged(limitMs: number): number | undefined {
    return this.runUntil(() => this.isConverged(), limitMs);
  }

  /** Runs until `isDone`; how long that took, or undefined after `limitMs`. */
  runUntil(isDone: () => boolean, limitMs: number): number | undefined {
    const startMs = this.nowMs;
    while (this.nowMs - startMs < limitMs) {
      if (isDone()) return this.nowMs - startMs;
      this.run(CONVERGENCE_INTERVAL_MS);
    }
    return isDone() ? this.nowMs - startMs : undefined;
  }

  /** The world, or one node of it, is being disturbed at this moment. */
  disturbed(node?: NodeIndex): void {
    for (const listener of this.#listeners) listener.disturbed?.(this.nowMs, node);
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

  /** A power cut; a node that has not started yet does not. */
  crash(node: NodeIndex): void {
    if (this.world.isUp(node)) {
      this.disturbed(node);
      for (const listener of this.#listeners) listener.crashed?.(node, this);
    }
    this.world.crash(node);
  }

  /** Starts a node again; `staleDisk` forgets that the boot counter ever rose and whom it met, as a restored image does. */
  restart(node: NodeIndex, staleDisk = false): void {
    this.disturbed(node);
    if (staleDisk) {
      this.#epochs[node] = 0;
      this.#books[node]?.clear();
      this.#forgetful.add(node);
    }
    this.world.start(node);
  }

  /** An orderly stop. */
  stop(node: NodeIndex): void {
    this.disturbed(node);
    this.world.stop(node);
  }

  stall(node: NodeIndex, ms: number): void {
    this.disturbed(node);
    this.#stalledUntilMs.set(node, this.nowMs + ms);
    this.world.stall(node, this.nowMs + ms);
    this.world.plan(this.nowMs + ms, "stall ends", () => this.disturbed(node));
  }

  /** The node gets a new credential, as from an issuer. */
  renew(node: NodeIndex): void {
    const ailment = this.ailments.of(node);
    ailment.renewalStuck = false;
    ailment.expiredSvid = false;
    const { wallMs } = this.world.clock(node).at(this.nowMs);
    this.census.renew(node, (wallMs + SVID_LIFE_MS) as WallMs);
    this.disturbed(node);
  }

  isHealthy(node: NodeIndex): boolean {
    const stalledUntilMs = this.#stalledUntilMs.get(node) ?? 0;
    if (!this.world.isUp(node) || this.#intruders.has(node)) return false;
    return stalledUntilMs <= this.nowMs && !this.ailments.isIll(node);
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

  /** How a node sees another; undefined: not at all. */
  stateOf(observer: NodeIndex, subject: NodeIndex): MemberState | undefined {
    const { nodeId } = this.census.at(subject).identity;
    const views = this.node(observer)?.machine.members() ?? [];
    return views.find((view) => view.nodeId === nodeId)?.state;
  }

  /** Whether the first is meant to have the second among its members: within a zone. */
  shouldKnow(observer: NodeIndex, subject: NodeIndex): boolean {
    return observer !== subject && this.zoneOf(observer) === this.zoneOf(subject);
  }

  /** The zone that a node is in, or was in last. */
  zoneOf(node: NodeIndex): string {
    return this.node(node)?.machine.zone ?? this.#zones[node] ?? "";
  }

  /** Every honest node is up, and every healthy one sees every other healthy one alive. */
  isConverged(): boolean {
    for (let node = 0; node < this.size; node++) {
      if (!this.world.isUp(node)) return false;
    }
    return this.disagreement() === undefined;
  }

  /** All healthy nodes. */
  healthy(): NodeIndex[] {
    return this.census.all.map(({ index }) => index).filter((index) => this.isHealthy(index));
  }

  /** The first pair that keeps the swarm from being converged; `tolerated` counts as alive. */
  disagreement(tolerated?: MemberState): Disagreement | undefined {
    const healthy = this.healthy();
    const zones = Map.groupBy(healthy, (node) => this.zoneOf(node));
    const last = this.#lastPair?.observer;
    const first = last !== undefined && this.isHealthy(last) ? [last] : [];
    for (const observer of [...first, ...healthy]) {
      const states = new Map(this.states(observer));
      for (const subject of zones.get(this.zoneOf(observer)) ?? []) {
        const state = states.get(subject) ?? "unknown";
        if (subject === observer || state === "alive" || state === tolerated) continue;
        this.#lastPair = { observer, subject, state };
        return this.#lastPair;
      }
    }
    return undefined;
  }

  /** The same as text. */
  firstDisagreement(tolerated?: MemberState): string | undefined {
    const pair = this.disagreement(tolerated);
    if (pair === undefined) return undefined;
    return `node ${pair.observer} sees node ${pair.subject} ${pair.state} at ${this.nowMs} ms`;
  }

  #spawn(node: NodeIndex, boot: number): SimNode<MeshDatagram> {
    const epoch = this.#nextEpoch(node);
    const forgetful = this.#forgetful.delete(node);
    for (const listener of this.#listeners) listener.restarted?.(node, forgetful, this.nowMs);
    const honest = this.#makeNode(node, epoch, `node ${node} boot ${boot}`);
    const inner = this.#options.wrap?.(node, honest) ?? honest;
    const { signer } = this.census.at(node);
    const random = this.world.random.fork(`intruder ${node} boot ${boot}`);
    const parts = { node, honest: inner, signer, engine: this.#engine, random };
    const intruder = this.#options.makeIntruder?.(parts);
    if (intruder !== undefined) this.#intruders.add(node);
    this.#nodes[node] = intruder === undefined ? honest : undefined;
    return intruder ?? inner;
  }

  /** As the daemon's store has it: above what the disk says, and at least the time in seconds. */
  #nextEpoch(node: NodeIndex): number {
    const { wallMs } = this.world.clock(node).at(this.nowMs);
    const epoch = Math.max((this.#epochs[node] ?? 0) + 1, Math.floor(wallMs / 1_000));
    this.#saveEpoch(node, epoch);
    return epoch;
  }

  #saveEpoch(node: NodeIndex, epoch: number): void {
    if (this.ailments.of(node).diskFull) {
      this.ailments.bite("disk_full");
      // What it says and cannot keep, it may say again.
      this.#forgetful.add(node);
      return;
    }
    this.#epochs[node] = Math.max(this.#epochs[node] ?? 0, epoch);
  }

  #remember(node: NodeIndex, peer: NodeIndex): void {
    const book = this.#books[node];
    if (book === undefined || this.ailments.of(node).diskFull) return;
    book.delete(peer);
    book.add(peer);
    const [oldest] = book;
    if (book.size > BOOK_MAX && oldest !== undefined) book.delete(oldest);
  }

  #makeNode(node: NodeIndex, epoch: number, stream: string): MeshNode {
    const { census } = this;
    const self = census.at(node);
    const directory = new Map<NodeId, PeerIdentity>();
    const { nodeId } = self.identity;
    const zone = this.#zones[node] ?? "";
    const deps: MeshDeps = {
      engine: this.ailments.engine(node, this.#engine),
      signer: this.ailments.signer(node, self.signer),
      self: { nodeId, epoch, addresses: [addressOf(node)], zone, roles: [] },
      identities: { lookup: (id) => this.#lookup(node, directory, id) },
      allows: (spiffeId) => spiffeId !== undefined,
      random: this.world.random.fork(stream),
      meter: this.#meter,
      evidence: [...(this.#evidence[node]?.values() ?? [])],
      readForeignProof: (body) => this.#readRoundEvidence(body),
      intake: this.#intake,
      rendezvous: this.#rendezvous,
      ...this.#buggify(stream),
    };
    const mesh = this.#options.mesh ?? {};
    const make = this.#options.makeMachine ?? ((d: MeshDeps, o) => new MeshMachine(d, o));
    const machine = make(deps, mesh, node);
    const [seeds, book] = [this.#seeds[node] ?? [], this.#books[node] ?? new Set<NodeIndex>()];
    const { probeTimeoutMs } = { ...meshDefaults, ...mesh };
    const observer = this.#observer();
    const parts = { self, census, machine, directory, seeds, book, observer };
    return new MeshNode(parts, { probeTimeoutMs });
  }

  /** A directory drops what has expired, by its node's clock, and verifies against its node's bundle. */
  #lookup(
    node: NodeIndex,
    directory: Map<NodeId, PeerIdentity>,
    nodeId: NodeId,
  ): PeerIdentity | undefined {
    if (this.ailments.of(node).wrongBundle) return undefined;
    const known = directory.get(nodeId);
    if (known === undefined) return undefined;
    const { wallMs } = this.world.clock(node).at(this.nowMs);
    if (known.notAfterMs > wallMs) return known;
    directory.delete(nodeId);
    return undefined;
  }

  #readRoundEvidence(body: Uint8Array): ForeignProof | undefined {
    const decoded = decodeRoundEvidence((bytes) => this.#engine.sha256(bytes), body);
    if (!decoded.ok) return undefined;
    return { ...decoded.value, nodeId: decoded.value.nodeId as NodeId };
  }

  #buggify(stream: string): { buggify?: Buggify<MeshBuggifyPoint> } {
    const ratio = this.#options.buggify ?? 0;
    if (ratio === 0) return {};
    const random = this.world.random.fork(`buggify ${stream}`);
    return { buggify: () => random.chance(ratio) };
  }

  readonly #meter: Meter = {
    count: (name, labels) => {
      if (name !== "meshd_mesh_beacons_rejected_total") return;
      const code = labels?.["code"] ?? "";
      this.refused.set(code, (this.refused.get(code) ?? 0) + 1);
    },
    set: () => undefined,
    observe: () => undefined,
  };

  #observer(): MeshNodeObserver {
    return {
      memberChanged: (observer, nodeId, from, to, cause) => {
        const subject = this.census.find(nodeId)?.index;
        this.world.trace.record({
          atMs: this.nowMs,
          kind: `member-${to ?? "forgotten"}`,
          node: observer,
          peer: subject ?? observer,
          detail: `${from ?? "new"} ${cause}`,
          value: 0,
          content: 0,
        });
        if (this.#intruders.has(observer)) return;
        const change = { observer, subject, from, to, atMs: this.nowMs };
        for (const listener of this.#listeners) listener.memberChanged?.(change, this);
      },
      accepted: (observer, bytes) => {
        if (this.#intruders.has(observer)) return;
        for (const listener of this.#listeners) listener.accepted?.(observer, bytes, this.nowMs);
      },
      published: (node, bytes) => {
        if (this.#intruders.has(node)) return;
        for (const listener of this.#listeners) listener.published?.(node, bytes, this.nowMs);
      },
      evidence: (node, subject, statement) => {
        const disk = this.#evidence[node];
        disk?.delete(subject);
        if (statement !== undefined) disk?.set(subject, statement);
      },
      epochRaised: (node, epoch) => this.#saveEpoch(node, epoch),
      zoneChanged: (node, zone) => {
        this.#zones[node] = zone;
      },
      met: (node, peer) => this.#remember(node, peer),
    };
  }
}

/** Whom each node dials first: the one before it in its zone, which makes the whole reachable, some at random, and one of any zone. */
function chooseSeeds(
  zoneOf: readonly string[],
  extra: number,
  random: SeededRandom,
): NodeIndex[][] {
  if (!Number.isInteger(extra) || extra < 0) {
    const code: SimErrorCode = "sim/bad-option";
    throw new MeshError(
      code,
      `seedsPerNode must be a whole number from 0: current value is ${extra}.`,
    );
  }
  const zones = Map.groupBy(zoneOf.keys(), (node) => zoneOf[node] ?? "");
  const seeds: NodeIndex[][] = [];
  for (const zone of zones.values()) {
    for (const [at, node] of zone.entries()) {
      const before = zone.at(at - 1) ?? node;
      const chosen = new Set([before, ...random.sample(zone, extra + 1)]);
      chosen.delete(node);
      seeds[node] = [...chosen].slice(0, extra + 1);
      if (zones.size > 1) seeds[node].push(random.below(zoneOf.length));
    }
  }
  return seeds;
}
