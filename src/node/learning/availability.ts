// What this daemon can carry out of the tasks that a manifest can describe. The one place that says so: what is wired
// leaves this list.

import { ok, refuse, type Result } from "../../foundation/index.ts";
import type { LearningErrorCode, TaskManifest } from "../../learning/index.ts";

/** Code: `learning/feature-unavailable`; the detail names what. */
export function checkAvailable(task: TaskManifest): Result<undefined, LearningErrorCode> {
  const { orchestrator, schedule, initialWeights } = task;
  const certified = orchestrator.kind !== "epidemic";
  const missing = [
    !certified && schedule.kind !== "constant" && `schedule.kind ${schedule.kind} with epidemic`,
    !certified && initialWeights !== null && "initialWeights with epidemic",
  ].filter((feature) => feature !== false);
  if (missing.length === 0) return ok(undefined);
  return refuse(
    "learning/feature-unavailable",
    `this daemon cannot carry out ${missing.join(", ")}; leave it out`,
  );
}
