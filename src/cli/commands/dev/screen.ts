// What `meshctl dev up` shows. On a terminal the last line lives (a spinner, a bar); elsewhere every line is final.

import type { RoundReport } from "./training.ts";

const BAR_CELLS = 24;
const SPINNER = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

export interface ScreenOptions {
  readonly write: (text: string) => void;
  /** A terminal: the last line is rewritten in place. */
  readonly live: boolean;
  readonly colour: boolean;
}

export class Screen {
  readonly #options: ScreenOptions;
  #frame = 0;
  #pending = false;

  constructor(options: ScreenOptions) {
    this.#options = options;
  }

  /** A final line. */
  line(text = ""): void {
    this.#clear();
    this.#options.write(`${text}\n`);
  }

  /** A finished step with what it took. */
  done(text: string, ms: number): void {
    this.line(
      ` ${this.paint("32", "✓")} ${text}  ${this.paint("2", `${(ms / 1000).toFixed(1)} s`)}`,
    );
  }

  /** The living last line; nothing where there is no terminal. */
  working(text: string): void {
    if (!this.#options.live) return;
    this.#clear();
    this.#frame = (this.#frame + 1) % SPINNER.length;
    this.#options.write(` ${this.paint("36", SPINNER[this.#frame] ?? "")} ${text}`);
    this.#pending = true;
  }

  /** One finished round of a task. */
  round(report: RoundReport, rounds: number): void {
    const filled = Math.round((report.round / rounds) * BAR_CELLS);
    const bar =
      this.paint("36", "█".repeat(filled)) + this.paint("2", "░".repeat(BAR_CELLS - filled));
    const count = `${report.round}/${rounds}`.padStart(String(rounds).length * 2 + 1);
    const rejected =
      report.rejected.length === 0
        ? ""
        : `  rejected ${this.paint("31", report.rejected.join(", "))}`;
    this.line(
      `   round ${count} ${bar}  loss ${report.loss.toFixed(4)}  accuracy ${percent(report.accuracy)}${rejected}`,
    );
  }

  /** Rows under a header, columns aligned. */
  table(header: readonly string[], rows: readonly (readonly string[])[]): void {
    const widths = header.map((title, column) =>
      Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length)),
    );
    const format = (row: readonly string[]): string =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd();
    this.line(`   ${this.paint("2", format(header))}`);
    for (const row of rows) this.line(`   ${format(row)}`);
  }

  paint(style: string, text: string): string {
    return this.#options.colour ? `\u001b[${style}m${text}\u001b[0m` : text;
  }

  #clear(): void {
    if (this.#pending) this.#options.write("\r\u001b[K");
    this.#pending = false;
  }
}

/** A ratio as per cent with one decimal, always six characters wide. */
export function percent(ratio: number): string {
  return `${(ratio * 100).toFixed(1).padStart(5)}%`;
}
