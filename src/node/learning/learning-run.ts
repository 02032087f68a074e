// What runs a task on this node, whichever way its rounds are made.

import type { NodeId } from "../../identity/index.ts";
import type { TaskManifest } from "../../learning/index.ts";
import type { ViewedTask } from "./learning-view.ts";

export interface LearningRun {
  readonly task: TaskManifest;
  /** Ends this node's part: an operator's wish. */
  stop(): void;
  /** Ends threads and timers and leaves the task as it is on disk, to be resumed. */
  halt(): Promise<void>;
  /** Whether these are the very bytes of this task. */
  isSame(signed: Uint8Array): boolean;
  peerGone(nodeId: NodeId): void;
  readonly viewed: ViewedTask;
  /** The model after the last round, as safetensors; undefined before the first. */
  readonly model: Uint8Array | undefined;
}
