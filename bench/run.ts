// npm run bench [-- suite ...] [--json FILE] [--seconds S] [--nodes N] [--peers N]: runs the suites and prints a table.

import { writeFileSync } from "node:fs";
import { arch, cpus, platform, totalmem } from "node:os";
import { parseArgs } from "node:util";
import type { BenchResult, BenchSuite } from "./measure.ts";

const suites: Record<string, () => Promise<{ suite: BenchSuite }>> = {
  crypto: () => import("./crypto.ts"),
  handshake: () => import("./handshake.ts"),
  mesh: () => import("./mesh.ts"),
  detection: () => import("./detection.ts"),
  beacons: () => import("./beacons.ts"),
  learning: () => import("./learning.ts"),
  orchestrators: () => import("./orchestrators.ts"),
  robustness: () => import("./robustness.ts"),
  round: () => import("./round.ts"),
  issuance: () => import("./issuance.ts"),
  revocation: () => import("./revocation.ts"),
  tunnel: () => import("./tunnel.ts"),
  "healing-cost": () => import("./healing-cost.ts"),
  tracing: () => import("./tracing.ts"),
  idle: () => import("./idle.ts"),
  executable: () => import("./executable.ts"),
  leak: () => import("./leak.ts"),
  recall: () => import("./recall.ts"),
  healing: () => import("./healing.ts"),
  "constant-time": () => import("./constant-time.ts"),
};

/** Suites that run only when they are named, because they take a minute, and how long they measure unless told. */
const onRequest: Readonly<Record<string, { seconds: number }>> = {
  detection: { seconds: 120 },
  orchestrators: { seconds: 1 },
  robustness: { seconds: 1 },
  round: { seconds: 1 },
  revocation: { seconds: 1 },
  idle: { seconds: 30 },
  executable: { seconds: 30 },
  leak: { seconds: 1 },
  recall: { seconds: 1 },
  healing: { seconds: 1 },
  "constant-time": { seconds: 10 },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "string" },
    seconds: { type: "string" },
    nodes: { type: "string", default: "5" },
    peers: { type: "string", default: "10000" },
    preset: { type: "string" },
    table: { type: "string" },
    rules: { type: "string" },
    heterogeneity: { type: "string" },
    byzantine: { type: "string" },
    attacks: { type: "string" },
    compression: { type: "string" },
    seeds: { type: "string" },
    from: { type: "string" },
    modes: { type: "string" },
    cases: { type: "string" },
    keep: { type: "string" },
    crowd: { type: "string" },
  },
});
const chosen =
  positionals.length > 0 ? positionals : Object.keys(suites).filter((name) => !(name in onRequest));

/** A whole number of an option. */
function countOf(option: "nodes" | "peers", min: number): number {
  const count = Number(values[option]);
  if (Number.isSafeInteger(count) && count >= min) return count;
  throw new RangeError(
    `--${option} must be a whole number from ${min}: current value is ${values[option]}`,
  );
}

/** How long to spend on each row of a suite. */
function secondsFor(name: string): number {
  const seconds = Number(values.seconds ?? onRequest[name]?.seconds ?? 1);
  if (seconds > 0) return seconds;
  throw new RangeError(
    `--seconds must be a positive number: current value is ${values.seconds ?? ""}`,
  );
}

const machine = {
  cpu: cpus()[0]?.model ?? "unknown",
  cores: cpus().length,
  memoryBytes: totalmem(),
  platform: `${platform()}-${arch()}`,
  node: process.version,
  openssl: process.versions.openssl,
};
const results: BenchResult[] = [];
for (const name of chosen) {
  const load = suites[name];
  if (load === undefined)
    throw new RangeError(`No suite '${name}': there are ${Object.keys(suites).join(", ")}.`);
  const { suite } = await load();
  await suite(
    (row) => {
      results.push(row);
      const number = (value: number): string => value.toPrecision(4).padStart(10);
      console.log(
        `${row.name.padEnd(52)} ${number(row.value)} ${row.unit.padEnd(6)} p95 ${number(row.p95)}  p99 ${number(row.p99)}  n ${row.n}`,
      );
    },
    {
      ...{ seconds: secondsFor(name), slice: values },
      ...{ nodes: countOf("nodes", 2), peers: countOf("peers", 10) },
    },
  );
}
if (values.json !== undefined) {
  const report = { schemaVersion: 1, suite: chosen.join("+"), machine, results };
  writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
}
