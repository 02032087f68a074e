// Tasks and rounds as operators see them: what a status shows, and what `explain` says of everybody's part in a round.
// Reports come from memory or from disk, where an older daemon may have left out what it did not know.

import type { FlExplained, LearningStatus, Verdict } from "../../control/index.ts";
import {
  type Anomaly,
  type Contribution,
  type RoundReport,
  type Standing,
  SUSPECT_SCORE,
  type TaskManifest,
} from "../../learning/index.ts";

/** Below half a vote a participant counts as down-weighted: it is shown, nothing follows from it. */
const VOTES_LEAST = 0.5;

/** What a status shows beside the task. */
interface Shown extends ViewedTask {
  readonly anomaly: Anomaly | undefined;
}

type NameOf = (nodeId: string) => string;

export interface ViewedTask {
  readonly task: TaskManifest;
  readonly state: LearningStatus["state"];
  readonly history: readonly RoundReport[];
}

export function statusOf({ task, state, history, anomaly }: Shown, nameOf: NameOf): LearningStatus {
  const last = history.at(-1);
  return {
    taskId: task.taskId,
    name: task.name,
    state,
    round: last?.round ?? 0,
    rounds: task.rounds,
    loss: last?.loss ?? null,
    accuracy: last?.accuracy ?? null,
    aggregator: task.aggregator,
    byzantine: task.byzantine,
    attack: task.attack,
    orchestrator: task.orchestrator.kind,
    anomaly: anomaly ?? null,
    participants: task.participants.map((nodeId) => ({ nodeId, name: nameOf(nodeId) })),
    history: history.map((report) => ({
      round: report.round,
      loss: report.loss,
      accuracy: report.accuracy,
      held: report.held,
      rejected: report.rejected.map(nameOf),
      contributors: report.contributors.length,
      silent: report.silent.map(nameOf),
      durationMs: report.durationMs,
      ...(report.certificate === undefined ? {} : { certificate: report.certificate }),
      ...(report.model === undefined ? {} : { model: report.model }),
    })),
  };
}

/** Everybody's part in a round, in the order of the manifest. `self` is the node that tells it; standings are those after the round. */
export function explainRound(
  task: TaskManifest,
  report: RoundReport,
  standings: ReadonlyMap<string, Standing>,
  self: string,
  nameOf: NameOf,
): FlExplained {
  const { taskId, byzantine } = task;
  const { round, result, aggregator, loss, accuracy, durationMs } = report;
  return {
    taskId,
    round,
    result,
    aggregator,
    byzantine,
    loss,
    accuracy,
    durationMs,
    participants: task.participants.map((nodeId) => ({
      nodeId,
      name: nameOf(nodeId),
      self: nodeId === self,
      ...partOf(nodeId, report),
      ...opinionOn(standings.get(nodeId)),
    })),
  };
}

type Opinion = Pick<
  FlExplained["participants"][number],
  "suspicion" | "suspect" | "evictedInRound"
>;
type Part = Omit<FlExplained["participants"][number], "nodeId" | "name" | "self" | keyof Opinion>;

function opinionOn(standing: Standing | undefined): Opinion {
  const suspicion = standing?.score ?? null;
  const evictedInRound = standing?.evicted?.round ?? null;
  return { suspicion, suspect: (suspicion ?? 0) >= SUSPECT_SCORE, evictedInRound };
}

function partOf(nodeId: string, report: RoundReport): Part {
  const found = report.contributors.find((candidate) => candidate.nodeId === nodeId);
  const nothing = { votes: null, clip: null, inDegree: null, distance: null, cosine: null };
  const refusal = report.refusals.find((candidate) => candidate.nodeId === nodeId);
  if (refusal !== undefined) return { verdict: "refused", code: refusal.code, ...nothing };
  if (found === undefined) {
    const silent = report.silent.includes(nodeId);
    return { verdict: silent ? "silent" : "unused", code: null, ...nothing };
  }
  // What an older daemon kept has a share and an in-degree only.
  const kept: Partial<Contribution> = found;
  const { share, clip, outlier, inDegree, distance, cosine } = kept;
  const votes = kept.votes ?? (share ?? 0) * report.contributors.length;
  return {
    verdict: verdictOf(votes, clip ?? 1, outlier === true),
    code: null,
    votes,
    clip: clip ?? null,
    inDegree: inDegree ?? null,
    distance: distance ?? null,
    cosine: cosine ?? null,
  };
}

function verdictOf(votes: number, clip: number, outlier: boolean): Verdict {
  if (outlier) return "outlier";
  if (votes === 0) return "no-weight";
  if (clip < 1) return "clipped";
  return votes < VOTES_LEAST ? "down-weighted" : "counted";
}
