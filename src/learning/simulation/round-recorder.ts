// From what a round decided to what the report says of it.

import type { Result } from "../../foundation/index.ts";
import type { LearningErrorCode } from "../codes.ts";
import type { Influence, RoundOutput } from "../orchestrators/round-orchestrator.ts";
import type { ParticipantId } from "../task.ts";
import type { Population } from "./population.ts";
import {
  type DownWeighted,
  NAMED_MAX,
  type SimulatedRound,
  type SimulationReport,
  type Traffic,
} from "./report.ts";
import type { TaskWork } from "./task-work.ts";

/** Below this share of an equal say an update was weighed down. */
const DOWN_WEIGHTED_RATIO = 0.5;

export interface RoundRecorderDeps {
  readonly population: Population;
  readonly work: TaskWork;
  readonly liars: ReadonlySet<ParticipantId>;
  readonly onRound: ((round: SimulatedRound) => void) | undefined;
}

/** Keeps the rounds of a run. */
export class RoundRecorder {
  readonly #deps: RoundRecorderDeps;
  readonly #rounds: SimulatedRound[] = [];

  constructor(deps: RoundRecorderDeps) {
    this.#deps = deps;
  }

  /** Takes in a round right after it; without output it was void. */
  record(
    closed: {
      readonly round: number;
      readonly durationMs: number;
      readonly output?: Result<RoundOutput, LearningErrorCode> | undefined;
    },
    bytesPerNode: Traffic,
  ): void {
    const { population, work, liars, onRound } = this.#deps;
    const { round, durationMs, output } = closed;
    const influences = output?.ok === true ? output.value.influences : [];
    const recorded: SimulatedRound = {
      ...{ round, durationMs, bytesPerNode },
      result: output?.ok === true ? "certified" : "void",
      updates: influences.length,
      liars: influences.filter(({ nodeId }) => liars.has(nodeId)).length,
      ...population.evaluate(work.weights),
      downWeighted: this.#downWeighted(influences),
    };
    this.#rounds.push(recorded);
    onRound?.(recorded);
  }

  get summary(): Pick<
    SimulationReport,
    "rounds" | "certified" | "void" | "durationMs" | "bytesPerNode"
  > {
    const rounds = this.#rounds;
    const certified = rounds.filter(({ result }) => result === "certified").length;
    const sum = (of: (round: SimulatedRound) => number): number =>
      rounds.reduce((whole, round) => whole + of(round), 0);
    return {
      ...{ rounds, certified, void: rounds.length - certified },
      durationMs: sum(({ durationMs }) => durationMs),
      bytesPerNode: {
        mean: sum(({ bytesPerNode }) => bytesPerNode.mean),
        max: sum(({ bytesPerNode }) => bytesPerNode.max),
      },
    };
  }

  #downWeighted(influences: readonly Influence[]): DownWeighted {
    const down = influences.filter(
      ({ share, outlier }) => outlier || share * influences.length < DOWN_WEIGHTED_RATIO,
    );
    const liars = down.filter(({ nodeId }) => this.#deps.liars.has(nodeId)).length;
    const nodeIds = down.slice(0, NAMED_MAX).map(({ nodeId }) => nodeId);
    return { liars, honest: down.length - liars, nodeIds };
  }
}
