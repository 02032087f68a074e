// The points at which the machine may be told to do what is allowed and seldom: a driver loses a pull or a probe,
// a dial is forgotten, a heartbeat is not sent, a timer is late. Nothing of it may break more than it delays.

import type { Buggify } from "../ports/index.ts";
import type { MeshAction } from "./machine-types.ts";

/** What {@link MeshDeps.buggify} is asked. */
export type MeshBuggifyPoint =
  | "drop-pull"
  | "drop-dial"
  | "drop-probe"
  | "skip-heartbeat"
  | "late-timer"
  | "short-answer";

/** How much later a late timer comes. */
const LATE_TIMES = 2;

/** The action, changed, or `undefined` when it is left out. */
export function buggified(
  action: MeshAction,
  buggify: Buggify<MeshBuggifyPoint>,
): MeshAction | undefined {
  switch (action.kind) {
    case "pull-beacons":
      return buggify("drop-pull") ? undefined : action;
    case "dial":
      return buggify("drop-dial") ? undefined : action;
    case "probe":
      return buggify("drop-probe") ? undefined : action;
    case "publish":
      return action.topic === "heartbeat" && buggify("skip-heartbeat") ? undefined : action;
    case "set-timer":
      return buggify("late-timer") ? { ...action, delayMs: LATE_TIMES * action.delayMs } : action;
    default:
      return action;
  }
}
