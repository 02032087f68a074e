// Epidemic learning: every node pulls every peer's model, aggregates by itself and trusts no aggregator. Sans-I/O.
//
// A round: train from the own model, offer the result, pull the peers' results of the same round, take each against the
// own round start, aggregate robustly (own update included, rows in order of node id), apply, measure, go on. A round
// closes when all peers answered, at its deadline, or a grace after n - f updates are in. With K <= 2f updates the node
// holds its model: it never falls back to a mean. Pulling, not pushing, is what keeps liars from flooding (RPEL).
//
// Falling behind: when more than f peers say that a round is gone, at least one honest node is ahead. The node pulls
// everyone's newest model; the (f+1)-th highest round claimed is one that an honest node has reached, so f liars can
// neither lure it beyond nor keep it behind. It adopts the robust aggregate of the models of about that round.

import { assert, unreachable } from "../../foundation/index.ts";
import type { Meter, Now } from "../../ports/index.ts";
import type { Aggregator } from "../aggregators/aggregator.ts";
import { plainKernels, type VectorKernels } from "../aggregators/kernels.ts";
import { aggregatorNamed } from "../aggregators/rules.ts";
import { attackUpdate } from "../attacks/attacks.ts";
import type { ParticipantId, TaskManifest } from "../task.ts";
import type { TrainerFailureCode } from "../trainer/round-trainer.ts";
import { allFinite, type ModelSpec } from "../tensors/model-spec.ts";
import type {
  Contribution,
  EpidemicAction,
  EpidemicEvent,
  PullFailure,
  PullRound,
  RoundReport,
  RoundResult,
  Served,
} from "./epidemic-protocol.ts";
import { Exchange } from "./exchange.ts";
import { encodeUpdate, type GatedUpdate, openUpdate } from "./gate.ts";

/** Own updates kept for slower peers, rounds. More: laggards catch up round by round; each costs a model's size. */
export const OFFERS_KEPT = 3;
/** After n - f updates the rest get this share of the round's time limit: slow honest nodes hold samples nobody else has. */
export const GRACE_RATIO = 0.2;

/** What the machine uses. */
export interface EpidemicDeps {
  readonly meter: Meter;
  /** Shape of the task's model. */
  readonly spec: ModelSpec;
  /** Initial weights of the task; the machine does not change them. */
  readonly initialWeights: Float32Array;
  /** @default plainKernels */
  readonly kernels?: VectorKernels;
}

/** Which node of which task this is. */
export interface EpidemicOptions {
  readonly task: TaskManifest;
  readonly self: ParticipantId;
  /** Laboratory only: offer attacked updates, as the task's `attack` says. */
  readonly adversary: boolean;
  /** The last persisted round and its model. */
  readonly resume?: { readonly round: number; readonly weights: Float32Array };
}

/** A round whose model is made and awaits its measurement. */
type Outcome = Omit<RoundReport, "loss" | "accuracy">;

type Phase =
  | { readonly name: "idle" }
  | { readonly name: "training"; readonly startedMs: number }
  | {
      readonly name: "exchanging";
      readonly startedMs: number;
      readonly own: Own;
      readonly exchange: Exchange;
      readonly graced: boolean;
    }
  | {
      readonly name: "catching-up";
      readonly startedMs: number;
      readonly own: Own;
      readonly exchange: Exchange;
    }
  | { readonly name: "evaluating"; readonly outcome: Outcome }
  | { readonly name: "finished" };

/** What the own trainer gave. */
type Own =
  | { readonly row: Float32Array; readonly loss: number | null }
  | { readonly row: undefined; readonly failure: TrainerFailureCode };

interface Row {
  readonly nodeId: ParticipantId;
  readonly row: Float32Array;
}

/** One node's part in one task. */
export class EpidemicMachine {
  readonly #deps: EpidemicDeps;
  readonly #task: TaskManifest;
  readonly #self: ParticipantId;
  readonly #adversary: boolean;
  readonly #kernels: VectorKernels;
  readonly #aggregator: Aggregator;
  readonly #peers: readonly ParticipantId[];
  readonly #roundTimeoutMs: number;
  readonly #offers = new Map<number, Uint8Array>();
  /** The round under way, or the next one. */
  #round: number;
  /** Model at the start of the round. */
  #start: Float32Array;
  #phase: Phase = { name: "idle" };

  constructor(deps: EpidemicDeps, options: EpidemicOptions) {
    const { task, self, adversary, resume } = options;
    assert(task.participants.includes(self), "the node takes part in the task");
    assert(task.orchestrator.kind === "epidemic", "the task is for this orchestrator");
    this.#roundTimeoutMs = task.orchestrator.roundTimeoutMs;
    this.#deps = deps;
    this.#task = task;
    this.#self = self;
    this.#adversary = adversary;
    this.#kernels = deps.kernels ?? plainKernels;
    this.#aggregator = aggregatorNamed(task.aggregator);
    this.#peers = task.participants.filter((id) => id !== self);
    this.#round = (resume?.round ?? 0) + 1;
    this.#start = (resume?.weights ?? deps.initialWeights).slice();
    assert(this.#start.length === deps.spec.parameters, "the weights are of the task's model");
  }

  /** The round under way, 1-based; after the last one `task.rounds + 1`. */
  get round(): number {
    return this.#round;
  }

  get phase(): Phase["name"] {
    return this.#phase.name;
  }

  /** The node's model at the start of the round under way: a copy. */
  get weights(): Float32Array {
    return this.#start.slice();
  }

  /** What a peer that asks for a round gets. Offers outlive the end of the task, for the slow. */
  serve(round: PullRound): Served {
    const newest = Math.max(0, ...this.#offers.keys());
    if (round === "newest") return this.#offers.get(newest) ?? this.#unoffered();
    const offer = this.#offers.get(round);
    if (offer !== undefined) return offer;
    if (round === this.#round) return this.#unoffered();
    if (round < this.#round || round <= newest) return "gone";
    // A faster peer asks for a round that is still to come here: it can wait.
    return this.#phase.name === "finished" ? "gone" : "pending";
  }

  /** Takes an event, gives what to do. Events of another phase or round change nothing. */
  handle(event: EpidemicEvent, now: Now): EpidemicAction[] {
    if (this.#phase.name === "finished") return [];
    switch (event.type) {
      case "start":
        return this.#phase.name === "idle" ? this.#begin(now) : [];
      case "trained":
        return this.#trained(event.round, event.weights, event.loss);
      case "not-trained":
        return this.#notTrained(event.round, event.code);
      case "pulled":
        return this.#pulled(event.round, event.nodeId, event.bytes, now);
      case "pull-failed":
        return this.#pullFailed(event.round, event.nodeId, event.code, now);
      case "evaluated":
        return this.#evaluated(event.round, event.loss, event.accuracy, now);
      case "timer":
        return this.#timer(event.id, now);
      case "peer-gone":
        return this.#settled((exchange) => exchange.silent(event.nodeId), now);
      case "stop":
        this.#phase = { name: "finished" };
        return [{ type: "finished", reason: "stopped" }];
      default:
        return unreachable(event);
    }
  }

  #begin(now: Now): EpidemicAction[] {
    if (this.#round > this.#task.rounds) {
      this.#phase = { name: "finished" };
      return [{ type: "finished", reason: "completed" }];
    }
    this.#phase = { name: "training", startedMs: now.monoMs };
    const deadlineMs = this.#roundTimeoutMs;
    return [
      {
        type: "train",
        round: this.#round,
        weights: this.#start,
        learningRateFactor: 1,
        deadlineMs,
      },
    ];
  }

  #trained(round: number, weights: Float32Array, loss: number | null): EpidemicAction[] {
    if (this.#phase.name !== "training" || round !== this.#round) return [];
    const row = this.#rowOf(weights);
    const bytes = this.#makeOffer(row);
    this.#offers.set(round, bytes);
    for (const old of this.#offers.keys()) if (old <= round - OFFERS_KEPT) this.#offers.delete(old);
    return this.#exchange(this.#phase.startedMs, bytes, { row, loss });
  }

  #notTrained(round: number, code: TrainerFailureCode): EpidemicAction[] {
    if (this.#phase.name !== "training" || round !== this.#round) return [];
    this.#count("meshd_learning_trainer_failures_total", { code });
    return this.#exchange(this.#phase.startedMs, undefined, { row: undefined, failure: code });
  }

  #exchange(startedMs: number, bytes: Uint8Array | undefined, own: Own): EpidemicAction[] {
    const round = this.#round;
    const exchange = new Exchange(this.#peers);
    this.#phase = { name: "exchanging", startedMs, own, exchange, graced: false };
    return [
      { type: "offer", round, bytes },
      { type: "set-timer", id: `deadline/${round}`, delayMs: this.#roundTimeoutMs },
      ...this.#pullAll(round),
    ];
  }

  /** The own update; training that left the finite numbers counts as no change. */
  #rowOf(weights: Float32Array): Float32Array {
    assert(weights.length === this.#start.length, "trained weights are of the task's model");
    const row = weights.map((value, i) => value - (this.#start[i] as number));
    return allFinite(row) ? row : row.fill(0);
  }

  #makeOffer(row: Float32Array): Uint8Array {
    const { attack, seed, taskId } = this.#task;
    const round = this.#round;
    const sent = this.#adversary ? attackUpdate(attack, row, seed, round, this.#self) : row;
    const model = sent.map((value, i) => (this.#start[i] as number) + value);
    return encodeUpdate(this.#deps.spec, model, { taskId, round, nodeId: this.#self });
  }

  #pullAll(round: PullRound): EpidemicAction[] {
    const timeoutMs = this.#roundTimeoutMs;
    return this.#peers.map((nodeId) => ({ type: "pull", round, nodeId, timeoutMs }));
  }

  /** The exchange that an answer for `round` belongs to. */
  #exchangeOf(round: PullRound): Exchange | undefined {
    if (this.#phase.name === "exchanging" && round === this.#round) return this.#phase.exchange;
    if (this.#phase.name === "catching-up" && round === "newest") return this.#phase.exchange;
    return undefined;
  }

  #pulled(round: PullRound, nodeId: ParticipantId, bytes: Uint8Array, now: Now): EpidemicAction[] {
    const exchange = this.#exchangeOf(round);
    if (exchange?.waitsFor(nodeId) !== true) return [];
    const { taskId, rounds: roundsMax } = this.#task;
    const expected = {
      taskId,
      nodeId,
      round: round === "newest" ? ("any" as const) : round,
      roundsMax,
    };
    const opened = openUpdate(this.#deps.spec, bytes, expected, this.#start);
    if (!opened.ok) this.#count("meshd_learning_updates_rejected_total", { code: opened.code });
    return this.#settled((open) => {
      if (opened.ok) open.update(nodeId, opened.value);
      else open.refuse(nodeId, opened.code);
    }, now);
  }

  #pullFailed(
    round: PullRound,
    nodeId: ParticipantId,
    code: PullFailure,
    now: Now,
  ): EpidemicAction[] {
    const exchange = this.#exchangeOf(round);
    if (exchange?.waitsFor(nodeId) !== true) return [];
    this.#count("meshd_learning_pulls_failed_total");
    if (code === "unreachable") {
      const delayMs = exchange.failed(nodeId);
      if (delayMs !== undefined)
        return [{ type: "set-timer", id: `retry/${round}/${nodeId}`, delayMs }];
      return this.#settled(() => undefined, now);
    }
    return this.#settled((open) => {
      if (code === "gone") open.ahead(nodeId);
      else open.silent(nodeId);
    }, now);
  }

  /** Records an answer, then closes the exchange when it is complete, or lets the grace begin. */
  #settled(record: (exchange: Exchange) => void, now: Now): EpidemicAction[] {
    const phase = this.#phase;
    if (phase.name !== "exchanging" && phase.name !== "catching-up") return [];
    record(phase.exchange);
    if (phase.exchange.complete) return this.#close(now);
    if (phase.name === "catching-up" || phase.graced) return [];
    const { participants, byzantine } = this.#task;
    const held = phase.exchange.updates.length + (phase.own.row === undefined ? 0 : 1);
    if (held < participants.length - byzantine) return [];
    this.#phase = { ...phase, graced: true };
    return [
      {
        type: "set-timer",
        id: `grace/${this.#round}`,
        delayMs: Math.ceil(GRACE_RATIO * this.#roundTimeoutMs),
      },
    ];
  }

  #timer(id: string, now: Now): EpidemicAction[] {
    const [kind, round, nodeId = ""] = id.split("/");
    const { name } = this.#phase;
    if (kind === "retry") {
      const pullRound = round === "newest" ? round : Number(round);
      if (this.#exchangeOf(pullRound)?.waitsFor(nodeId) !== true) return [];
      return [{ type: "pull", round: pullRound, nodeId, timeoutMs: this.#roundTimeoutMs }];
    }
    const due = kind === "catch-up" ? name === "catching-up" : name === "exchanging";
    return due && Number(round) === this.#round ? this.#close(now) : [];
  }

  #close(now: Now): EpidemicAction[] {
    const phase = this.#phase;
    if (phase.name === "catching-up") return this.#closeCatchUp(phase, now);
    if (phase.name !== "exchanging") return [];
    const { exchange, own } = phase;
    const rows: Row[] = exchange.updates.map(({ nodeId, update }) => ({ nodeId, row: update.row }));
    if (own.row !== undefined) rows.push({ nodeId: this.#self, row: own.row });
    const isQuorum = rows.length > 2 * this.#task.byzantine;
    if (!isQuorum && exchange.aheadCount > this.#task.byzantine) return this.#catchUp(phase);
    return this.#conclude(this.#round, "aggregated", rows, phase, now);
  }

  #catchUp(phase: { readonly startedMs: number; readonly own: Own }): EpidemicAction[] {
    const { startedMs, own } = phase;
    this.#phase = { name: "catching-up", startedMs, own, exchange: new Exchange(this.#peers) };
    const delayMs = this.#roundTimeoutMs;
    return [
      { type: "set-timer", id: `catch-up/${this.#round}`, delayMs },
      ...this.#pullAll("newest"),
    ];
  }

  #closeCatchUp(phase: Phase & { readonly name: "catching-up" }, now: Now): EpidemicAction[] {
    const { byzantine } = this.#task;
    const { updates } = phase.exchange;
    const target = updates.map(({ update }) => update.round).sort((a, b) => b - a)[byzantine] ?? 0;
    const isFresh = (update: GatedUpdate): boolean => update.round >= target - 1;
    const rows = updates.flatMap(({ nodeId, update }) =>
      isFresh(update) ? [{ nodeId, row: update.row }] : [],
    );
    if (target <= this.#round) return this.#conclude(this.#round, "held", [], phase, now);
    const concluded = this.#conclude(target, "caught-up", rows, phase, now);
    return concluded;
  }

  /** Aggregates the rows, or holds the model; then asks for the measurement. */
  #conclude(
    round: number,
    wanted: RoundResult,
    rows: readonly Row[],
    phase: { readonly exchange: Exchange; readonly own: Own; readonly startedMs: number },
    now: Now,
  ): EpidemicAction[] {
    const contributors = wanted === "held" ? undefined : this.#aggregate(rows);
    const result = contributors === undefined ? "held" : wanted;
    this.#round = result === "held" ? this.#round : round;
    const { exchange, own, startedMs } = phase;
    const outliers = (contributors ?? []).filter((c) => c.outlier && c.nodeId !== this.#self);
    const refusals = exchange.refusals;
    const outcome: Outcome = {
      round: this.#round,
      result,
      held: result === "held",
      trainLoss: result === "caught-up" || own.row === undefined ? null : own.loss,
      ...(own.row === undefined ? { trainerFailure: own.failure } : {}),
      aggregator: this.#aggregator.name,
      rejected: [...outliers, ...refusals].map(({ nodeId }) => nodeId).sort(),
      refusals,
      silent: exchange.silentPeers,
      contributors: contributors ?? [],
      durationMs: Math.max(0, now.monoMs - startedMs),
    };
    this.#measure(outcome, outliers.length);
    this.#phase = { name: "evaluating", outcome };
    const { taskId } = this.#task;
    const label = { taskId, round: this.#round, nodeId: this.#self };
    return [
      {
        type: "persist",
        round: this.#round,
        bytes: encodeUpdate(this.#deps.spec, this.#start, label),
      },
      { type: "evaluate", round: this.#round, weights: this.#start },
    ];
  }

  /** Applies the aggregate to the model; `undefined`, and the model as it was, when that cannot be done safely. */
  #aggregate(unordered: readonly Row[]): Contribution[] | undefined {
    const f = this.#task.byzantine;
    if (unordered.length <= 2 * f) return;
    const rows = unordered.toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
    const vectors = rows.map(({ row }) => row);
    const aggregated = this.#aggregator.aggregate(vectors, f, { kernels: this.#kernels });
    if (!aggregated.ok) return;
    const { vector, shares, votes, clip, distances, cosines, inDegree, rejected } =
      aggregated.value;
    const model = this.#start.map((value, i) => value + (vector[i] as number));
    if (!allFinite(model)) return;
    this.#start = model;
    return rows.map(({ nodeId }, i) => ({
      nodeId,
      share: shares[i] ?? 0,
      votes: votes[i] ?? 0,
      clip: clip[i] ?? 1,
      distance: distances[i] ?? 0,
      cosine: cosines[i] ?? 0,
      inDegree: inDegree[i] ?? 0,
      outlier: rejected.includes(i),
    }));
  }

  #evaluated(
    round: number,
    loss: number | null,
    accuracy: number | null,
    now: Now,
  ): EpidemicAction[] {
    if (this.#phase.name !== "evaluating" || round !== this.#round) return [];
    const { outcome } = this.#phase;
    this.#deps.meter.set("meshd_learning_round", round);
    if (loss !== null) this.#deps.meter.set("meshd_learning_loss", loss);
    if (accuracy !== null) this.#deps.meter.set("meshd_learning_accuracy_ratio", accuracy);
    this.#round = round + 1;
    return [{ type: "round-finished", ...outcome, loss, accuracy }, ...this.#begin(now)];
  }

  #measure(outcome: Outcome, outliers: number): void {
    const { meter } = this.#deps;
    this.#count("meshd_learning_rounds_total", { result: outcome.result });
    meter.observe("meshd_learning_round_duration_seconds", outcome.durationMs / 1000);
    const peers = outcome.contributors.filter(({ nodeId }) => nodeId !== this.#self).length;
    meter.count("meshd_learning_updates_received_total", {}, peers);
    meter.count("meshd_learning_updates_rejected_total", { code: "learning/outlier" }, outliers);
  }

  #count(name: string, labels: Readonly<Record<string, string>> = {}): void {
    this.#deps.meter.count(name, labels);
  }

  #unoffered(): Served {
    const { name } = this.#phase;
    if (name === "finished") return "gone";
    return name === "idle" || name === "training" ? "pending" : "none";
  }
}
