// Same trace: the same plan run again has delivered the same events up to the same instant.

import { Checker } from "./checker.ts";

/** Compares two digests of two runs. */
export class SameTrace extends Checker {
  readonly name = "same-trace";

  compare(atMs: number, first: string, second: string): void {
    this.checks++;
    if (first === second) return;
    this.report(
      atMs,
      0,
      0,
      `the trace is ${first.slice(0, 16)}, run again it is ${second.slice(0, 16)}`,
    );
  }
}
