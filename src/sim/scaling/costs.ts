// The costs that the scaling report follows, with their names and units.

import type { CostPoint } from "./cost-law.ts";
import type { SizeResult } from "./measure.ts";

/** One cost of a node. */
export interface Cost {
  readonly key: Exclude<keyof SizeResult["perNode"], "bytesPerSecondOf">;
  readonly title: string;
  /** With what precedes it: `B/s` takes a prefix, `/s` none. */
  readonly unit: string;
}

/** In the order of table and picture. */
export const costs: readonly Cost[] = [
  { key: "bytesPerSecond", title: "Traffic sent", unit: "B/s" },
  { key: "messagesPerSecond", title: "Frames sent", unit: "/s" },
  { key: "cpuMicrosPerSecond", title: "CPU of the node's own code", unit: "µs/s" },
  { key: "memoryBytes", title: "Memory", unit: "B" },
];

/** A cost over the sizes. */
export function pointsOf(cost: Cost, results: readonly SizeResult[]): CostPoint[] {
  return results.map(({ nodes, perNode }) => ({ nodes, cost: perNode[cost.key] }));
}

const PREFIXES = ["", "k", "M", "G"];
/** An interval that reaches beyond this says nothing. */
const SENSIBLE_MAX = 1e12;
const THOUSAND = 999.5;

/** A number with three significant digits and a decimal prefix: `12.3 k`; `∞` when it makes no sense. */
export function human(value: number): string {
  if (!(value < SENSIBLE_MAX)) return "∞";
  let scaled = value;
  let prefix = 0;
  while (scaled >= THOUSAND && prefix < PREFIXES.length - 1) {
    scaled /= 1000;
    prefix++;
  }
  return `${Number(scaled.toPrecision(3))} ${PREFIXES[prefix] ?? ""}`.trim();
}

/** A value of a cost with its unit: `12.3 kB/s`, `1,400 µs/s`. */
export function inUnit(value: number, { unit }: Pick<Cost, "unit">): string {
  if (unit.startsWith("B")) {
    const text = human(value);
    return /[a-zA-Z]$/.test(text) ? text + unit : `${text} ${unit}`;
  }
  if (!(value < SENSIBLE_MAX)) return `∞ ${unit}`;
  return `${Math.round(value).toLocaleString("en")} ${unit}`;
}
