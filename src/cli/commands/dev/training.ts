// One learning task over the local mesh, watched from the outside as any client could.

import type { FlRunRequest, FlStartRequest, LearningStatus } from "../../../control/index.ts";
import { MeshError } from "../../../foundation/index.ts";
import { type LocalMesh, type LocalNode, waitFor } from "./local-mesh.ts";

/** How the nodes come to one model: by agreement on certified rounds, or each by itself. */
export const devOrchestrators = ["batch-async", "epidemic"] as const;

/** What a run of the demonstration trains. */
export interface DevTask {
  readonly name: string;
  readonly orchestrator: (typeof devOrchestrators)[number];
  readonly model: FlStartRequest["model"];
  readonly aggregator: FlStartRequest["aggregator"];
  readonly attack: NonNullable<FlStartRequest["attack"]>;
  readonly byzantine: number;
  readonly rounds: number;
  readonly seed: number;
  /** Skew of the data between nodes; small is skewed. */
  readonly alpha: number;
  readonly data: "glyphs" | "csv";
}

/** One round as the honest nodes saw it. */
export interface RoundReport {
  readonly round: number;
  /** Median of the honest nodes. */
  readonly loss: number;
  readonly accuracy: number;
  /** Names that at least half of the reporting honest nodes gave no weight. */
  readonly rejected: readonly string[];
}

export interface TrainingReport {
  readonly rounds: readonly RoundReport[];
  readonly accuracy: number;
}

/**
 * Starts a task on the first honest living node and waits for its end on all living honest ones.
 * A node that is killed meanwhile is left out; the others go on.
 * @throws MeshError `dev/timeout`, `dev/no-progress` when no node ever took a new model, and what `fl run` answers
 */
export async function train(
  mesh: LocalMesh,
  task: DevTask,
  signal: AbortSignal,
  progress: (round: RoundReport) => void,
): Promise<TrainingReport> {
  const starter = honest(mesh)[0];
  if (starter === undefined)
    throw new MeshError("dev/node-failed", "No honest node is left. Read the logs.");
  const { taskId } = await starter.client.flRun({ task: draftOf(task, mesh.living().length) });
  const rounds: RoundReport[] = [];
  const timeoutMs = 60_000 + task.rounds * 15_000;
  let reports: readonly LearningStatus[] = [];
  await waitFor(`the task ${taskId}`, timeoutMs, signal, async () => {
    reports = await statuses(mesh, taskId);
    for (let next = rounds.length + 1; next <= task.rounds; next++) {
      const round = summarize(next, reports);
      if (round === undefined) break;
      rounds.push(round);
      progress(round);
    }
    return (
      reports.length > 0 &&
      reports.length === honest(mesh).length &&
      reports.every((report) => report.state !== "running" && isMeasured(report))
    );
  });
  const last = rounds.at(-1);
  if (last === undefined)
    throw new MeshError(
      "dev/timeout",
      "The task ended without a round. Read the logs of the nodes.",
    );
  if (reports.every(({ history }) => history.every(({ held }) => held)))
    throw new MeshError(
      "dev/no-progress",
      "Every round was held: no node had enough updates to make a new model. Read the logs of the nodes.",
    );
  return { rounds, accuracy: last.accuracy };
}

/** The task as an operator would write it. A node that dies is waited for by nobody. */
function draftOf(task: DevTask, nodes: number): FlRunRequest["task"] {
  const { orchestrator, model, data, alpha, ...rest } = task;
  return {
    ...rest,
    model: { kind: model },
    data: { kind: data, dirichletAlpha: alpha },
    // The common step of int8 needs some rounds to find its size, and a demonstration has few.
    compression: { kind: "none" },
    orchestrator:
      orchestrator === "epidemic"
        ? { kind: orchestrator }
        : { kind: orchestrator, target: nodes - task.byzantine },
  };
}

/** The last model of certified rounds is measured after the end. */
function isMeasured({ history }: LearningStatus): boolean {
  return history.at(-1)?.accuracy !== null;
}

function honest(mesh: LocalMesh): LocalNode[] {
  return mesh.living().filter((node) => node.role === "honest");
}

/** What the living honest nodes say of the task; a node that does not have it yet is left out. */
async function statuses(mesh: LocalMesh, taskId: string): Promise<LearningStatus[]> {
  await Promise.all(mesh.nodes.map((node) => node.refresh()));
  return honest(mesh)
    .map((node) => node.status?.learning)
    .filter((learning): learning is LearningStatus => learning?.taskId === taskId);
}

/** A round counts once every reporting node that still runs has finished it. */
function summarize(round: number, reports: readonly LearningStatus[]): RoundReport | undefined {
  const entries = reports.map((report) => report.history.find((entry) => entry.round === round));
  const known = entries.filter((entry) => entry !== undefined);
  const waiting = reports.some(
    (report, index) => entries[index] === undefined && report.state === "running",
  );
  const isUnmeasured = known.every(({ accuracy }) => accuracy === null);
  if (known.length === 0 || waiting || isUnmeasured) return undefined;
  const names = new Set(known.flatMap((entry) => entry.rejected));
  return {
    round,
    loss: median(known.flatMap((entry) => entry.loss ?? [])),
    accuracy: median(known.flatMap((entry) => entry.accuracy ?? [])),
    rejected: [...names]
      .filter(
        (name) => known.filter((entry) => entry.rejected.includes(name)).length * 2 >= known.length,
      )
      .sort(),
  };
}

/** The lower median: a value that some node really reported. */
function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? Number.NaN;
}
