// The naming rule of metrics, as a check: `meshd_<room>_<noun>_<unit>`, counters `_total`, base units.

import type { MetricDeclaration } from "../ports/index.ts";

/** What may stand behind `meshd_`: the rooms that declare metrics, and the process itself. */
const subjects = [
  "crypto",
  "identity",
  "audit",
  "federation",
  "handshake",
  "mesh",
  "learning",
  "health",
  "healing",
  "network",
  "tunnel",
  "node",
  "telemetry",
  "process",
  "build",
];

const bucketsMax = 10;

/** What is wrong with a declaration; empty when nothing is. */
export function metricProblems({ name, kind, help, labels, buckets }: MetricDeclaration): string[] {
  const problems: string[] = [];
  const subject = /^meshd_([a-z0-9]+)(?:_[a-z0-9]+)+$/.exec(name)?.[1];
  if (subject === undefined || !subjects.includes(subject)) {
    problems.push(`${name} must be meshd_<room>_<noun>_<unit> in lower case`);
  }
  if ((kind === "counter") !== name.endsWith("_total"))
    problems.push(`${name}: counters, and only they, end in _total`);
  if (/_(ms|milliseconds|minutes|hours|kilobytes|megabytes|percent)(_total)?$/.test(name)) {
    problems.push(`${name} must be in a base unit: seconds, bytes or ratio`);
  }
  if (help.length < 10)
    problems.push(`${name} needs a help text that says what one increment or the value means`);
  for (const label of Object.keys(labels ?? {})) {
    if (!/^[a-z][a-z0-9_]*$/.test(label) || label === "le")
      problems.push(`${name} has the bad label name ${label}`);
  }
  if (kind === "histogram" && !isAscending(buckets ?? [])) {
    problems.push(`${name} needs 1 to ${bucketsMax} ascending buckets`);
  }
  if (kind !== "histogram" && buckets !== undefined)
    problems.push(`${name} has buckets but is a ${kind}`);
  return problems;
}

function isAscending(buckets: readonly number[]): boolean {
  return (
    buckets.length >= 1 &&
    buckets.length <= bucketsMax &&
    buckets.every((bound, index) => bound > (buckets[index - 1] ?? -Infinity))
  );
}
