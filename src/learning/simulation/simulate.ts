// A task's whole run in one process and virtual time, from the same manifest that a mesh runs: what it will reach, under
// which attack, when answers come late, never or too often. For tests, benches and `meshctl fl simulate`.

import { MeshError, toHex } from "../../foundation/index.ts";
import type { VectorKernels } from "../aggregators/kernels.ts";
import type { LearningErrorCode } from "../codes.ts";
import type { SplitDataset } from "../data/dataset.ts";
import type { HierarchicalOrchestrator } from "../orchestrators/hierarchical.ts";
import { orchestratorOf } from "../orchestrators/orchestrator-of.ts";
import type { Influence, RoundOrchestrator } from "../orchestrators/round-orchestrator.ts";
import type { Hash } from "../orchestrators/zones.ts";
import type { TaskManifest } from "../task.ts";
import { taskData } from "../trainer/learner.ts";
import { ModelledRounds } from "./modelled-rounds.ts";
import { Population } from "./population.ts";
import {
  type DownWeighted,
  NAMED_MAX,
  type SimulatedRound,
  type SimulationReport,
  type Traffic,
} from "./report.ts";
import { drawIndices, Schedule, type ScheduleKind } from "./schedules.ts";
import { TaskWork } from "./task-work.ts";

/** Below this share of an equal say an update was weighed down. */
const DOWN_WEIGHTED_RATIO = 0.5;

export interface TaskSimulationOptions {
  /** SHA-256. */
  readonly hash: Hash;
  /** @default "prompt" */
  readonly schedule?: ScheduleKind;
  /** How many of the participants do as `attack` and schedule say. @default the task's f */
  readonly liars?: number;
  /** Drawn from the task when left out; needed for a CSV file. */
  readonly data?: SplitDataset;
  /** @default by the number of participants */
  readonly learners?: SimulationReport["learners"];
  /** @default plainKernels */
  readonly kernels?: VectorKernels;
  /** Called after every round. */
  readonly onRound?: (round: SimulatedRound) => void;
}

/**
 * Runs a task to its end.
 * @throws MeshError `learning/feature-unavailable` for a task that cannot be simulated, `learning/bad-task`, `learning/bad-data`
 */
export function simulateTask(task: TaskManifest, options: TaskSimulationOptions): SimulationReport {
  const orchestrator = orchestratorOf(options, task);
  if (orchestrator === undefined) {
    throw new MeshError<LearningErrorCode>(
      "learning/feature-unavailable",
      "Cannot simulate rounds of an epidemic task here: it has none that are certified. Use simulateEpidemic.",
    );
  }
  return new TaskSimulation(task, orchestrator, options).run();
}

class TaskSimulation {
  readonly #task: TaskManifest;
  readonly #orchestrator: RoundOrchestrator;
  readonly #options: TaskSimulationOptions;
  readonly #population: Population;
  readonly #schedule: ScheduleKind;
  readonly #liars: ReadonlySet<string>;
  readonly #work: TaskWork;
  readonly #rounds: ModelledRounds;

  constructor(task: TaskManifest, orchestrator: RoundOrchestrator, options: TaskSimulationOptions) {
    const { seed, byzantine, rounds, participants } = task;
    this.#task = task;
    this.#orchestrator = orchestrator;
    this.#options = options;
    const drawn = drawIndices("liars", seed, participants.length);
    const liars = new Set(drawn.slice(0, options.liars ?? byzantine));
    const isLiar = (participant: number): boolean => liars.has(participant);
    this.#liars = new Set(participants.filter((_, i) => isLiar(i)));
    const data = options.data ?? taskData(task);
    this.#population = new Population({ task, data, isLiar, ...options });
    this.#schedule = options.schedule ?? "prompt";
    const schedule = new Schedule({
      ...{ kind: this.#schedule, seed, byzantine, rounds, isLiar },
      ...{ participants: participants.length, deadlineMs: orchestrator.deadlineMs },
    });
    const population = this.#population;
    this.#work = new TaskWork({ ...options, task, population, orchestrator, isLiar });
    this.#rounds = new ModelledRounds({ task, orchestrator, schedule, work: this.#work });
  }

  run(): SimulationReport {
    const task = this.#task;
    const rounds: SimulatedRound[] = [];
    for (let round = 1; round <= task.rounds; round++) {
      const done = this.#round(round);
      rounds.push(done);
      this.#options.onRound?.(done);
    }
    const { weights } = this.#work;
    const certified = rounds.filter(({ result }) => result === "certified").length;
    const traffic = rounds.map(({ bytesPerNode }) => bytesPerNode);
    return {
      schemaVersion: 1,
      ...{ taskId: task.taskId, seed: task.seed, orchestrator: task.orchestrator },
      ...{ aggregator: task.aggregator, attack: task.attack, schedule: this.#schedule },
      ...{ participants: task.participants.length, byzantine: task.byzantine },
      ...{ liars: this.#liars.size, agreement: "modelled", learners: this.#population.learners },
      ...{ rounds, certified, void: rounds.length - certified },
      ...this.#population.evaluate(weights),
      durationMs: sum(rounds.map(({ durationMs }) => durationMs)),
      bytesPerNode: {
        mean: sum(traffic.map(({ mean }) => mean)),
        max: sum(traffic.map(({ max }) => max)),
      },
      modelDigest: toHex(this.#options.hash(littleEndian(weights))),
    };
  }

  #round(round: number): SimulatedRound {
    const { beacon } = this.#work;
    const { entries, durationMs, here } = this.#rounds.run(round);
    const output = entries === "void" ? undefined : this.#work.conclude(entries);
    if (entries === "void") this.#work.skip();
    const influences = output?.ok === true ? output.value.influences : [];
    const ids = entries === "void" ? [] : entries.map(({ nodeId }) => nodeId);
    return {
      round,
      result: output?.ok === true ? "certified" : "void",
      updates: influences.length,
      liars: influences.filter(({ nodeId }) => this.#liars.has(nodeId)).length,
      durationMs,
      ...this.#population.evaluate(this.#work.weights),
      downWeighted: this.#downWeighted(influences),
      bytesPerNode: this.#traffic(beacon, new Set(ids), here),
    };
  }

  #downWeighted(influences: readonly Influence[]): DownWeighted {
    const down = influences.filter(
      ({ share, outlier }) => outlier || share * influences.length < DOWN_WEIGHTED_RATIO,
    );
    const liars = down.filter(({ nodeId }) => this.#liars.has(nodeId)).length;
    const nodeIds = down.slice(0, NAMED_MAX).map(({ nodeId }) => nodeId);
    return { liars, honest: down.length - liars, nodeIds };
  }

  /** Updates that each participant fetches: all that entered but its own; in zones those of its zone, and the zones' rows. */
  #traffic(beacon: string, entered: ReadonlySet<string>, here: readonly number[]): Traffic {
    const { updateBytes } = this.#work;
    const zones = this.#zones(beacon);
    const rowBytes = 4 * this.#population.model.spec.parameters;
    const groups = zones ?? [this.#task.participants];
    const isHere = new Set(here.map((i) => this.#task.participants[i]));
    const bytes = groups.flatMap((group) => {
      const updates = group.filter((id) => entered.has(id)).length;
      return group
        .filter((id) => isHere.has(id))
        .map(
          (id) =>
            updateBytes * (updates - (entered.has(id) ? 1 : 0)) + rowBytes * (groups.length - 1),
        );
    });
    return {
      mean: Math.round(sum(bytes) / Math.max(1, bytes.length)),
      max: bytes.reduce((most, value) => Math.max(most, value), 0),
    };
  }

  #zones(beacon: string) {
    if (this.#task.orchestrator.kind !== "hierarchical") return undefined;
    return (this.#orchestrator as HierarchicalOrchestrator).zonesOf(beacon);
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((whole, value) => whole + value, 0);
}

function littleEndian(weights: Float32Array): Uint8Array {
  const bytes = new Uint8Array(4 * weights.length);
  const view = new DataView(bytes.buffer);
  weights.forEach((value, i) => view.setFloat32(4 * i, value, true));
  return bytes;
}
