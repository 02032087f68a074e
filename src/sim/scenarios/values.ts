// The values that scenario files are made of. Each schema carries its rule as the error text, as "must be …"
// continues it, so that what is checked and what is said stand in one place.

import * as z from "zod";

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** A whole number. */
export const count = (min: number, max: number): z.ZodNumber => {
  const error = `a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
};

/** Any finite number in a range. */
export const number = (min: number, max: number): z.ZodNumber => {
  const error = `a number from ${min} to ${max}`;
  return z.number({ error }).min(min, { error }).max(max, { error });
};

/** 0..1 */
export const ratio = (): z.ZodNumber => number(0, 1);

/** A duration such as `90s`; milliseconds after parsing. */
export const duration = (minMs: number, maxMs: number) => {
  const error = `a duration from ${durationText(minMs)} to ${durationText(maxMs)}, such as 90s or 5m`;
  return z.string({ error }).transform((text, context): number => {
    const match = /^(\d{1,9})(ms|s|m|h)$/.exec(text);
    const ms = Number(match?.[1]) * (unitMs[match?.[2] ?? ""] ?? Number.NaN);
    if (ms >= minMs && ms <= maxMs) return ms;
    context.addIssue({ code: "custom", message: error });
    return z.NEVER;
  });
};

/** The shortest text that reads back as `ms`. */
export function durationText(ms: number): string {
  for (const [unit, size] of Object.entries(unitMs).reverse()) {
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${Math.round(ms)}ms`;
}

/** A mapping that refuses other keys and says which there are. */
export const mapping = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys"
        ? `one of the keys here: ${Object.keys(shape).join(", ")}`
        : "a mapping",
  });
