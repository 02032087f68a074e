// Which task runs on this node: one at a time. A task that comes while another runs waits; of several waiting ones the
// newest stays. A few that have ended are still served to slower peers.

import type { StoredTask } from "../../adapters/sqlite/state-store.ts";
import { errorMessage, isMeshError, type MeshError } from "../../foundation/index.ts";
import type { SignedTask, TaskManifest } from "../../learning/index.ts";
import type { Logger, Meter } from "../../ports/index.ts";
import type { LearningRun } from "./learning-run.ts";

/** Ended tasks that are kept, beside the running one. */
const ENDED_KEPT = 3;

/** What a run is made of. */
export interface TaskStart {
  readonly task: TaskManifest;
  readonly signed: Uint8Array;
  /** What an earlier process left of it. */
  readonly resume: StoredTask | undefined;
}

export interface TaskQueueDeps {
  readonly logger: Logger;
  readonly meter: Meter;
  /** @throws MeshError when this node cannot carry the task out */
  readonly begin: (start: TaskStart, onEnded: () => void) => LearningRun;
  /** The running task has ended, and no other has begun yet. */
  readonly onEnded: () => void;
}

export class TaskQueue {
  readonly #deps: TaskQueueDeps;
  /** The running task, and a few that ended; the newest last. */
  readonly #runs = new Map<string, LearningRun>();
  #current: LearningRun | undefined;
  #waiting: { readonly task: SignedTask; readonly bytes: Uint8Array } | undefined;
  #refused: MeshError | undefined;
  #stopped = false;

  constructor(deps: TaskQueueDeps) {
    this.#deps = deps;
  }

  get current(): LearningRun | undefined {
    return this.#current;
  }

  /** The running task, or the one of this process that ended last. */
  get last(): LearningRun | undefined {
    return this.#current ?? this.all.at(-1);
  }

  /** The running task and those still served, the newest last. */
  get all(): LearningRun[] {
    return [...this.#runs.values()];
  }

  /** Why the task that was to run last does not. */
  get refused(): MeshError | undefined {
    return this.#refused;
  }

  get isStopped(): boolean {
    return this.#stopped;
  }

  get(taskId: string): LearningRun | undefined {
    return this.#runs.get(taskId);
  }

  /** Runs a task, or lets it wait. */
  add(task: SignedTask, bytes: Uint8Array): void {
    if (this.#runs.has(task.manifest.taskId)) return;
    if (this.#current === undefined) {
      this.start({ task: task.manifest, signed: bytes, resume: undefined });
    } else if ((this.#waiting?.task.manifest.createdAtMs ?? 0) < task.manifest.createdAtMs) {
      this.#waiting = { task, bytes };
    }
  }

  /** Runs a task now. One that cannot be carried out leaves its reason in {@link refused}. */
  start(start: TaskStart): void {
    const { logger } = this.#deps;
    const { taskId, rounds, participants, aggregator, byzantine } = start.task;
    this.#refused = undefined;
    try {
      const run: LearningRun = this.#deps.begin(start, () => this.#ended(run));
      this.#setCurrent(run);
      this.#runs.set(taskId, run);
      this.#forgetOldest();
      logger.info(
        { taskId, rounds, participants: participants.length, aggregator, byzantine },
        "training task started",
      );
    } catch (error) {
      if (!isMeshError(error)) throw error;
      this.#refused = error;
      logger.error(
        { code: error.code, taskId, error: errorMessage(error) },
        "training task refused",
      );
    }
  }

  /** Ends this node's part in a task that runs or waits; without an id, in all of them. */
  end(taskId?: string): void {
    const isMeant = (task?: TaskManifest): boolean =>
      taskId === undefined || task?.taskId === taskId;
    const ends = this.#current !== undefined && isMeant(this.#current.task);
    if (ends || isMeant(this.#waiting?.task.manifest)) this.#waiting = undefined;
    if (ends) this.#current?.stop();
  }

  /**
   * Ends the threads of the running task and forgets it here; the disk keeps it.
   * @returns whether it can be taken up again: there was one, and neither it nor the node has ended meanwhile
   */
  async letGo(): Promise<boolean> {
    const run = this.#current;
    await run?.halt();
    if (run === undefined || this.#current !== run || this.#stopped) return false;
    this.#setCurrent(undefined);
    this.#runs.delete(run.task.taskId);
    return true;
  }

  /** Ends everything without forgetting it: the next start resumes what ran. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.all.map((run) => run.halt()));
  }

  #forgetOldest(): void {
    for (const [taskId, run] of this.#runs) {
      if (this.#runs.size <= ENDED_KEPT) break;
      void run.halt();
      this.#runs.delete(taskId);
    }
  }

  #setCurrent(run: LearningRun | undefined): void {
    this.#current = run;
    this.#deps.meter.set("meshd_learning_tasks_running", run === undefined ? 0 : 1);
  }

  #ended(run: LearningRun): void {
    if (this.#current === run) this.#setCurrent(undefined);
    this.#deps.onEnded();
    const next = this.#waiting;
    this.#waiting = undefined;
    if (next !== undefined && !this.#stopped)
      this.start({ task: next.task.manifest, signed: next.bytes, resume: undefined });
  }
}
