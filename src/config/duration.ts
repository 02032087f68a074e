// Durations as people write them: "500ms", "1s", "5m", "24h", "7d".

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** The milliseconds of a duration such as `90s`; `undefined` for anything else. The result is a safe integer >= 0. */
export function durationMs(text: string): number | undefined {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text);
  const unit = unitMs[match?.[2] ?? ""];
  return match === null || unit === undefined ? undefined : Number(match[1]) * unit;
}

/** The shortest text that {@link durationMs} reads back as `ms`, an integer >= 0. */
export function durationText(ms: number): string {
  for (const [unit, size] of Object.entries(unitMs).reverse()) {
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}
