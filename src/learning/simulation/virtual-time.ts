// Virtual time: what is to happen, in order of time and, at one time, of asking. A binary heap.

interface Planned {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** A clock that jumps from event to event. */
export class VirtualTime {
  readonly #heap: Planned[] = [];
  #order = 0;
  #nowMs = 0;

  get nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): void {
    const heap = this.#heap;
    const planned = { atMs: this.#nowMs + delayMs, order: this.#order++, run };
    let at = heap.length;
    for (let up = (at - 1) >> 1; at > 0 && isBefore(planned, heap[up]); up = (at - 1) >> 1) {
      heap[at] = heap[up] as Planned;
      at = up;
    }
    heap[at] = planned;
  }

  /** Runs the next event; false when there is none, or none until `untilMs`. */
  step(untilMs: number): boolean {
    const next = this.#heap[0];
    if (next === undefined || next.atMs > untilMs) return false;
    const last = this.#heap.pop() as Planned;
    if (this.#heap.length > 0) this.#sink(last);
    this.#nowMs = next.atMs;
    next.run();
    return true;
  }

  #sink(planned: Planned): void {
    const heap = this.#heap;
    let at = 0;
    for (let down = 1; down < heap.length; down = 2 * at + 1) {
      const other = heap[down + 1];
      if (other !== undefined && isBefore(other, heap[down])) down++;
      if (!isBefore(heap[down] as Planned, planned)) break;
      heap[at] = heap[down] as Planned;
      at = down;
    }
    heap[at] = planned;
  }
}

function isBefore(a: Planned, b: Planned | undefined): boolean {
  return b !== undefined && (a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order));
}
