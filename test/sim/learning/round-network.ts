// Round machines of one task in virtual time: delays, loss, doubled and reordered messages, partitions, crashes with
// restart from what was persisted, and liars. Everything follows from the seed.
//
// Watched at every moment, whatever the faults: no honest participant signs two things for one slot, all honest ones that
// sign a round's result sign it for one decision, and no two certificates of one round exist.

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import type { MlDsa, MlDsaSigner } from "../../../src/crypto/index.ts";
import { ML_DSA_65 } from "../../../src/crypto/index.ts";
import { toHex, utf8Bytes } from "../../../src/foundation/index.ts";
import {
  batchAsyncPolicy,
  type Certificate,
  RoundMachine,
  type RoundAction,
  type RoundEvent,
  type RoundOptions,
  type RoundPolicy,
  SeededRandom,
  type UpdateHeader,
} from "../../../src/learning/index.ts";
import { decodeMessage, type RoundMessage } from "../../../src/learning/protocol/messages.ts";
import { population } from "../../../src/learning/protocol/population.ts";
import type { MonoMs, Now, WallMs } from "../../../src/ports/index.ts";

export const sha256 = (data: Uint8Array): Uint8Array => hash("sha256", data, "buffer");
export const digestOf = (...parts: readonly string[]): string =>
  toHex(sha256(utf8Bytes(parts.join("|"))));

/** A checksum in the place of a signature: for many seeds. Who has no signer makes none, because nobody tries. */
export const modelSignatures: Pick<MlDsa, "verify" | "signer"> = {
  signer(seed) {
    const publicKey = new Uint8Array(ML_DSA_65.publicKeyBytes);
    publicKey.set(sha256(seed));
    return {
      publicKey,
      sign(message, context) {
        const signature = new Uint8Array(ML_DSA_65.signatureBytes);
        new DataView(signature.buffer).setUint32(0, checksum(publicKey, message, context));
        return signature;
      },
      destroy: () => undefined,
    };
  },
  verify(publicKey, message, signature, context) {
    const view = new DataView(signature.buffer, signature.byteOffset);
    return view.getUint32(0) === checksum(publicKey, message, context);
  },
};

function checksum(publicKey: Uint8Array, message: Uint8Array, context: Uint8Array): number {
  let sum = 0;
  for (const part of [publicKey.subarray(0, 8), context, message]) {
    for (let i = 0; i < part.length; i++)
      sum = Math.imul(sum ^ (part[i] as number), 0x0100_0193) + i;
  }
  return sum >>> 0;
}

/** What a liar sends in the place of what an honest machine would: to each receiver what it likes. */
export type Lie = (
  message: RoundMessage,
  bytes: Uint8Array,
  liar: SimulatedNode,
) => readonly (readonly [to: number, bytes: Uint8Array])[];

export interface NetworkOptions {
  readonly seed: number;
  readonly participants: number;
  readonly byzantine: number;
  readonly rounds: number;
  /** How many of the participants, the first ones, lie. @default 0 */
  readonly liars?: number;
  readonly lie?: Lie;
  readonly onPublish?: (message: RoundMessage) => void;
  /** Whether what this action asks for comes to nothing, and the machine is told so where it is to be. @default never */
  readonly fails?: (node: SimulatedNode, action: RoundAction) => boolean;
  /** Whether a node is killed right after this action, in the middle of a list. @default never */
  readonly killAfter?: (node: SimulatedNode, action: RoundAction) => boolean;
  /** @default modelSignatures */
  readonly signatures?: Pick<MlDsa, "verify" | "signer">;
  /** @default batch-async over all, 1 s */
  readonly policy?: RoundPolicy;
  readonly viewTimeoutMs?: number;
  readonly republishMs?: number;
  readonly trainMs?: number;
  readonly isLast?: (certificate: Certificate) => boolean;
  /** What a node's arithmetic makes of the right model. @default the same */
  readonly compute?: (node: SimulatedNode, model: string) => string;
}

/** What a node keeps through a crash. */
interface Disk {
  journal: { readonly round: number; readonly bytes: Uint8Array }[];
  readonly certificates: Map<number, Uint8Array>;
  readonly proofs: Uint8Array[];
  /** Header digests whose updates are here. */
  readonly updates: Set<string>;
  readonly models: Set<string>;
}

export interface SimulatedNode {
  readonly index: number;
  readonly id: string;
  readonly signer: MlDsaSigner;
  readonly isLiar: boolean;
  readonly disk: Disk;
  machine: RoundMachine;
  up: boolean;
  /** So many actions from now the node crashes: in the middle of a list, it may be. */
  actionsLeft: number;
  /** Counts lives, so that what was under way in an earlier one is lost. */
  life: number;
  readonly timers: Map<string, number>;
  readonly certificates: Map<number, Certificate>;
  readonly counted: Map<string, number>;
  diverged: number;
  split: number;
  finished: boolean;
}

interface Queued {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** A task of n participants. */
export class RoundNetwork {
  readonly nodes: SimulatedNode[] = [];
  readonly random: SeededRandom;
  readonly #options: NetworkOptions;
  readonly participants;
  readonly task: string;
  readonly initialModel: string;
  readonly #queue: Queued[] = [];
  #order = 0;
  nowMs = 0;
  /** Share of messages lost, 0..1. */
  loss = 0;
  delayMs: readonly [number, number] = [1, 30];
  /** Group of each node; messages pass within a group alone. */
  groups: number[] | undefined;
  /** Bytes that nodes took in by gossip, each message once for each receiver, and by sync. */
  readonly bytes = { published: new Map<string, number>(), synced: 0, certificate: 0 };
  readonly #signed = new Map<string, string>();
  readonly #decisions = new Map<number, string>();
  readonly #chain = new Map<number, string>();
  /** What was published, for replays. */
  readonly past: Uint8Array[] = [];
  onAggregate: ((round: number, headers: readonly UpdateHeader[]) => void) | undefined;
  /** Of honest votes since it was last set. */
  highestView = 0;

  constructor(options: NetworkOptions) {
    this.#options = options;
    const { seed, participants: count, byzantine, signatures = modelSignatures } = options;
    this.random = new SeededRandom(seed, "round-network");
    this.task = digestOf("task", String(seed));
    this.initialModel = digestOf("model", String(seed));
    const ids = Array.from({ length: count }, (_, i) => digestOf("id", String(i))).sort();
    this.participants = population(ids, byzantine);
    for (const [index, id] of ids.entries()) {
      const signer = signatures.signer(sha256(utf8Bytes(id)));
      this.nodes.push(this.#node(index, id, signer));
    }
    for (const node of this.nodes) {
      node.machine = this.#machine(node, false);
      this.later(this.random.between(0, 50), () => this.#event(node, { kind: "started" }));
    }
  }

  get now(): Now {
    return { monoMs: this.nowMs as MonoMs, wallMs: this.nowMs as WallMs };
  }

  get honest(): SimulatedNode[] {
    return this.nodes.filter(({ isLiar }) => !isLiar);
  }

  /** The lowest round that all honest nodes have certified. */
  get certified(): number {
    return Math.min(...this.honest.map(({ certificates }) => Math.max(0, ...certificates.keys())));
  }

  later(delayMs: number, run: () => void): void {
    push(this.#queue, { atMs: this.nowMs + delayMs, order: this.#order++, run });
  }

  /** Runs until `done`, or until that much virtual time has passed; true when it was done. */
  run(forMs: number, done: () => boolean = () => false): boolean {
    const endMs = this.nowMs + forMs;
    for (;;) {
      if (done()) return true;
      const next = this.#queue[0];
      if (next === undefined || next.atMs > endMs) break;
      pop(this.#queue);
      this.nowMs = next.atMs;
      next.run();
    }
    this.nowMs = endMs;
    return done();
  }

  crash(node: SimulatedNode): void {
    node.up = false;
    node.actionsLeft = Number.POSITIVE_INFINITY;
    node.life++;
    node.timers.clear();
  }

  restart(node: SimulatedNode): void {
    if (node.up) return;
    node.up = true;
    node.machine = this.#machine(node, true);
    this.#event(node, { kind: "started" });
  }

  /** Hands bytes to one node. */
  send(from: number, to: number, bytes: Uint8Array): void {
    const target = this.nodes[to] as SimulatedNode;
    if (!this.#reaches(from, to) || this.random.fraction() < this.loss) return;
    this.later(this.random.between(...this.delayMs), () => {
      if (!target.up || !this.#reaches(from, to)) return;
      const verdict = target.machine.receive(bytes, this.now);
      this.#carryOut(target, verdict.actions);
    });
  }

  broadcast(from: number, bytes: Uint8Array): void {
    for (const { index } of this.nodes) if (index !== from) this.send(from, index, bytes);
  }

  decode(bytes: Uint8Array): RoundMessage | undefined {
    const decoded = decodeMessage(bytes, this.participants, sha256);
    return decoded.ok ? decoded.value : undefined;
  }

  #reaches(a: number, b: number): boolean {
    return this.groups === undefined || this.groups[a] === this.groups[b];
  }

  #node(index: number, id: string, signer: MlDsaSigner): SimulatedNode {
    return {
      index,
      id,
      signer,
      isLiar: index < (this.#options.liars ?? 0),
      disk: {
        journal: [],
        certificates: new Map(),
        proofs: [],
        updates: new Set(),
        models: new Set([this.initialModel]),
      },
      machine: undefined as unknown as RoundMachine,
      up: true,
      actionsLeft: Number.POSITIVE_INFINITY,
      life: 0,
      timers: new Map(),
      certificates: new Map(),
      counted: new Map(),
      diverged: 0,
      split: 0,
      finished: false,
    };
  }

  #machine(node: SimulatedNode, resumes: boolean): RoundMachine {
    const { signatures = modelSignatures, participants: n, byzantine, rounds } = this.#options;
    const { policy, isLast, viewTimeoutMs = 200, republishMs = 500 } = this.#options;
    const keys = new Map(this.nodes.map(({ id, signer }) => [id, signer.publicKey]));
    const newest = node.disk.certificates.get(Math.max(0, ...node.disk.certificates.keys()));
    const options: RoundOptions = {
      self: node.id,
      task: this.task,
      participants: this.participants.ids,
      byzantine,
      rounds,
      initialModel: this.initialModel,
      updateBytesMax: 1_000_000,
      rule: digestOf("rule"),
      policy: policy ?? batchAsyncPolicy({ target: n, deadlineMs: 1000 }, n, byzantine),
      viewTimeoutMs,
      republishMs,
      ...(isLast === undefined ? {} : { isLast }),
      ...(resumes
        ? {
            resume: {
              journal: node.disk.journal.map(({ bytes }) => bytes),
              proofs: node.disk.proofs,
              ...(newest === undefined ? {} : { certificate: newest }),
            },
          }
        : {}),
    };
    const deps = {
      sha256,
      mlDsa: signatures,
      signer: node.signer,
      meter: {
        count: (name: string, labels: Readonly<Record<string, string>> = {}) => {
          const series = [name, ...Object.values(labels)].join("/");
          node.counted.set(series, (node.counted.get(series) ?? 0) + 1);
        },
        set: () => undefined,
        observe: () => undefined,
      },
      publicKeyOf: (id: string) => keys.get(id),
      certificateAt: (round: number) => node.disk.certificates.get(round),
    };
    return new RoundMachine(deps, options);
  }

  #event(node: SimulatedNode, event: RoundEvent): void {
    if (node.up) this.#carryOut(node, node.machine.handle(event, this.now));
  }

  /** Later, in this life of the node. */
  #eventLater(node: SimulatedNode, delayMs: number, event: RoundEvent): void {
    const { life } = node;
    this.later(delayMs, () => {
      if (node.life === life) this.#event(node, event);
    });
  }

  #carryOut(node: SimulatedNode, actions: readonly RoundAction[]): void {
    for (const action of actions) {
      if (node.actionsLeft-- <= 0) this.crash(node);
      if (!node.up) return;
      if (this.#options.fails?.(node, action) === true) this.#fail(node, action);
      else this.#act(node, action);
      if (this.#options.killAfter?.(node, action) === true) this.crash(node);
    }
  }

  #fail(node: SimulatedNode, action: RoundAction): void {
    if (action.kind !== "train" && action.kind !== "aggregate") return;
    const { kind: work, round } = action;
    this.#eventLater(node, this.random.between(1, 60), { kind: "work-failed", work, round });
  }

  #act(node: SimulatedNode, action: RoundAction): void {
    switch (action.kind) {
      case "publish":
        this.#publish(node, action.bytes);
        return;
      case "persist":
        for (const bytes of action.messages) {
          node.disk.journal.push({ round: action.round, bytes });
          const message = this.decode(bytes);
          // The update was on disk before its header was signed.
          if (message?.kind === "header" && message.nodeId === node.id)
            node.disk.updates.add(message.header.digest);
        }
        return;
      case "train":
        this.#train(node, action.round, action.model);
        return;
      case "fetch-update": {
        const { digest } = action.header;
        const from = [node.id, ...action.holders].map((id) => this.#byId(id));
        const holder = from.find(
          (peer) =>
            peer.disk.updates.has(digest) && peer.up && this.#reaches(peer.index, node.index),
        );
        if (holder === undefined) return;
        node.disk.updates.add(digest);
        this.#eventLater(node, this.random.between(5, 60), {
          kind: "update-available",
          header: digest,
        });
        return;
      }
      case "fetch-model": {
        const { model } = action;
        const holder = this.nodes.find(
          (peer) =>
            peer.disk.models.has(model) &&
            (peer === node || (peer.up && this.#reaches(peer.index, node.index))),
        );
        if (holder === undefined) return;
        node.disk.models.add(model);
        this.#eventLater(node, this.random.between(5, 60), { kind: "model-available", model });
        return;
      }
      case "aggregate": {
        const { round, baseModel, beacon, headers } = action;
        this.onAggregate?.(round, headers);
        const digests = headers.map(({ digest }) => digest);
        const right = digestOf("aggregate", baseModel, beacon, ...digests);
        const model = this.#options.compute?.(node, right) ?? right;
        node.disk.models.add(model);
        const result = {
          model,
          weights: digestOf("weights", model),
          summary: Uint8Array.of(round),
        };
        this.#eventLater(node, this.random.between(1, 20), { kind: "aggregated", round, result });
        return;
      }
      case "certified":
        this.#certified(node, action.certificate, action.bytes);
        if (action.own === "other") node.diverged++;
        return;
      case "evidence": {
        node.disk.proofs.push(action.proof);
        assert.ok(this.#byId(action.nodeId).isLiar, "evidence against an honest participant");
        return;
      }
      case "sync":
        this.#sync(node, this.#byId(action.nodeId), action.bytes);
        return;
      case "set-timer": {
        const token = this.#order;
        node.timers.set(action.id, token);
        this.later(action.delayMs, () => {
          if (node.timers.get(action.id) === token)
            this.#event(node, { kind: "timer", id: action.id });
        });
        return;
      }
      case "split":
        node.split++;
        return;
      case "finished":
        node.finished = true;
        return;
    }
  }

  #byId(id: string): SimulatedNode {
    return this.nodes[this.participants.indexOf(id) ?? -1] as SimulatedNode;
  }

  #train(node: SimulatedNode, round: number, model: string): void {
    const { trainMs = 50 } = this.#options;
    // A restart trains again, and would commit to something else.
    const update = digestOf("update", node.id, model, String(this.random.uint32()));
    const facts = { update, bytes: 1000, codec: 1, note: Uint8Array.of(node.index) };
    this.#eventLater(node, trainMs * this.random.between(0.5, 2), {
      kind: "trained",
      baseRound: round - 1,
      facts,
    });
  }

  #publish(node: SimulatedNode, bytes: Uint8Array): void {
    const message = this.decode(bytes);
    if (message !== undefined) {
      this.#watch(node, message);
      this.#options.onPublish?.(message);
    }
    const kind = message?.kind ?? "proof";
    const { published } = this.bytes;
    published.set(kind, (published.get(kind) ?? 0) + bytes.length);
    if (message?.kind === "header") node.disk.updates.add(message.header.digest);
    if (this.past.length < 2000) this.past.push(bytes);
    const { lie } = this.#options;
    if (node.isLiar && lie !== undefined && message !== undefined) {
      for (const [to, other] of lie(message, bytes, node)) this.send(node.index, to, other);
    } else this.broadcast(node.index, bytes);
  }

  #watch(node: SimulatedNode, message: RoundMessage): void {
    if (node.isLiar) return;
    if (message.kind === "proposal" || message.kind === "prevote" || message.kind === "precommit") {
      this.highestView = Math.max(this.highestView, message.view);
    }
    if (message.kind !== "statement") {
      const view = "view" in message ? message.view : 0;
      const slot = [node.index, message.kind, message.round, view].join("/");
      const signed = toHex(sha256(message.signed));
      const before = this.#signed.get(slot) ?? signed;
      assert.equal(signed, before, `an honest participant signed twice: ${slot}`);
      this.#signed.set(slot, signed);
    }
    if (message.kind === "result") {
      const before = this.#decisions.get(message.round) ?? message.decision;
      assert.equal(message.decision, before, `two decisions in round ${message.round}`);
      this.#decisions.set(message.round, message.decision);
    }
  }

  #certified(node: SimulatedNode, certificate: Certificate, bytes: Uint8Array): void {
    const { round, digest } = certificate;
    if (!node.isLiar) {
      const before = this.#chain.get(round) ?? digest;
      assert.equal(digest, before, `two certificates of round ${round}`);
      this.#chain.set(round, digest);
      node.certificates.set(round, certificate);
    }
    node.disk.certificates.set(round, bytes);
    node.disk.journal = node.disk.journal.filter((entry) => entry.round > round);
    this.bytes.certificate = Math.max(this.bytes.certificate, bytes.length);
  }

  #sync(node: SimulatedNode, peer: SimulatedNode, status: Uint8Array): void {
    const { life } = node;
    this.later(this.random.between(...this.delayMs), () => {
      const reached = peer.up && this.#reaches(node.index, peer.index);
      const answers = reached ? peer.machine.answer(status) : [];
      this.later(this.random.between(...this.delayMs), () => {
        if (node.life !== life || !node.up) return;
        for (const bytes of answers) {
          this.bytes.synced += bytes.length;
          this.#carryOut(node, node.machine.receive(bytes, this.now).actions);
        }
        this.#event(node, { kind: "synced", nodeId: peer.id });
      });
    });
  }
}

function before(a: Queued, b: Queued): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

function push(heap: Queued[], item: Queued): void {
  let at = heap.length;
  heap.push(item);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent] as Queued;
    if (!before(item, above)) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = item;
}

function pop(heap: Queued[]): void {
  const last = heap.pop() as Queued;
  if (heap.length === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1] as Queued, heap[child] as Queued))
      child++;
    const below = heap[child] as Queued;
    if (!before(below, last)) break;
    heap[at] = below;
    at = child;
  }
  heap[at] = last;
}
