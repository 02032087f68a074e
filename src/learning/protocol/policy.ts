// When a round may close. The agreement decides what is in a round; a policy says how much of it is enough.

import { MeshError } from "../../foundation/index.ts";
import type { LearningErrorCode } from "../codes.ts";

/** A round as seen by who asks. */
export interface RoundView {
  /** Updates: those that a node holds itself, or those of a proposed set. */
  readonly held: number;
  /** Those of them that the last certified set did not have: all of them where updates count in one round alone. */
  readonly fresh: number;
  readonly participants: number;
  readonly byzantine: number;
  /** Since this node began the round. */
  readonly elapsedMs: number;
}

/** A rule for closing rounds. Equal views must give equal answers. */
export interface RoundPolicy {
  /** `close`: enough updates. `void`: too few, and no more are waited for. More updates never turn `close` into another answer. */
  closes(view: RoundView): "wait" | "close" | "void";
  /** When `wait` ends at the latest, since the round began. */
  readonly deadlineMs: number;
  /** How many rounds old the model may be that an update was trained from: 0 admits the newest certified one alone. */
  readonly stalenessMax: number;
}

/** Signatures that decide: any two such sets share an honest participant, and the honest alone are one when n > 3f. */
export function quorumOf(participants: number, byzantine: number): number {
  return Math.floor((participants + byzantine) / 2) + 1;
}

/** Options of {@link batchAsyncPolicy}. */
export interface BatchAsyncOptions {
  /** Updates at which a round closes before its deadline, K. */
  readonly target: number;
  readonly deadlineMs: number;
}

/**
 * Closes at `target` updates; at the deadline n - f are enough, because f silent participants must not stop a round. Never
 * with K <= 2f: the liars that answer first could be half of it.
 * @throws MeshError `learning/bad-task` when the target cannot be: K <= 2f, or beyond the participants
 */
export function batchAsyncPolicy(
  { target, deadlineMs }: BatchAsyncOptions,
  participants: number,
  byzantine: number,
): RoundPolicy {
  if (target <= 2 * byzantine || target > participants) {
    throw new MeshError<LearningErrorCode>(
      "learning/bad-task",
      `Cannot close rounds at ${target} updates: with ${participants} participants and ${byzantine} liars it must be ` +
        `${2 * byzantine + 1}..${participants}. Change the target.`,
      { target, participants, byzantine },
    );
  }
  return {
    deadlineMs,
    stalenessMax: 0,
    closes({ held, participants: n, byzantine: f, elapsedMs }) {
      if (held >= target && held > 2 * f) return "close";
      if (elapsedMs < deadlineMs) return "wait";
      return held >= n - f && held > 2 * f ? "close" : "void";
    },
  };
}
