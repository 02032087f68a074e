// Virtual time. Events wait in a binary heap ordered by (time, order of scheduling), so two events of
// one instant always come out in the order they went in: the first half of what makes a run replayable.
// Nodes read the one true time through clocks of their own that may be off, drift and step.

import { MeshError } from "../foundation/index.ts";
import type { MonoMs, Now, WallMs } from "../ports/index.ts";
import type { SimErrorCode } from "./errors.ts";

/** Wall time at virtual time 0 (2026-01-01T00:00:00Z): part of the trace, so it never changes. */
export const WALL_START_MS = 1_767_225_600_000;

/** Events a queue holds at most, unless told otherwise: about 200 MB. */
export const QUEUED_EVENTS_MAX = 2_000_000;

interface Entry<Event> {
  readonly atMs: number;
  readonly order: number;
  readonly event: Event;
}

/** A priority queue of future events. Time only moves forward, by {@link EventQueue.next}. */
export class EventQueue<Event> {
  readonly #heap: Entry<Event>[] = [];
  readonly #max: number;
  #order = 0;
  #nowMs = 0;

  constructor(max: number = QUEUED_EVENTS_MAX) {
    this.#max = max;
  }

  /** Virtual milliseconds since the start of the run. */
  get nowMs(): number {
    return this.#nowMs;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** When the next event is due; undefined when there is none. */
  get nextAtMs(): number | undefined {
    return this.#heap[0]?.atMs;
  }

  /** @throws MeshError `sim/past-event` (NaN included), `sim/queue-full`; the queue is unchanged then */
  schedule(atMs: number, event: Event): void {
    if (!(atMs >= this.#nowMs)) {
      throw simError("sim/past-event", `Cannot schedule at ${atMs} ms: it is ${this.#nowMs} ms.`);
    }
    if (this.#heap.length >= this.#max) {
      throw simError(
        "sim/queue-full",
        `Cannot hold more than ${this.#max} future events. Use fewer nodes or a smaller degree.`,
      );
    }
    const entry = { atMs, order: this.#order++, event };
    this.#heap.push(entry);
    this.#rise(this.#heap.length - 1, entry);
  }

  /** Takes the next event out and moves time to it; undefined when none is due by `untilMs`. */
  next(untilMs: number): Event | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.atMs > untilMs) return undefined;
    this.#nowMs = first.atMs;
    const last = this.#heap.pop();
    if (last !== undefined && this.#heap.length > 0) this.#sink(last);
    return first.event;
  }

  /** Moves time forward to `atMs` when nothing is due before it. */
  advance(atMs: number): void {
    const dueMs = this.nextAtMs ?? Infinity;
    if (atMs > this.#nowMs && dueMs >= atMs) this.#nowMs = atMs;
  }

  #rise(start: number, entry: Entry<Event>): void {
    const heap = this.#heap;
    let index = start;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex];
      if (parent === undefined || !before(entry, parent)) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = entry;
  }

  /** Puts `entry` at the root and lets it fall to its place. */
  #sink(entry: Entry<Event>): void {
    const heap = this.#heap;
    let index = 0;
    for (;;) {
      let childIndex = 2 * index + 1;
      let child = heap[childIndex];
      if (child === undefined) break;
      const right = heap[childIndex + 1];
      if (right !== undefined && before(right, child)) {
        child = right;
        childIndex++;
      }
      if (!before(child, entry)) break;
      heap[index] = child;
      index = childIndex;
    }
    heap[index] = entry;
  }
}

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

function before(a: Entry<unknown>, b: Entry<unknown>): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

function simError(code: SimErrorCode, message: string): MeshError<SimErrorCode> {
  return new MeshError(code, message);
}
