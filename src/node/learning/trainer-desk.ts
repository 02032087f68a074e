// Where local trainers come: they wait here for rounds of whatever task runs, from before the first one until after the last.

import {
  type TrainerControl,
  type TrainerHeartbeat,
  type TrainerHeartbeatRequest,
  trainerLimits,
  type TrainerNext,
  type TrainerUpdated,
} from "../../control/index.ts";
import { concatBytes, MeshError } from "../../foundation/index.ts";
import { modelBytesMax } from "../../learning/index.ts";
import { LocalTrainer, type LocalTrainerDeps, type LocalTrainerOptions } from "./local-trainer.ts";

/** A node is said to be without a trainer when a task has waited for one so long. */
const ABSENT_AFTER_MS = 30_000;
const NO_ORDER = "learning/no-order";

export class TrainerDesk implements TrainerControl {
  readonly #deps: Omit<LocalTrainerDeps, "onChange">;
  /** Wakes those who wait; each looks for itself whether there is something for it. */
  readonly #waiting = new Set<() => void>();
  #open: LocalTrainer | undefined;
  #isReceiving = false;
  /** Whether somebody has heard that the last task is over: who asks next hears it at once, and not after a whole poll. */
  #isEndTold = true;
  /** Since when nobody waits or works; `undefined`: somebody does. */
  #aloneSinceMs: number | undefined;

  constructor(deps: Omit<LocalTrainerDeps, "onChange">) {
    this.#deps = deps;
  }

  /** The trainer of a task that begins; one task at a time. */
  open(options: LocalTrainerOptions): LocalTrainer {
    this.#isEndTold = false;
    this.#open = new LocalTrainer({ ...this.#deps, onChange: () => this.#changed() }, options);
    this.#aloneSinceMs = undefined;
    this.#attended();
    return this.#open;
  }

  /** Whether a task has been waiting for a trainer, and none has been there for a while. */
  get isAbsent(): boolean {
    if (this.#current === undefined || this.#aloneSinceMs === undefined) return false;
    return this.#nowMs() - this.#aloneSinceMs >= ABSENT_AFTER_MS;
  }

  async next(gone: AbortSignal): Promise<TrainerNext> {
    if (this.#waiting.size >= trainerLimits.pollersMax) {
      throw new MeshError(
        "control/busy",
        `Already ${trainerLimits.pollersMax} trainers wait here. Stop those that are too many.`,
      );
    }
    const task = this.#isEndTold ? this.#current : this.#open;
    const end = AbortSignal.any([gone, AbortSignal.timeout(trainerLimits.pollMs)]);
    for (;;) {
      const order = end.aborted ? undefined : this.#current?.take();
      const isOver = task !== undefined && this.#current !== task;
      if (order !== undefined || isOver || end.aborted) {
        this.#attended();
        this.#isEndTold ||= this.#current === undefined;
        return { task: this.#taskView(), order: order ?? null };
      }
      await this.#change(end);
    }
  }

  model(): Uint8Array {
    return this.#required().model();
  }

  async update(body: AsyncIterable<Uint8Array>): Promise<TrainerUpdated> {
    if (this.#isReceiving) {
      throw new MeshError("control/busy", "Another update is being received. Send it again.");
    }
    this.#isReceiving = true;
    try {
      const bytes = await bounded(body, modelBytesMax(this.#required().spec));
      // The task may have ended meanwhile.
      const trainer = this.#required();
      if (bytes === undefined) throw trainer.refusal("learning/too-large");
      return trainer.update(bytes);
    } catch (error) {
      if (this.#current === undefined)
        this.#deps.meter.count("meshd_learning_trainer_updates_total", { result: NO_ORDER });
      throw error;
    } finally {
      this.#isReceiving = false;
    }
  }

  heartbeat({ lease }: TrainerHeartbeatRequest): TrainerHeartbeat {
    return { deadlineMs: this.#required().renew(lease) };
  }

  get #current(): LocalTrainer | undefined {
    return this.#open?.isStopped === false ? this.#open : undefined;
  }

  #taskView(): TrainerNext["task"] {
    const { taskId, name, rounds } = this.#current?.task ?? {};
    return taskId === undefined || name === undefined || rounds === undefined
      ? null
      : { taskId, name, rounds };
  }

  #required(): LocalTrainer {
    if (this.#current !== undefined) return this.#current;
    throw new MeshError(
      NO_ORDER,
      "No task with local trainers runs. Start one, and ask for the next round.",
    );
  }

  #change(end: AbortSignal): Promise<void> {
    return new Promise((resume) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        end.removeEventListener("abort", wake);
        resume();
      };
      this.#waiting.add(wake);
      this.#attended();
      end.addEventListener("abort", wake);
    });
  }

  #changed(): void {
    for (const wake of [...this.#waiting]) wake();
    this.#attended();
  }

  /** Somebody has come, gone, taken an order or lost it. */
  #attended(): void {
    const isAttended = this.#waiting.size > 0 || this.#current?.isLeased === true;
    this.#aloneSinceMs = isAttended ? undefined : (this.#aloneSinceMs ?? this.#nowMs());
    this.#deps.meter.set("meshd_learning_trainer_attached", isAttended ? 1 : 0);
  }

  #nowMs(): number {
    return this.#deps.clock.now().monoMs;
  }
}

/** The bytes of a body; `undefined`, and no further reading, when they are more than `bytesMax`. */
async function bounded(
  body: AsyncIterable<Uint8Array>,
  bytesMax: number,
): Promise<Uint8Array | undefined> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > bytesMax) return undefined;
    parts.push(chunk);
  }
  return concatBytes(...parts);
}
