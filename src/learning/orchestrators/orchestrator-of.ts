// The orchestrator that a task names.

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
