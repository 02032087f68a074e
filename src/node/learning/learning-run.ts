// What runs a task on this node, whichever way its rounds are made.

import type { LearningStatus as LearningView } from "../../control/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { TaskManifest } from "../../learning/index.ts";

export interface LearningRun {
  readonly task: TaskManifest;
  /** Ends this node's part: an operator's wish. */
  stop(): void;
  /** Ends threads and timers and leaves the task as it is on disk, to be resumed. */
  halt(): Promise<void>;
  /** Whether these are the very bytes of this task. */
  isSame(signed: Uint8Array): boolean;
  peerGone(nodeId: NodeId): void;
  view(nameOf: (nodeId: string) => string): LearningView;
}
