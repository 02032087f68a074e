// The queue that moves virtual time. Events wait in a binary heap ordered by (time, order of scheduling), so two events
// of one instant always come out in the order they went in: the first half of what makes a run replayable. The heap is
// made of typed arrays: at a quarter million events a second what it costs is following pointers.

import { MeshError } from "../foundation/index.ts";
import type { SimErrorCode } from "./errors.ts";

/** Events a queue holds at most, unless told otherwise. */
export const QUEUED_EVENTS_MAX = 8_000_000;

const CAPACITY_MIN = 1_024;

/** A priority queue of future events. Time only moves forward, by {@link EventQueue.next}. */
export class EventQueue<Event> {
  readonly #max: number;
  // The heap: when, in which order, and in which place the event lies.
  #atMs = new Float64Array(CAPACITY_MIN);
  #order = new Float64Array(CAPACITY_MIN);
  #place = new Int32Array(CAPACITY_MIN);
  #size = 0;
  readonly #events: (Event | undefined)[] = [];
  readonly #freePlaces: number[] = [];
  #orders = 0;
  #nowMs = 0;

  constructor(max: number = QUEUED_EVENTS_MAX) {
    this.#max = max;
  }

  /** Virtual milliseconds since the start of the run. */
  get nowMs(): number {
    return this.#nowMs;
  }

  get size(): number {
    return this.#size;
  }

  /** When the next event is due; undefined when there is none. */
  get nextAtMs(): number | undefined {
    return this.#size === 0 ? undefined : this.#atMs[0];
  }

  /** @throws MeshError `sim/past-event` (NaN included), `sim/queue-full`; the queue is unchanged then */
  schedule(atMs: number, event: Event): void {
    if (!(atMs >= this.#nowMs)) {
      throw simError("sim/past-event", `Cannot schedule at ${atMs} ms: it is ${this.#nowMs} ms.`);
    }
    if (this.#size >= this.#max) {
      throw simError(
        "sim/queue-full",
        `Cannot hold more than ${this.#max} future events. Use fewer nodes or a smaller degree.`,
      );
    }
    if (this.#size === this.#atMs.length) this.#grow();
    const place = this.#freePlaces.pop() ?? this.#events.length;
    this.#events[place] = event;
    this.#rise(this.#size++, atMs, this.#orders++, place);
  }

  /** Takes the next event out and moves time to it; undefined when none is due by `untilMs`. */
  next(untilMs: number): Event | undefined {
    const atMs = this.#atMs[0] ?? Infinity;
    if (this.#size === 0 || atMs > untilMs) return undefined;
    this.#nowMs = atMs;
    const place = this.#place[0] ?? 0;
    const event = this.#events[place];
    this.#events[place] = undefined;
    this.#freePlaces.push(place);
    const last = --this.#size;
    if (last > 0) {
      this.#sink(this.#atMs[last] ?? 0, this.#order[last] ?? 0, this.#place[last] ?? 0);
    }
    return event;
  }

  /** Moves time forward to `atMs` when nothing is due before it. */
  advance(atMs: number): void {
    const dueMs = this.nextAtMs ?? Infinity;
    if (atMs > this.#nowMs && dueMs >= atMs) this.#nowMs = atMs;
  }

  #rise(start: number, atMs: number, order: number, place: number): void {
    const times = this.#atMs;
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      // What comes later has the higher order: it never passes an equal.
      if (atMs >= (times[parent] ?? 0)) break;
      this.#move(parent, index);
      index = parent;
    }
    this.#put(index, atMs, order, place);
  }

  /** Puts an entry at the root and lets it fall to its place. */
  #sink(atMs: number, order: number, place: number): void {
    const size = this.#size;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#before(child + 1, child)) child++;
      const childAtMs = this.#atMs[child] ?? 0;
      if (childAtMs > atMs || (childAtMs === atMs && (this.#order[child] ?? 0) > order)) break;
      this.#move(child, index);
      index = child;
    }
    this.#put(index, atMs, order, place);
  }

  #before(a: number, b: number): boolean {
    const difference = (this.#atMs[a] ?? 0) - (this.#atMs[b] ?? 0);
    if (difference !== 0) return difference < 0;
    return (this.#order[a] ?? 0) < (this.#order[b] ?? 0);
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#atMs[from] ?? 0, this.#order[from] ?? 0, this.#place[from] ?? 0);
  }

  #put(index: number, atMs: number, order: number, place: number): void {
    this.#atMs[index] = atMs;
    this.#order[index] = order;
    this.#place[index] = place;
  }

  #grow(): void {
    const capacity = 2 * this.#atMs.length;
    const [atMs, order, place] = [this.#atMs, this.#order, this.#place];
    this.#atMs = new Float64Array(capacity);
    this.#atMs.set(atMs);
    this.#order = new Float64Array(capacity);
    this.#order.set(order);
    this.#place = new Int32Array(capacity);
    this.#place.set(place);
  }
}

function simError(code: SimErrorCode, message: string): MeshError<SimErrorCode> {
  return new MeshError(code, message);
}
