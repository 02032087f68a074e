// A task's whole run in one process and virtual time, from the same manifest that a mesh runs: what it will reach, under
// which attack, when answers come late, never or too often. For tests, benches and `meshctl fl simulate`.

import { MeshError } from "../../foundation/index.ts";
import type { VectorKernels } from "../aggregators/kernels.ts";
import type { LearningErrorCode } from "../codes.ts";
import type { SplitDataset } from "../data/dataset.ts";
import { HierarchicalOrchestrator } from "../orchestrators/hierarchical.ts";
import { orchestratorOf } from "../orchestrators/orchestrator-of.ts";
import type { RoundOrchestrator } from "../orchestrators/round-orchestrator.ts";
import type { Hash } from "../orchestrators/zones.ts";
import type { TaskManifest } from "../task.ts";
import { taskData } from "../trainer/learner.ts";
import type { ColludingAttack } from "./collusion.ts";
import { MachineRounds } from "./machine-rounds.ts";
import { ModelledRounds } from "./modelled-rounds.ts";
import { Population } from "./population.ts";
import type { SimulatedRound, SimulationReport, Traffic } from "./report.ts";
import { RoundRecorder } from "./round-recorder.ts";
import { drawIndices, Schedule, type ScheduleKind } from "./schedules.ts";
import { TaskWork } from "./task-work.ts";
import { trafficOf, updateTraffic } from "./traffic.ts";

/** Up to so many participants the protocol's machine runs for each. */
const MACHINES_MAX = 50;

export interface TaskSimulationOptions {
  /** SHA-256. */
  readonly hash: Hash;
  /** @default "prompt" */
  readonly schedule?: ScheduleKind;
  /** How many of the participants do as `attack` and schedule say. @default the task's f */
  readonly liars?: number;
  /** What the liars do together, in the place of the task's `attack`: they know all rows and the rule. */
  readonly colluding?: ColludingAttack;
  /** Drawn from the task when left out; needed for a CSV file. */
  readonly data?: SplitDataset;
  /** @default `trained` up to 64 participants */
  readonly learners?: SimulationReport["learners"];
  /** @default `machines` up to 50 participants */
  readonly agreement?: SimulationReport["agreement"];
  /** For what no task can ask for, as zones that an attacker has packed. @default the one that the task names */
  readonly orchestrator?: RoundOrchestrator;
  /** @default plainKernels */
  readonly kernels?: VectorKernels;
  /** Called after every round. */
  readonly onRound?: (round: SimulatedRound) => void;
}

/**
 * Runs a task to its end, or until its rounds come to a halt.
 * @throws MeshError `learning/feature-unavailable` for a task that cannot be simulated, `learning/bad-task`, `learning/bad-data`
 */
export function simulateTask(task: TaskManifest, options: TaskSimulationOptions): SimulationReport {
  const orchestrator = options.orchestrator ?? orchestratorOf(options, task);
  if (orchestrator === undefined) {
    throw new MeshError<LearningErrorCode>(
      "learning/feature-unavailable",
      "Cannot simulate certified rounds of an epidemic task: it has none. Choose another orchestrator.",
    );
  }
  const { seed, participants, byzantine, rounds } = task;
  const liars = simulatedLiars(task, options.liars);
  const isLiar = (participant: number): boolean => liars.has(participant);
  const population = new Population({
    ...options,
    task,
    isLiar,
    data: options.data ?? taskData(task),
  });
  const work = new TaskWork({ ...options, task, population, orchestrator, isLiar });
  const schedule = new Schedule({
    ...{ kind: options.schedule ?? "prompt", seed, byzantine, rounds, isLiar },
    ...{ participants: participants.length, deadlineMs: orchestrator.deadlineMs },
  });
  const recorder = new RoundRecorder({
    ...{ population, work, onRound: options.onRound },
    liars: new Set(participants.filter((_, i) => isLiar(i))),
  });
  const parts = { task, orchestrator, schedule, work, recorder, hash: options.hash, isLiar };
  const agreement =
    options.agreement ?? (participants.length <= MACHINES_MAX ? "machines" : "modelled");
  const ran = agreement === "machines" ? runMachines(parts) : runModelled(parts);
  return {
    schemaVersion: 1,
    ...{ taskId: task.taskId, seed, orchestrator: task.orchestrator },
    ...{
      aggregator: task.aggregator,
      attack: options.colluding ?? task.attack,
      schedule: options.schedule ?? "prompt",
    },
    ...{ participants: participants.length, byzantine, liars: liars.size },
    ...{ agreement, learners: population.learners, hasConverged: work.hasConverged },
    ...recorder.summary,
    ...population.evaluate(work.weights),
    ...ran,
    modelDigest: work.modelDigest,
  };
}

/** Which participants of a simulated task lie, by index: as many as it assumes unless told. */
export function simulatedLiars(
  { seed, participants, byzantine }: TaskManifest,
  count: number = byzantine,
): ReadonlySet<number> {
  return new Set(drawIndices("liars", seed, participants.length).slice(0, count));
}

interface Parts {
  readonly task: TaskManifest;
  readonly orchestrator: RoundOrchestrator;
  readonly schedule: Schedule;
  readonly work: TaskWork;
  readonly recorder: RoundRecorder;
  readonly hash: Hash;
  readonly isLiar: (participant: number) => boolean;
}

type Ran = Pick<SimulationReport, "agreementBytesPerNode" | "convicted">;

function runModelled(parts: Parts): Ran {
  const { task, orchestrator, work, recorder } = parts;
  const rounds = new ModelledRounds(parts);
  for (let round = 1; round <= task.rounds && !work.hasConverged; round++) {
    const zones =
      orchestrator instanceof HierarchicalOrchestrator
        ? orchestrator.zonesOf(work.beacon)
        : [task.participants];
    const { entries, sent, durationMs, here } = rounds.run(round);
    const output = entries === "void" ? undefined : work.conclude(entries);
    if (entries === "void") work.skip();
    const traffic = updateTraffic({
      ...{ zones, updateBytes: work.updateBytes },
      entered: sent,
      here: new Set(here.map((i) => task.participants[i] ?? "")),
    });
    recorder.record({ round, durationMs, output }, traffic);
  }
  return { agreementBytesPerNode: null, convicted: 0 };
}

function runMachines(parts: Parts): Ran {
  const { recorder, isLiar } = parts;
  let before = new Float64Array(parts.task.participants.length);
  const honest = (bytes: Float64Array): Traffic => trafficOf(bytes.filter((_, i) => !isLiar(i)));
  const machines = new MachineRounds({
    ...parts,
    onCertified: (round) => {
      recorder.record(round, honest(machines.fetched.map((bytes, i) => bytes - (before[i] ?? 0))));
      before = machines.fetched.slice();
    },
  });
  machines.run();
  return {
    agreementBytesPerNode: honest(machines.gossiped),
    convicted: machines.convicted.size,
  };
}
