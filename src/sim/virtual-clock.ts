// Virtual time as a node reads it: through clocks of its own that may be off, drift and step.

import { MeshError } from "../foundation/index.ts";
import type { MonoMs, Now, WallMs } from "../ports/index.ts";
import type { SimErrorCode } from "./errors.ts";

/** Wall time at virtual time 0 (2026-01-01T00:00:00Z): part of the trace, so it never changes. */
export const WALL_START_MS = 1_767_225_600_000;

/** How far a node's clocks are off. */
export interface ClockError {
  /** Added to the monotonic clock, whose zero means nothing anyway. */
  readonly monoOffsetMs: number;
  /** Added to the wall clock. */
  readonly wallOffsetMs: number;
  /** Rate error of both clocks in parts per million; positive runs fast. More than -1,000,000. */
  readonly driftPpm: number;
}

/** The clocks of one node, read off the true virtual time. */
export class NodeClock {
  readonly #monoOffsetMs: number;
  #rate: number;
  #wallOffsetMs: number;
  /** Where the present rate began: true time, and what both clocks had counted then. */
  #sinceTrueMs = 0;
  #countedMs = 0;

  constructor(error: Partial<ClockError> = {}) {
    this.#monoOffsetMs = error.monoOffsetMs ?? 0;
    this.#wallOffsetMs = error.wallOffsetMs ?? 0;
    this.#rate = rateOf(error.driftPpm ?? 0);
  }

  /** Both clocks as this node reads them at true time `trueMs`. */
  at(trueMs: number): Now {
    const elapsedMs = this.#countedMs + (trueMs - this.#sinceTrueMs) * this.#rate;
    return {
      monoMs: (elapsedMs + this.#monoOffsetMs) as MonoMs,
      wallMs: Math.round(WALL_START_MS + elapsedMs + this.#wallOffsetMs) as WallMs,
    };
  }

  /** How long a delay of this node's clock truly takes. */
  trueDelayMs(localDelayMs: number): number {
    return localDelayMs / this.#rate;
  }

  /** From `trueMs` on both clocks run at another rate. @throws MeshError `sim/bad-option` */
  drift(ppm: number, trueMs: number): void {
    const rate = rateOf(ppm);
    this.#countedMs += (trueMs - this.#sinceTrueMs) * this.#rate;
    this.#sinceTrueMs = trueMs;
    this.#rate = rate;
  }

  /** Steps the wall clock, as an operator or NTP would; the monotonic clock never steps. */
  stepWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }
}

function rateOf(driftPpm: number): number {
  const rate = 1 + driftPpm / 1_000_000;
  if (rate > 0) return rate;
  throw simError("sim/bad-option", `Clock drift must be above -1000000 ppm: ${driftPpm}.`);
}

function simError(code: SimErrorCode, message: string): MeshError<SimErrorCode> {
  return new MeshError(code, message);
}
