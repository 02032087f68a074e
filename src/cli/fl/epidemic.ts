// A simulated epidemic, told round by round as the simulator of certified rounds tells its own. Nobody agrees there: each
// number is the lower median of the honest nodes.

import {
  type RoundReport,
  SeededRandom,
  simulateEpidemic,
  type SplitDataset,
  type TaskManifest,
} from "../../learning/index.ts";
import { MeshError } from "../../foundation/index.ts";

/** Every node holds every other's model: beyond this, simulate certified rounds. */
const NODES_MAX = 64;

interface EpidemicRound {
  readonly round: number;
  readonly result: RoundReport["result"];
  /** Updates that entered a node's aggregate. */
  readonly updates: number;
  readonly durationMs: number;
  readonly loss: number;
  readonly accuracy: number;
}

/** A task's simulated run without agreement. */
export interface EpidemicReport
  extends Pick<
    TaskManifest,
    "taskId" | "seed" | "orchestrator" | "aggregator" | "attack" | "byzantine"
  > {
  readonly schemaVersion: 1;
  readonly participants: number;
  readonly liars: number;
  readonly agreement: "none";
  readonly rounds: readonly EpidemicRound[];
  /** Rounds in which most honest nodes made a new model. */
  readonly certified: number;
  readonly loss: number;
  /** Of the honest nodes after the last round: the median and the lowest. */
  readonly accuracy: number;
  readonly accuracyLeast: number;
  readonly durationMs: number;
}

/** Runs an epidemic task. @throws MeshError `learning/feature-unavailable` above the size that it is meant for */
export function simulateEpidemicTask(
  task: TaskManifest,
  options: {
    readonly liars?: number;
    readonly data?: SplitDataset;
    readonly onRound?: (round: EpidemicRound) => void;
  },
): EpidemicReport {
  const { taskId, seed, orchestrator, aggregator, attack, byzantine, participants } = task;
  if (participants.length > NODES_MAX) {
    throw new MeshError(
      "learning/feature-unavailable",
      `Cannot simulate an epidemic of ${participants.length} nodes: every node pulls from every other, ${NODES_MAX} are the most. Use --orchestrator batch-async.`,
    );
  }
  const liars = options.liars ?? byzantine;
  const drawn = new SeededRandom("liars", seed).shuffle([...participants.keys()]).slice(0, liars);
  const adversaries = participants.filter((_, i) => drawn.includes(i));
  const { data } = options;
  const outcome = simulateEpidemic({ task, adversaries, ...(data === undefined ? {} : { data }) });
  const honest = participants.filter((id) => !adversaries.includes(id));
  const reports = honest.map((id) => outcome.reports.get(id) ?? []);
  const rounds = Array.from({ length: task.rounds }, (_, i) => roundOf(i + 1, reports));
  for (const round of rounds) options.onRound?.(round);
  const last = rounds.at(-1);
  return {
    ...{ schemaVersion: 1, taskId, seed, orchestrator, aggregator, attack, byzantine },
    ...{ participants: participants.length, liars: adversaries.length, agreement: "none", rounds },
    certified: rounds.filter(({ result }) => result !== "held").length,
    loss: last?.loss ?? Number.NaN,
    accuracy: last?.accuracy ?? 0,
    accuracyLeast: outcome.accuracyLeast,
    durationMs: outcome.elapsedMs,
  };
}

function roundOf(round: number, reports: readonly (readonly RoundReport[])[]): EpidemicRound {
  // A node that was behind skips rounds: what it had then is what it reported last.
  const seen = reports.flatMap((list) => list.findLast((report) => report.round <= round) ?? []);
  const held = seen.filter((report) => report.held).length;
  return {
    round,
    result: 2 * held > seen.length ? "held" : "aggregated",
    updates: median(seen.map(({ contributors }) => contributors.length)),
    durationMs: median(seen.map(({ durationMs }) => durationMs)),
    loss: median(seen.flatMap(({ loss }) => loss ?? [])),
    accuracy: median(seen.flatMap(({ accuracy }) => accuracy ?? [])),
  };
}

/** The lower one: a value that some node really had. */
function median(values: readonly (number | null)[]): number {
  const known = values.filter((value) => value !== null);
  return known.toSorted((a, b) => a - b)[Math.floor((known.length - 1) / 2)] ?? Number.NaN;
}
