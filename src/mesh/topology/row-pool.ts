// Rows of links in shared typed arrays. A row has room for a power of two of entries; freed rows are kept by size and given
// out again, so a graph that lives on takes no memory for every change.

/** Room of the smallest rows. */
const ROOM_MIN = 4;
/** Row sizes: 4, 8, … up to 4 · 2^15. */
const SIZES = 16;
/** Entries at the beginning: an idle daemon's mesh needs no more. */
const ENTRIES = 512;
const NONE = -1;

/** The entries of all rows, and who owns which. */
export class RowPool {
  /** Slot at the other end. */
  targets = new Int32Array(ENTRIES);
  /** What the edge costs; `Infinity` for one that does not count. */
  costs = new Float64Array(ENTRIES);
  /** What the row's owner reports. */
  rttMs = new Float64Array(ENTRIES);
  lossRatio = new Float64Array(ENTRIES);
  suspect = new Uint8Array(ENTRIES);
  #used = 0;
  /** First freed row of each size; a freed row's first target names the next one. */
  readonly #freed = new Int32Array(SIZES).fill(NONE);

  /** Room that a row of so many entries gets. */
  static roomFor(entries: number): number {
    let room = ROOM_MIN;
    while (room < entries) room *= 2;
    return room;
  }

  /** Where a row with this room, a result of {@link roomFor}, begins. */
  take(room: number): number {
    const size = sizeOf(room);
    const freed = this.#freed[size] ?? NONE;
    if (freed !== NONE) {
      this.#freed[size] = this.targets[freed] ?? NONE;
      return freed;
    }
    const start = this.#used;
    this.#used += room;
    if (this.#used > this.targets.length) this.#grow(2 * this.#used);
    return start;
  }

  /** Gives a row back. */
  free(start: number, room: number): void {
    const size = sizeOf(room);
    this.targets[start] = this.#freed[size] ?? NONE;
    this.#freed[size] = start;
  }

  #grow(length: number): void {
    this.targets = widened(this.targets, new Int32Array(length));
    this.costs = widened(this.costs, new Float64Array(length));
    this.rttMs = widened(this.rttMs, new Float64Array(length));
    this.lossRatio = widened(this.lossRatio, new Float64Array(length));
    this.suspect = widened(this.suspect, new Uint8Array(length));
  }
}

/** `to` with the contents of `from` at its beginning. */
export function widened<T extends Int32Array | Float64Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** 4 is size 0, 8 is size 1, and so on. */
function sizeOf(room: number): number {
  return 29 - Math.clz32(room);
}
