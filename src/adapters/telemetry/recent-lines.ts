// The last lines of the log in memory, for `meshctl bugreport`: bounded in lines and in characters.

const LINES_MAX = 512;
const CHARS_MAX = 256 * 1024;

/** A first-in, first-out store of lines; what does not fit pushes the oldest out. */
export class RecentLines {
  readonly #lines: string[] = [];
  #chars = 0;
  #dropped = 0;

  push(line: string): void {
    this.#lines.push(line.trimEnd());
    this.#chars += this.#lines.at(-1)?.length ?? 0;
    while (this.#lines.length > LINES_MAX || this.#chars > CHARS_MAX) {
      this.#chars -= this.#lines.shift()?.length ?? 0;
      this.#dropped += 1;
    }
  }

  /** Oldest first, and how many were pushed out. */
  read(): { readonly lines: string[]; readonly dropped: number } {
    return { lines: [...this.#lines], dropped: this.#dropped };
  }
}
