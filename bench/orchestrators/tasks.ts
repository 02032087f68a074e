// The tasks of the orchestrators' bench, and how they run: simulated populations of which three tenths lie.

import { hash as digest } from "node:crypto";
import { compileLearningKernels } from "../../src/adapters/wasm/learning/instance.ts";
import { createWasmVectorKernels } from "../../src/adapters/wasm/learning/vector-kernels.ts";
import {
  completeDraft,
  parseDraft,
  type ScheduleKind,
  type SimulationReport,
  simulatedParticipants,
  simulatedTaskLimits,
  simulateTask,
  type TaskManifest,
  type TaskSimulationOptions,
} from "../../src/learning/index.ts";
import type { BenchResult } from "../measure.ts";

export const hash = (bytes: Uint8Array): Uint8Array => digest("sha256", bytes, "buffer");
export const kernels = createWasmVectorKernels(compileLearningKernels());
export const DEADLINE_MS = 10_000;

export type Report = (row: BenchResult) => void;

/** A task of `count` participants, three tenths of them liars unless `over` says otherwise. */
export function benchTask(count: number, over: Record<string, unknown> = {}): TaskManifest {
  const ids = simulatedParticipants(count, 1);
  const draft = parseDraft({
    ...{ seed: 1, rounds: 10, attack: "sign-flip" },
    ...{ byzantine: Math.floor(0.3 * count), model: { kind: "softmax" } },
    data: { kind: "glyphs", trainSamples: Math.max(4000, 10 * count), testSamples: 1000 },
    ...over,
  });
  return completeDraft(draft, {
    ...{ taskId: "bench", trustDomain: "bench", createdBy: ids[0] ?? "", createdAtMs: 0, seed: 1 },
    ...{ participants: ids, limits: simulatedTaskLimits },
  });
}

export function run(
  task: TaskManifest,
  schedule: ScheduleKind,
  options: Partial<TaskSimulationOptions> = {},
): SimulationReport {
  return simulateTask(task, { hash, kernels, schedule, ...options });
}
