// Drives a task's round machine: events go in, its actions are carried out in their order, its timers run here. The first
// action that the disk refuses ends it, since nothing after it may be done; the run begins again from the disk, as after a crash.

import { isMeshError } from "../../foundation/index.ts";
import type {
  RoundAction,
  RoundEvent,
  RoundMachine,
  RoundStatus,
  RoundTimerId,
  RoundVerdict,
  UpdateHeader,
} from "../../learning/index.ts";
import type { Clock, Meter } from "../../ports/index.ts";

/** What the machine wants done beyond its timers. */
export type CarriedAction = Exclude<RoundAction, { kind: "set-timer" }>;

export interface MachineLoopDeps {
  readonly clock: Clock;
  readonly meter: Meter;
}

export interface MachineLoopOptions {
  /** @throws MeshError when the disk refuses: nothing after it is done */
  readonly carryOut: (action: CarriedAction) => void;
  /** An action was refused so. */
  readonly onRefused: (error: unknown) => void;
}

export class MachineLoop {
  readonly #deps: MachineLoopDeps;
  readonly #options: MachineLoopOptions;
  readonly #timers = new Map<RoundTimerId, NodeJS.Timeout>();
  #machine: RoundMachine | undefined;
  #phase:
    | { readonly name: RoundStatus["phase"]; readonly round: number; readonly sinceMs: number }
    | undefined;

  constructor(deps: MachineLoopDeps, options: MachineLoopOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#machine !== undefined;
  }

  start(machine: RoundMachine): void {
    this.#machine = machine;
    this.handle({ kind: "started" });
  }

  /** Drops the machine and its timers; events come to nothing until the next start. Idempotent. */
  pause(): void {
    this.#machine = undefined;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  handle(event: RoundEvent): void {
    const machine = this.#machine;
    if (machine !== undefined) this.#run(machine.handle(event, this.#deps.clock.now()));
  }

  /** A message of another participant; `undefined` while no machine runs. */
  receive(bytes: Uint8Array): RoundVerdict | undefined {
    const verdict = this.#machine?.receive(bytes, this.#deps.clock.now());
    this.#run(verdict?.actions ?? []);
    return verdict;
  }

  /** The messages that a participant lacks, by its status. */
  answer(status: Uint8Array): readonly Uint8Array[] {
    return this.#machine?.answer(status) ?? [];
  }

  /** The headers whose updates may still be asked for. */
  get headers(): readonly UpdateHeader[] {
    return this.#machine?.headers() ?? [];
  }

  #run(actions: readonly RoundAction[]): void {
    for (const action of actions) {
      if (this.#machine === undefined) return;
      try {
        if (action.kind === "set-timer") this.#setTimer(action.id, action.delayMs);
        else this.#options.carryOut(action);
      } catch (error) {
        if (!isMeshError(error)) throw error;
        return this.#options.onRefused(error);
      }
    }
    this.#observePhase();
  }

  #setTimer(id: RoundTimerId, delayMs: number): void {
    clearTimeout(this.#timers.get(id));
    const timer = setTimeout(() => {
      this.#timers.delete(id);
      this.handle({ kind: "timer", id });
    }, delayMs);
    this.#timers.set(id, timer);
  }

  /** How long each phase of a round took. */
  #observePhase(): void {
    const status = this.#machine?.status();
    if (status === undefined) return;
    const { phase: name, round } = status;
    const before = this.#phase;
    if (before?.name === name && before.round === round) return;
    const nowMs = this.#deps.clock.now().monoMs;
    if (before !== undefined && before.name !== "finished") {
      const seconds = (nowMs - before.sinceMs) / 1000;
      this.#deps.meter.observe("meshd_learning_phase_duration_seconds", seconds, {
        phase: before.name,
      });
    }
    this.#phase = { name, round, sinceMs: nowMs };
  }
}
