// What a checker says when an invariant does not hold.

import type { NodeIndex } from "../node-types.ts";

/** One broken invariant at one moment. */
export interface Violation {
  readonly checker: string;
  /** Virtual milliseconds. */
  readonly atMs: number;
  /** At whose node it was seen, and whom it concerns. */
  readonly observer: NodeIndex;
  readonly subject: NodeIndex;
  readonly what: string;
}

/** Violations that a checker keeps at most; it counts the others. */
export const VIOLATIONS_MAX = 32;

/** A bounded list of violations. */
export class Violations {
  readonly list: Violation[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(violation: Violation): void {
    this.#count++;
    if (this.list.length < VIOLATIONS_MAX) this.list.push(violation);
  }
}

/** One line of text. */
export function describeViolation(violation: Violation): string {
  const { checker, atMs, observer, subject, what } = violation;
  return `${checker} at ${(atMs / 1000).toFixed(3)} s: node ${observer} about node ${subject}: ${what}`;
}
