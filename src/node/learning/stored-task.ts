// The last task as the disk has it, of an earlier process: how far it came, and its model.

import type { StateStore } from "../../adapters/sqlite/state-store.ts";
import { decodeSignedTask, type RoundReport } from "../../learning/index.ts";
import type { ViewedTask } from "./learning-view.ts";
import { RoundHistory } from "./round-history.ts";

export interface StoredView extends ViewedTask {
  /** After its last round, as safetensors, read when it is asked for; undefined before the first. */
  readonly model: Uint8Array | undefined;
}

/** Undefined without a task that this version reads. */
export function storedView(
  store: Pick<StateStore, "latestTask" | "rounds">,
): StoredView | undefined {
  const stored = store.latestTask();
  const decoded = stored === undefined ? undefined : decodeSignedTask(stored.signed);
  if (stored === undefined || decoded?.ok !== true) return undefined;
  const { taskId, state, model } = stored;
  const task = decoded.value.manifest;
  if (task.orchestrator.kind === "epidemic")
    return { task, state, history: JSON.parse(stored.history) as RoundReport[], model };
  const history = new RoundHistory(store.rounds, task);
  return {
    ...{ task, state, history: history.reports },
    get model(): Uint8Array | undefined {
      const digest = history.last?.model;
      return store.rounds.contents(taskId).find((content) => content.digest === digest)?.bytes;
    },
  };
}
