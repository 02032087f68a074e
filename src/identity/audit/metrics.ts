// What the audit log counts.

import type { MetricDeclaration } from "../../ports/index.ts";
import { AUDIT_EVENTS } from "./entry.ts";

export const AUDIT_ENTRIES = "meshd_audit_entries_total";
export const AUDIT_LOST = "meshd_audit_lost_total";
export const AUDIT_SEQUENCE = "meshd_audit_last_sequence";

export const auditMetrics: readonly MetricDeclaration[] = [
  {
    name: AUDIT_ENTRIES,
    kind: "counter",
    help: "One entry written to the audit log.",
    labels: { event: AUDIT_EVENTS },
  },
  {
    name: AUDIT_LOST,
    kind: "counter",
    help: "One entry that the audit log does not hold: it could not be written, or came above the rate.",
    labels: { reason: ["write-failed", "rate"] },
  },
  {
    name: AUDIT_SEQUENCE,
    kind: "gauge",
    help: "Sequence of the audit log's newest entry. It never falls: a fall means that the log was cut off or put back.",
  },
];
