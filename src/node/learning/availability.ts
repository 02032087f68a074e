// What this daemon can carry out of the tasks that a manifest can describe. The one place that says so: what is wired
// leaves this list.

import { ok, refuse, type Result } from "../../foundation/index.ts";
import type { LearningErrorCode, TaskManifest } from "../../learning/index.ts";

/** Codes: `learning/orchestrator-unavailable`, `learning/feature-unavailable`; the detail names what. */
export function checkAvailable(task: TaskManifest): Result<undefined, LearningErrorCode> {
  const { orchestrator, trainer, data, schedule, initialWeights } = task;
  const certified = orchestrator.kind !== "epidemic";
  if (orchestrator.kind === "streaming") {
    return refuse(
      "learning/orchestrator-unavailable",
      `this daemon cannot run the ${orchestrator.kind} orchestrator; use batch-async, hierarchical or epidemic, or simulate it`,
    );
  }
  const missing = [
    certified && trainer.kind === "local" && `trainer.kind local with ${orchestrator.kind}`,
    data.kind === "telemetry" && "data.kind telemetry",
    !certified && schedule.kind !== "constant" && `schedule.kind ${schedule.kind} with epidemic`,
    initialWeights !== null && "initialWeights",
  ].filter((feature) => feature !== false);
  if (missing.length === 0) return ok(undefined);
  return refuse(
    "learning/feature-unavailable",
    `this daemon cannot carry out ${missing.join(", ")}; leave it out`,
  );
}
