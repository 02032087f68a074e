// The orchestrator that a task names.

import { HEADERS_PER_ROUND } from "../protocol/index.ts";
import type { TaskManifest } from "../task.ts";
import { BatchAsyncOrchestrator } from "./batch-async.ts";
import { HierarchicalOrchestrator } from "./hierarchical.ts";
import type { RoundOrchestrator } from "./round-orchestrator.ts";
import { StreamingOrchestrator } from "./streaming.ts";
import type { Hash } from "./zones.ts";

/**
 * The strategy of a task over certified rounds; `undefined` for an epidemic one, which has no such rounds and runs on the
 * `EpidemicOrchestrator`.
 * @throws MeshError `learning/bad-task` when the task asks for more than the strategy can hold
 */
export function orchestratorOf(
  deps: { readonly hash: Hash },
  { orchestrator, participants, byzantine, schedule, compression }: TaskManifest,
): RoundOrchestrator | undefined {
  const population = { participants: participants.length, byzantine };
  switch (orchestrator.kind) {
    case "batch-async":
      return new BatchAsyncOrchestrator(orchestrator, population);
    case "streaming":
      return new StreamingOrchestrator({
        ...{ ...orchestrator, ...population },
        ...(schedule.kind === "staleness" ? { stalenessExponent: schedule.a } : {}),
      });
    case "hierarchical":
      return new HierarchicalOrchestrator(deps, {
        ...{ ...orchestrator, participants, byzantine, compression },
      });
    case "epidemic":
      return undefined;
  }
}

/** How many rounds old the model may be that a task's updates were trained from. */
export function stalenessMaxOf({ orchestrator }: Pick<TaskManifest, "orchestrator">): number {
  return orchestrator.kind === "streaming" ? orchestrator.stalenessMax : 0;
}

/**
 * Updates of a task that a node can have at once. Of an honest participant one, or where late ones count one that stands and those
 * that a round may bring; of a liar one more, which others were told of.
 */
export function updatesHereMax(task: TaskManifest): number {
  const each = stalenessMaxOf(task) > 0 ? 1 + HEADERS_PER_ROUND : 1;
  return task.participants.length * each + task.byzantine;
}
