// Quantities as people read them.

const secondMs = 1_000;
const units: readonly (readonly [string, number])[] = [
  ["d", 86_400 * secondMs],
  ["h", 3_600 * secondMs],
  ["min", 60 * secondMs],
  ["s", secondMs],
];

/** A span as its two largest units: `3 h 12 min`, `45 s`; below a second `250 ms`. `ms` may be negative: the sign is dropped. */
export function spanText(ms: number): string {
  const span = Math.abs(ms);
  if (span < secondMs) return `${Math.round(span)} ms`;
  const first = units.findIndex(([, size]) => span >= size);
  let rest = span;
  const parts: string[] = [];
  for (const [unit, size] of units.slice(first, first + 2)) {
    const amount = Math.floor(rest / size);
    rest -= amount * size;
    if (amount > 0) parts.push(`${amount} ${unit}`);
  }
  return parts.join(" ");
}

/** `in 3 h` or `3 h ago`. */
export function relativeText(iso: string, nowMs: number): string {
  const distance = Date.parse(iso) - nowMs;
  return distance >= 0 ? `in ${spanText(distance)}` : `${spanText(distance)} ago`;
}

/** An ISO time to the second, in UTC. */
export function timeText(iso: string): string {
  return `${iso.slice(0, 19).replace("T", " ")} UTC`;
}

/** Milliseconds with a unit, or a dash: `0.42 ms`, `12.3 ms`, `1.2 s`. */
export function msText(ms: number | null): string {
  if (ms === null) return "–";
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${ms.toFixed(ms < 1 ? 2 : 1)} ms`;
}

/** A link's or a path's cost, which has no unit; without one there is no link. */
export function costText(cost: number | null): string {
  return cost === null ? "∞" : cost.toFixed(0);
}

/** An age, or a dash. */
export function ageText(ms: number | null): string {
  return ms === null ? "–" : ms < 10_000 ? `${(ms / 1_000).toFixed(1)} s` : spanText(ms);
}

/** Mebibytes. */
export function bytesText(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

/** A ratio of [0, 1] in percent. */
export function percentText(ratio: number | null): string {
  return ratio === null ? "–" : `${(ratio * 100).toFixed(1)} %`;
}

/** A handshake suite by what tells it apart: `XXhfs 25519+MLKEM768`. */
export function suiteText(suite: string | null): string {
  if (suite === null) return "–";
  const [noise, pattern, exchange] = suite.split("_");
  return noise === "Noise" && pattern !== undefined && exchange !== undefined
    ? `${pattern} ${exchange}`
    : suite;
}

/** The first digits of a long id. */
export function shortId(id: string): string {
  return id.length > 12 ? `${id.slice(0, 12)}…` : id;
}
