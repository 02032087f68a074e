// Parsers of command-line values: a bad one is a usage error before anything is sent.

import { InvalidArgumentError } from "commander";

/** A parser of whole numbers in a range. */
export function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

/** A parser of numbers above 0, up to `max`. */
export function positive(max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) : Number.NaN;
    if (value > 0 && value <= max) return value;
    throw new InvalidArgumentError(`It must be a number above 0, at most ${max}.`);
  };
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** A parser of durations such as `30m` into seconds, from 1 to `maxSeconds`. */
export function durationSeconds(maxSeconds: number): (text: string) => number {
  return (text) => {
    const match = /^(\d{1,8})([smhd])$/.exec(text);
    const seconds = Number(match?.[1]) * (unitSeconds[match?.[2] ?? ""] ?? Number.NaN);
    if (seconds >= 1 && seconds <= maxSeconds) return seconds;
    throw new InvalidArgumentError(
      `It must be a whole number and s, m, h or d, such as 1h, and at most ${maxSeconds} seconds.`,
    );
  };
}

/** A parser of names separated by commas. */
export function nameList(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.every((name) => name !== "")) return names;
  throw new InvalidArgumentError("It must be names separated by commas, such as node-1,node-2.");
}
