// Bytes of updates that a round costs its participants.

import type { ParticipantId } from "../task.ts";
import type { Traffic } from "./report.ts";

/** Mean and greatest of the participants' bytes. */
export function trafficOf(bytes: Iterable<number>): Traffic {
  let sum = 0;
  let max = 0;
  let count = 0;
  for (const each of bytes) {
    sum += each;
    max = Math.max(max, each);
    count++;
  }
  return { mean: Math.round(sum / Math.max(1, count)), max };
}

/** What each participant fetches: in its zone all updates that entered but its own, and the rows of the other zones, coded alike. */
export function updateTraffic(round: {
  /** One, without zones. */
  readonly zones: readonly (readonly ParticipantId[])[];
  readonly updateBytes: number;
  readonly entered: ReadonlySet<ParticipantId>;
  readonly here: ReadonlySet<ParticipantId>;
}): Traffic {
  const { zones, updateBytes, entered, here } = round;
  return trafficOf(
    zones.flatMap((zone) => {
      const updates = zone.filter((id) => entered.has(id)).length;
      const others = (id: ParticipantId): number => updates - (entered.has(id) ? 1 : 0);
      return zone
        .filter((id) => here.has(id))
        .map((id) => updateBytes * (others(id) + zones.length - 1));
    }),
  );
}
