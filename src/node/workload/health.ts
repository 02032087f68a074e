// What an operator is told of the Workload API.

import { readFileSync } from "node:fs";
import type { RaisedCondition } from "../../healing/index.ts";
import { systemClock } from "../../adapters/clock.ts";
import type { Workloads } from "./workloads.ts";

/** A silence is told from this length on: an issuer's restart is none. */
const SILENCE_TOLD_MS = 60_000;

export function workloadHealth(workloads: Pick<Workloads, "outage">): RaisedCondition[] {
  const nowMs = systemClock.now().wallMs;
  const outage = workloads.outage();
  const health: RaisedCondition[] = [];
  if (outage !== undefined && nowMs - outage.sinceMs >= SILENCE_TOLD_MS) {
    const { sinceMs, untilMs } = outage;
    const left =
      untilMs === undefined
        ? "There are no SVIDs for workloads yet"
        : `The first SVID of a workload ${untilMs > nowMs ? `expires in ${minutes(untilMs - nowMs)}` : "has expired"}`;
    health.push({
      code: "workload/issuer-silent",
      message: `No issuer has answered about workloads for ${minutes(nowMs - sinceMs)}. ${left}. Start an issuer, or see meshctl peers whether one is in reach.`,
    });
  }
  if (hidesUsers()) {
    health.push({
      code: "workload/users-hidden",
      message:
        "meshd runs in a user namespace of its own and cannot tell callers apart, so every workload of another user is refused. Install the drop-in workload-attestation.conf: docs/workloads.md.",
    });
  }
  return health;
}

/** Whether not all users of the host are users here: user_namespaces(7). */
function hidesUsers(): boolean {
  try {
    return !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync("/proc/self/uid_map", "latin1"));
  } catch {
    return false; // a kernel without user namespaces
  }
}

function minutes(ms: number): string {
  return `${Math.max(1, Math.round(ms / 60_000))} min`;
}
