// Incidents for tests.

import { FEATURES, type Incident, type SymptomCode } from "../../../src/healing/index.ts";
import type { WallMs } from "../../../src/ports/index.ts";

export const wall = (ms: number): WallMs => ms as WallMs;

/** Features that are 0 but for these. */
export function features(...values: readonly number[]): Float32Array {
  const all = new Float32Array(FEATURES);
  all.set(values);
  return all;
}

/** A mended incident with one symptom, which is its cause. */
export function incident(
  id: string,
  code: SymptomCode = "mesh/isolated",
  changes: Partial<Incident> = {},
): Incident {
  return {
    id,
    openedAtMs: wall(1_000),
    closedAtMs: wall(5_000),
    symptoms: [{ code, severity: "warning", firstSeenMs: wall(1_000), evidence: [] }],
    cause: { code, why: "it came first" },
    features: features(0.5),
    actions: [],
    outcome: "mended",
    similar: [],
    ...changes,
  };
}
