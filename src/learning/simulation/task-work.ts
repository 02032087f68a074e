// What a task computes, apart from who agrees on it: updates of participants as they travel, and the step of an agreed set.

import { assert, refuse, type Result, toHex, utf8Bytes } from "../../foundation/index.ts";
import { plainKernels, type VectorKernels } from "../aggregators/kernels.ts";
import type { LearningErrorCode } from "../codes.ts";
import {
  compress,
  compressedBytes,
  type CompressionContext,
  decompress,
} from "../compression/compression.ts";
import { ConvergenceDetector } from "../convergence/convergence.ts";
import { ErrorFeedback } from "../compression/error-feedback.ts";
import { FIRST_STEP, nextStep } from "../compression/step.ts";
import type {
  RoundEntry,
  RoundInput,
  RoundOrchestrator,
  RoundOutput,
} from "../orchestrators/round-orchestrator.ts";
import type { Hash } from "../orchestrators/zones.ts";
import { AdaptiveLearningRate } from "../schedules/schedule.ts";
import { SeededRandom } from "../seeded.ts";
import type { TaskManifest } from "../task.ts";
import { allFinite } from "../tensors/model-spec.ts";
import { Collusion, type ColludingAttack } from "./collusion.ts";
import type { Population } from "./population.ts";

/** What a certified round leaves for the next. */
interface RoundState {
  readonly weights: Float32Array;
  readonly stepSize: number;
}

/** A participant's training as it is sent. */
interface TrainedRow {
  readonly row: Float32Array;
  readonly loss: number;
}

export interface TaskWorkDeps {
  readonly task: TaskManifest;
  readonly population: Population;
  readonly orchestrator: RoundOrchestrator;
  readonly hash: Hash;
  /** By index. */
  readonly isLiar: (participant: number) => boolean;
  /** What the liars do together, instead of the task's attack. */
  readonly colluding?: ColludingAttack;
  /** @default plainKernels */
  readonly kernels?: VectorKernels;
}

/** A task's arithmetic: what every node would compute, computed once. */
export class TaskWork {
  readonly #deps: TaskWorkDeps;
  /** States after each round, 0 the initial one, as far back as an update may reach. */
  readonly #states = new Map<number, RoundState>();
  readonly #feedback = new Map<number, ErrorFeedback>();
  /** What participants say of their training; liars say that it could not be better. */
  readonly #losses = new WeakMap<RoundEntry, number>();
  readonly #rate: AdaptiveLearningRate;
  readonly #detector: ConvergenceDetector;
  #hasConverged = false;
  readonly #collusion: Collusion | undefined;
  readonly #known = new Map<number, readonly TrainedRow[]>();
  #round = 0;
  #beacon: string;

  constructor(deps: TaskWorkDeps) {
    this.#deps = deps;
    this.#beacon = toHex(deps.hash(utf8Bytes(`genesis/${deps.task.taskId}/${deps.task.seed}`)));
    const { colluding: name, isLiar, task } = deps;
    const aggregate = (rows: readonly Float32Array[]) => this.#foresee(rows);
    this.#collusion =
      name === undefined ? undefined : new Collusion({ name, seed: task.seed, isLiar, aggregate });
    this.#rate = new AdaptiveLearningRate(deps.task.schedule, 1);
    this.#detector = new ConvergenceDetector(deps.task.convergence);
    this.#states.set(0, { weights: deps.population.initialWeights(), stepSize: FIRST_STEP });
  }

  /** Of the newest round. */
  get weights(): Float32Array {
    return this.#stateOf(this.#round).weights;
  }

  /** The newest round. */
  get round(): number {
    return this.#round;
  }

  /** SHA-256 of the newest weights, float32 little-endian. */
  get modelDigest(): string {
    const { weights } = this;
    const bytes = new Uint8Array(4 * weights.length);
    const view = new DataView(bytes.buffer);
    weights.forEach((value, i) => view.setFloat32(4 * i, value, true));
    return toHex(this.#deps.hash(bytes));
  }

  /** Whether the task is done with the newest round. */
  get hasConverged(): boolean {
    return this.#hasConverged;
  }

  get beacon(): string {
    return this.#beacon;
  }

  /** Bytes of one update. */
  get updateBytes(): number {
    const { task, population } = this.#deps;
    return compressedBytes(task.compression, population.model.spec.parameters);
  }

  /** True while the model of that round is recent enough to be trained from. */
  reaches(baseRound: number): boolean {
    return this.#states.has(baseRound);
  }

  /**
   * The entries of participants for a round, ascending: trained from their bases, attacked by liars, as they travel. `copies`
   * makes that many of one training, each of another length: sending more is no computing more.
   */
  entriesOf(
    trainings: readonly {
      readonly participant: number;
      readonly baseRound: number;
      readonly copies?: number;
    }[],
    round: number,
  ): RoundEntry[] {
    const { population, isLiar, task } = this.#deps;
    return trainings
      .toSorted((a, b) => a.participant - b.participant)
      .flatMap(({ participant, baseRound, copies = 1 }) => {
        const { row, loss } = this.#trained(participant, baseRound, round);
        const liar = isLiar(participant);
        const nodeId = task.participants[participant] ?? "";
        const random = new SeededRandom("copies", task.seed, round, participant);
        return Array.from({ length: copies }, () => {
          const factor = copies === 1 ? 1 : random.between(0.5, 1.5);
          const lies = liar && this.#collusion === undefined;
          const sent = lies ? population.attack(participant, round, row) : row;
          const lengthened = factor === 1 ? sent : sent.map((value) => factor * value);
          const travelled = this.#travel(participant, baseRound, lengthened, liar);
          const entry = { nodeId, baseRound, row: travelled };
          this.#losses.set(entry, liar ? 0 : loss);
          return entry;
        });
      });
  }

  /** One training; where liars collude all train at once, for the liars must know the others' rows. */
  #trained(participant: number, baseRound: number, round: number): TrainedRow {
    const { population, task } = this.#deps;
    const { weights } = this.#stateOf(baseRound);
    const collusion = this.#collusion;
    const train = (i: number): TrainedRow => population.train(i, round, weights, this.#rate.rate());
    if (collusion === undefined) return train(participant);
    const known = this.#known.get(baseRound)?.[participant];
    if (known !== undefined) return known;
    const all = task.participants.map((_, i) => train(i));
    const sent = collusion.replace(
      all.map(({ row }) => row),
      round,
    );
    const trained = all.map(({ loss }, i) => ({ row: sent[i] as Float32Array, loss }));
    this.#known.set(baseRound, trained);
    return trained[participant] as TrainedRow;
  }

  /** What the orchestrator would make of rows of all participants in the next round. */
  #foresee(rows: readonly Float32Array[]): Float32Array | undefined {
    const { task, orchestrator, kernels = plainKernels } = this.#deps;
    const entries = task.participants.map((nodeId, i) => ({
      ...{ nodeId, baseRound: this.#round, row: rows[i] as Float32Array },
    }));
    const input = { ...this.#place, entries };
    const output = orchestrator.combine(input, task.aggregator, { kernels });
    return output.ok ? output.value.vector : undefined;
  }

  /** What all know of the next round. */
  get #place(): Pick<RoundInput, "round" | "beacon" | "stepSize"> {
    const { stepSize } = this.#stateOf(this.#round);
    return { round: this.#round + 1, beacon: this.#beacon, stepSize };
  }

  /** Applies an agreed set; a refusal keeps the model. */
  conclude(entries: readonly RoundEntry[]): Result<RoundOutput, LearningErrorCode> {
    const { task, orchestrator, kernels = plainKernels } = this.#deps;
    const before = this.#stateOf(this.#round);
    const input = { ...this.#place, entries };
    const output = orchestrator.combine(input, task.aggregator, { kernels });
    if (!output.ok) {
      this.#advance("void", before);
      return output;
    }
    const { vector } = output.value;
    const weights = before.weights.map((value, i) => value + (vector[i] as number));
    if (!allFinite(weights)) {
      this.#advance("void", before);
      return refuse("learning/not-finite", "the model");
    }
    // One row an identity: a flooder's many would choose the next step's size.
    const rows = [...new Map(entries.map(({ nodeId, row }) => [nodeId, row])).values()];
    const said = entries.map(({ nodeId }) => nodeId).join();
    this.#advance(said, { weights, stepSize: nextStep(rows, before.stepSize) });
    this.#observe(entries, vector);
    return output;
  }

  #observe(entries: readonly RoundEntry[], vector: Float32Array): void {
    const { task, population } = this.#deps;
    const losses = entries.map((entry) => this.#losses.get(entry) ?? 0);
    const isMeasured = task.convergence?.kind === "accuracy";
    const accuracies = isMeasured ? [population.evaluate(this.weights).accuracy] : [];
    const squares = vector.reduce((sum, value) => sum + value * value, 0);
    const updateNorm = Math.sqrt(squares) / this.#rate.rate();
    this.#rate.observe({ losses });
    this.#hasConverged = this.#detector.observe({ losses, accuracies, updateNorm });
  }

  /** Closes a round that brings nothing. */
  skip(): void {
    this.#advance("void", this.#stateOf(this.#round));
  }

  #advance(decision: string, state: RoundState): void {
    this.#round++;
    this.#states.set(this.#round, state);
    const oldest = this.#round - 1 - this.#deps.orchestrator.stalenessMax;
    this.#states.delete(oldest);
    this.#known.delete(oldest);
    const said = `${this.#beacon}/${this.#round}/${decision}`;
    this.#beacon = toHex(this.#deps.hash(utf8Bytes(said)));
  }

  /** An update as the others get it. Liars keep no account of what compression left out. */
  #travel(participant: number, baseRound: number, row: Float32Array, liar: boolean): Float32Array {
    const { task } = this.#deps;
    const { compression } = task;
    const { stepSize } = this.#stateOf(baseRound);
    const { kernels = plainKernels } = this.#deps;
    const context: CompressionContext = {
      ...{ length: row.length, stepSize, seed: this.#beacon, kernels },
    };
    const author = { ...context, author: String(participant) };
    const bytes =
      liar || compression.kind === "none"
        ? compress(row, compression, author)
        : this.#feedbackOf(participant, row.length).compress(row, compression, author);
    const opened = decompress(bytes, compression, context);
    assert(opened.ok, "what was compressed can be read");
    return opened.value;
  }

  #feedbackOf(participant: number, length: number): ErrorFeedback {
    const known = this.#feedback.get(participant) ?? new ErrorFeedback(length);
    this.#feedback.set(participant, known);
    return known;
  }

  #stateOf(round: number): RoundState {
    const state = this.#states.get(round);
    assert(state !== undefined, "the model of that round is kept");
    return state;
  }
}
