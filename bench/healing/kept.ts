// Outcomes in a file of JSON lines, one a run: a bench of hours can be stopped, goes on where it was, and may be shown meanwhile.

import { appendFileSync, existsSync, readFileSync } from "node:fs";
import type { BenchOutcome, Mode } from "./runs.ts";

export interface KeptRun {
  readonly table: string;
  readonly name: string;
  readonly mode: Mode;
  readonly seed: number;
}
export interface KeptOutcome extends KeptRun {
  readonly outcome: BenchOutcome;
}

const keyOf = ({ table, name, mode, seed }: KeptRun): string =>
  [table, name, mode, seed].join("\t");

export class Kept {
  readonly #file: string | undefined;
  readonly #all = new Map<string, KeptOutcome>();

  /** Without a file they are kept in memory alone. */
  constructor(file: string | undefined) {
    this.#file = file;
    if (file === undefined || !existsSync(file)) return;
    for (const line of readFileSync(file, "utf8").split("\n")) {
      if (line === "") continue;
      const one = JSON.parse(line) as KeptOutcome;
      this.#all.set(keyOf(one), one);
    }
  }

  has(run: KeptRun): boolean {
    return this.#all.has(keyOf(run));
  }

  add(one: KeptOutcome): void {
    this.#all.set(keyOf(one), one);
    if (this.#file !== undefined) appendFileSync(this.#file, `${JSON.stringify(one)}\n`);
  }

  of(table: string, name: string, mode: Mode): KeptOutcome[] {
    return [...this.#all.values()].filter(
      (one) => one.table === table && one.name === name && one.mode === mode,
    );
  }
}
