// Who takes part: fixed for the whole task, so that an index of one byte names a participant in every message.

import { MeshError } from "../../foundation/index.ts";
import type { LearningErrorCode } from "../codes.ts";
import type { ParticipantId } from "../task.ts";
import { meshTaskLimits } from "../task-rules.ts";
import { quorumOf } from "./policy.ts";

/** The participants of a task and what follows from their number. */
export interface Population {
  /** Ascending. */
  readonly ids: readonly ParticipantId[];
  readonly byzantine: number;
  /** {@link quorumOf} */
  readonly quorum: number;
  readonly indexOf: (nodeId: ParticipantId) => number | undefined;
}

/** @throws MeshError `learning/bad-task` unless the ids ascend, are 2 to 64 and more than three times the liars */
export function population(ids: readonly ParticipantId[], byzantine: number): Population {
  const ascending = ids.every((id, i) => i === 0 || (ids[i - 1] ?? "") < id);
  const inLimits = ids.length >= 2 && ids.length <= meshTaskLimits.participantsMax;
  if (!ascending || !inLimits || ids.length <= 3 * byzantine) {
    throw new MeshError<LearningErrorCode>(
      "learning/bad-task",
      `Cannot certify rounds among ${ids.length} participants with ${byzantine} liars: it takes more than three times as ` +
        `many participants as liars, 2 to ${meshTaskLimits.participantsMax}, in ascending order. Change the task.`,
      { participants: ids.length, byzantine },
    );
  }
  const places = new Map(ids.map((id, i) => [id, i]));
  return {
    ids,
    byzantine,
    quorum: quorumOf(ids.length, byzantine),
    indexOf: (nodeId) => places.get(nodeId),
  };
}
