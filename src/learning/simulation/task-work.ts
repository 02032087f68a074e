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
import { ErrorFeedback } from "../compression/error-feedback.ts";
import { FIRST_STEP, nextStep } from "../compression/step.ts";
import type {
  RoundEntry,
  RoundOrchestrator,
  RoundOutput,
} from "../orchestrators/round-orchestrator.ts";
import type { Hash } from "../orchestrators/zones.ts";
import type { TaskManifest } from "../task.ts";
import { allFinite } from "../tensors/model-spec.ts";
import type { Population } from "./population.ts";

/** What a certified round leaves for the next. */
interface RoundState {
  readonly weights: Float32Array;
  readonly stepSize: number;
}

export interface TaskWorkDeps {
  readonly task: TaskManifest;
  readonly population: Population;
  readonly orchestrator: RoundOrchestrator;
  readonly hash: Hash;
  /** By index. */
  readonly isLiar: (participant: number) => boolean;
  /** @default plainKernels */
  readonly kernels?: VectorKernels;
}

/** A task's arithmetic: what every node would compute, computed once. */
export class TaskWork {
  readonly #deps: TaskWorkDeps;
  /** States after each round, 0 the initial one, as far back as an update may reach. */
  readonly #states = new Map<number, RoundState>();
  readonly #feedback = new Map<number, ErrorFeedback>();
  #memory: readonly RoundEntry[] = [];
  #round = 0;
  #beacon: string;

  constructor(deps: TaskWorkDeps) {
    this.#deps = deps;
    this.#beacon = toHex(deps.hash(utf8Bytes(`genesis/${deps.task.taskId}/${deps.task.seed}`)));
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

  /** The entries of participants for a round, ascending: trained from their bases, attacked by liars, as they travel. */
  entriesOf(
    trained: readonly { readonly participant: number; readonly baseRound: number }[],
    round: number,
  ): RoundEntry[] {
    const { population, isLiar, task } = this.#deps;
    return trained
      .toSorted((a, b) => a.participant - b.participant)
      .map(({ participant, baseRound }) => {
        const honest = population.train(participant, round, this.#stateOf(baseRound).weights);
        const liar = isLiar(participant);
        const sent = liar ? population.attack(participant, round, honest) : honest;
        const nodeId = task.participants[participant] ?? "";
        return { nodeId, baseRound, row: this.#travel(participant, baseRound, sent, liar) };
      });
  }

  /** Applies an agreed set; a refusal keeps the model. */
  conclude(entries: readonly RoundEntry[]): Result<RoundOutput, LearningErrorCode> {
    const { task, orchestrator, kernels = plainKernels } = this.#deps;
    const before = this.#stateOf(this.#round);
    const input = { round: this.#round + 1, beacon: this.#beacon, memory: this.#memory, entries };
    const output = orchestrator.combine(input, task.aggregator, { kernels });
    if (!output.ok) {
      this.#advance("void", before);
      return output;
    }
    const { vector, memory } = output.value;
    const weights = before.weights.map((value, i) => value + (vector[i] as number));
    if (!allFinite(weights)) {
      this.#advance("void", before);
      return refuse("learning/not-finite", "the model");
    }
    this.#memory = memory;
    const rows = entries.map(({ row }) => row);
    const said = entries.map(({ nodeId }) => nodeId).join();
    this.#advance(said, { weights, stepSize: nextStep(rows, before.stepSize) });
    return output;
  }

  /** Closes a round that brings nothing. */
  skip(): void {
    this.#advance("void", this.#stateOf(this.#round));
  }

  #advance(decision: string, state: RoundState): void {
    this.#round++;
    this.#states.set(this.#round, state);
    this.#states.delete(this.#round - 1 - this.#deps.orchestrator.stalenessMax);
    const said = `${this.#beacon}/${this.#round}/${decision}`;
    this.#beacon = toHex(this.#deps.hash(utf8Bytes(said)));
  }

  /** An update as the others get it. Liars keep no account of what compression left out. */
  #travel(participant: number, baseRound: number, row: Float32Array, liar: boolean): Float32Array {
    const { task } = this.#deps;
    const { compression } = task;
    const { stepSize } = this.#stateOf(baseRound);
    const context: CompressionContext = { length: row.length, stepSize, seed: this.#beacon };
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
