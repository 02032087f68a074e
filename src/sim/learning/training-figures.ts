// What a run's report says of the training in it.

import type { Certificate } from "../../learning/index.ts";
import { percentile } from "../injectors/recovery-monitor.ts";
import type { NodeIndex } from "../node-types.ts";
import type { ComputedSet, LearningListener } from "./learning-types.ts";
import type { LearningWorld } from "./learning-world.ts";
import { weightsOf } from "./learning-task.ts";

/** An update with less than this share of an equal say was weighed down. */
const DOWN_WEIGHTED_RATIO = 0.5;

/** The training of a run in numbers. */
export interface TrainingFigures {
  readonly participants: number;
  /** f as the task assumes it, and how many lied. */
  readonly byzantine: number;
  readonly liars: number;
  readonly aggregator: string;
  /** Rounds that made a new model, that were decided to be void, and whose rule kept the model. */
  readonly certified: number;
  readonly void: number;
  readonly held: number;
  /** From a certificate to the next at the first honest participant; null where there are no two. */
  readonly roundMsP50: number | null;
  readonly roundMsP99: number | null;
  /** Updates that entered, those of liars among them, and how many of either were weighed down. */
  readonly updates: number;
  readonly liarUpdates: number;
  readonly downWeighted: { readonly liars: number; readonly honest: number };
  readonly convicted: number;
  /** Of updates and models, fetched by an honest participant on average. */
  readonly fetchedBytesPerNode: number;
  /** Of the newest certified model on the test samples. */
  readonly accuracy: number;
  readonly loss: number;
  readonly modelDigest: string;
}

/** Counts what honest participants see. */
export class TrainingMonitor implements LearningListener {
  readonly #world: LearningWorld;
  readonly #nowMs: () => number;
  readonly #seen = new Map<number, "set" | "void">();
  readonly #computed = new Map<number, ComputedSet>();
  readonly #roundMs: number[] = [];
  #certifiedAtMs: number | undefined;
  #fetched = 0;

  constructor(world: LearningWorld, nowMs: () => number) {
    this.#world = world;
    this.#nowMs = nowMs;
  }

  roundCertified(_node: NodeIndex, { round, decision }: Certificate): void {
    if (this.#seen.has(round)) return;
    this.#seen.set(round, decision.kind);
    const nowMs = this.#nowMs();
    if (this.#certifiedAtMs !== undefined) this.#roundMs.push(nowMs - this.#certifiedAtMs);
    this.#certifiedAtMs = nowMs;
  }

  roundComputed(_node: NodeIndex, computed: ComputedSet): void {
    if (!this.#computed.has(computed.round)) this.#computed.set(computed.round, computed);
  }

  fetched(_node: NodeIndex, bytes: number): void {
    this.#fetched += bytes;
  }

  figures(convicted: number): TrainingFigures {
    const { task, trainings, honest, lies } = this.#world;
    const { participants, byzantine, aggregator } = task.manifest;
    const rounds = [...this.#seen.values()];
    const sets = [...this.#computed.values()];
    const held = sets.filter(({ influences }) => influences.length === 0).length;
    const voids = rounds.filter((kind) => kind === "void").length;
    return {
      ...{ participants: participants.length, byzantine, liars: lies.liars.size, aggregator },
      ...{ certified: rounds.length - voids - held, void: voids, held },
      roundMsP50: percentile(this.#roundMs, 0.5),
      roundMsP99: percentile(this.#roundMs, 0.99),
      ...this.#weighed(sets),
      convicted,
      fetchedBytesPerNode: Math.round(this.#fetched / Math.max(1, honest.length)),
      ...this.#newest(trainings),
    };
  }

  #weighed(sets: readonly ComputedSet[]) {
    const { liarIds } = this.#world;
    const isLiar = ({ nodeId }: { readonly nodeId: string }): boolean => liarIds.has(nodeId);
    const down = sets.flatMap(({ influences }) =>
      influences.filter(
        ({ share, outlier }) => outlier || share * influences.length < DOWN_WEIGHTED_RATIO,
      ),
    );
    const liars = down.filter(isLiar).length;
    const entered = sets.flatMap(({ updates }) => updates);
    return {
      updates: entered.length,
      liarUpdates: entered.filter(isLiar).length,
      downWeighted: { liars, honest: down.length - liars },
    };
  }

  /** Of the participant that has come farthest. */
  #newest(trainings: LearningWorld["trainings"]) {
    const { task, honest } = this.#world;
    const disks = honest.map((node) => this.#world.diskOf(node));
    const best = disks.reduce<(typeof disks)[number] | undefined>(
      (most, disk) => ((disk.last?.round ?? 0) > (most?.last?.round ?? -1) ? disk : most),
      undefined,
    );
    const model = best?.last?.model ?? task.initialModel;
    const bytes = disks.map(({ contents }) => contents.get(model)?.bytes).find((one) => one);
    const { accuracy, loss } = trainings.evaluate(
      model,
      weightsOf(task, bytes ?? task.initialBytes),
    );
    return { accuracy, loss, modelDigest: model };
  }
}
