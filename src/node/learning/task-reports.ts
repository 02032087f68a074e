// What operators are told of the task that runs here or ran last, in this process or in one before: how far it is, what a round
// made of everybody, and its model.

import type { StateStore } from "../../adapters/sqlite/state-store.ts";
import type { FlExplained, LearningStatus } from "../../control/index.ts";
import { MeshError } from "../../foundation/index.ts";
import type { NodeId, PeerIdentity } from "../../identity/index.ts";
import type { Anomaly } from "../../learning/index.ts";
import type { NodeIdentities } from "../identity-directory.ts";
import { explainRound, statusOf, type ViewedTask } from "./learning-view.ts";
import { standingsAfter } from "./standings.ts";
import { storedView } from "./stored-task.ts";
import type { TaskQueue } from "./task-queue.ts";

export interface TaskReportsDeps {
  readonly store: StateStore;
  readonly identities: Pick<NodeIdentities, "lookup">;
  readonly self: PeerIdentity;
  readonly tasks: Pick<TaskQueue, "last">;
  /** How unlike the mesh this node behaves now. */
  readonly anomaly: () => Anomaly | undefined;
}

export class TaskReports {
  readonly #deps: TaskReportsDeps;

  constructor(deps: TaskReportsDeps) {
    this.#deps = deps;
  }

  /** The running task or the last one. */
  get last(): ViewedTask | undefined {
    const { tasks, store } = this.#deps;
    return tasks.last?.viewed ?? storedView(store);
  }

  /** `null` before the first task. */
  status(): LearningStatus | null {
    const { last } = this;
    if (last === undefined) return null;
    return statusOf({ ...last, anomaly: this.#deps.anomaly() }, this.nameOf);
  }

  /** What a round made of every participant. @throws MeshError `control/no-task`, `control/no-round` */
  explain(round?: number): FlExplained {
    const { task, history } = this.last ?? noTask();
    const newest = history.at(-1);
    const report = round === undefined ? newest : history.find((entry) => entry.round === round);
    if (report === undefined) {
      const known = newest === undefined ? "none yet" : `${history.length}, to ${newest.round}`;
      throw new MeshError(
        "control/no-round",
        `This node has no report of round ${round ?? 1} of task '${task.taskId}' (it has ${known}). See meshctl fl rounds.`,
      );
    }
    const { store, self } = this.#deps;
    const until = history.filter((entry) => entry.round <= report.round);
    const standings = standingsAfter(task, until, store.rounds.proofs(task.taskId));
    return explainRound(task, report, standings, self.nodeId, this.nameOf);
  }

  /** The model after the last round, as safetensors. @throws MeshError `control/no-task`, `control/no-round` */
  model(): Uint8Array {
    const { tasks, store } = this.#deps;
    const { model } = tasks.last ?? storedView(store) ?? noTask();
    if (model !== undefined) return model;
    throw new MeshError(
      "control/no-round",
      "The task has no model yet: no round is finished. Try again after the first.",
    );
  }

  /** The name of a node; of an unknown one the beginning of its id. */
  readonly nameOf = (nodeId: string): string => {
    const { self, identities } = this.#deps;
    if (nodeId === self.nodeId) return self.name;
    return identities.lookup(nodeId as NodeId)?.name ?? nodeId.slice(0, 12);
  };
}

/** @throws MeshError `control/no-task` */
export function noTask(): never {
  throw new MeshError(
    "control/no-task",
    "This node knows of no training task. Start one with meshctl fl run.",
  );
}
