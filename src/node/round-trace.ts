// The spans of a task's rounds on this node. A round has four phases, one after another: train, exchange (whose children
// are the pulls, and through them what the peers do to serve them), aggregate, evaluate.

import type { RoundReport, TaskManifest } from "../learning/index.ts";
import type { Span, Tracer } from "../ports/index.ts";

export class RoundTrace {
  readonly #tracer: Tracer;
  readonly #task: TaskManifest;
  #round: Span | undefined;
  #phase: Span | undefined;

  constructor(tracer: Tracer, task: TaskManifest) {
    this.#tracer = tracer;
    this.#task = task;
  }

  /** A round begins, with its training. */
  begin(round: number): void {
    const { taskId, aggregator } = this.#task;
    this.#round = this.#tracer.start("round", {
      parent: "root",
      attributes: {
        "meshd.task": taskId,
        "meshd.round": round,
        "meshd.aggregator": aggregator,
      },
    });
    this.phase("train");
  }

  /** The phase before ends, this one begins; at `startMs` if it has begun already. */
  phase(name: "train" | "exchange" | "aggregate" | "evaluate", startMs?: number): void {
    this.#phase?.end();
    if (this.#round === undefined) return;
    this.#phase = this.#tracer.start(`round.${name}`, {
      parent: this.#round,
      ...(startMs === undefined ? {} : { startMs }),
    });
  }

  /** Runs work as part of the phase. */
  within<T>(work: () => T): T {
    return this.#phase === undefined ? work() : this.#tracer.within(this.#phase, work);
  }

  /** Work on one participant's update while the round's phases pass. */
  part<T>(name: "fetch" | "open", work: () => Promise<T>): Promise<T> {
    if (this.#round === undefined) return work();
    return this.#tracer.span(`round.${name}`, { parent: this.#round }, work);
  }

  finish({ round, result, contributors, rejected, silent, accuracy }: RoundReport): void {
    this.#round?.set({
      "meshd.round": round,
      "meshd.round.result": result,
      "meshd.round.contributors": contributors.length,
      "meshd.round.rejected": rejected.length,
      "meshd.round.silent": silent.length,
      ...(accuracy === null ? {} : { "meshd.round.accuracy": accuracy }),
    });
    this.end();
  }

  /** Ends what is open, if anything; with a code when the round comes to nothing. */
  end(failure?: string): void {
    this.#phase?.end(failure);
    this.#round?.end(failure);
    this.#phase = undefined;
    this.#round = undefined;
  }
}
