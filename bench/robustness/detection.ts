// Whom the detector names in a run: the share of liars (true positives) and of honest nodes (false positives) whose score is
// that of a suspect, after so many rounds.

import { ByzantineDetector, SUSPECT_SCORE } from "../../src/learning/index.ts";
import { NODES } from "./task.ts";
import type { RoundObserver } from "./training.ts";

/** After how many rounds the names are counted. */
export const DETECTION_ROUNDS: readonly number[] = [10, 20, 50];

export function detection(
  byzantine: number,
  note: (at: string, percent: number) => void,
): RoundObserver {
  const ids = Array.from({ length: NODES }, (_, i) => `node-${i}`);
  const detector = new ByzantineDetector(ids);
  return (round, liars, aggregate) => {
    // Liars whose rows the gate refused are not in the round.
    detector.observe([...ids.slice(0, liars), ...ids.slice(byzantine)], aggregate);
    if (!DETECTION_ROUNDS.includes(round + 1)) return;
    const suspects = detector.standings().map(({ score }) => score >= SUSPECT_SCORE);
    const percent = (list: readonly boolean[]): number =>
      (100 * list.filter(Boolean).length) / list.length;
    if (byzantine > 0) note(`true-r${round + 1}`, percent(suspects.slice(0, byzantine)));
    note(`false-r${round + 1}`, percent(suspects.slice(byzantine)));
  };
}
