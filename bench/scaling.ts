// The scaling report: runs the sizes, prints what each cost, and writes docs/scaling.md and docs/scaling.svg.
//
//   npm run sim:scaling                     100, 500, 1,000, 2,000 and 10,000 nodes
//   npm run sim:scaling -- --quick          three small sizes, to stdout only
//   npm run sim:scaling -- --sizes 100,400  others; --out <folder> for where to write; --json for the numbers

import { execFileSync } from "node:child_process";
import { hash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  createSimEngine,
  measureSize,
  scalingChart,
  scalingReport,
  type SizeResult,
} from "../src/sim/index.ts";

const FULL_SIZES = [100, 500, 1_000, 2_000, 10_000];
const QUICK_SIZES = [100, 169, 256];
const FULL = { settleMs: 40_000, measureMs: 60_000 };
/** The largest size pays for its seconds: it has less time to settle, and is measured for a sixth of the time. */
const LARGE = { settleMs: 30_000, measureMs: 10_000 };
const LARGE_FROM_NODES = 5_000;
const QUICK = { settleMs: 20_000, measureMs: 10_000 };
const PREDICTED_NODES = 100_000;
const LOSS_RATIO = 0.05;

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    sizes: { type: "string" },
    seed: { type: "string", default: "1" },
    out: { type: "string" },
  },
});

const engine = createSimEngine((data) => hash("sha256", data, "buffer"));
const sizes = values.sizes?.split(",").map(Number) ?? (values.quick ? QUICK_SIZES : FULL_SIZES);
const seed = Number(values.seed);
const out = values.out ?? (values.quick || values.sizes !== undefined ? undefined : "docs");

const results: SizeResult[] = [];
for (const nodes of sizes) {
  const times = values.quick ? QUICK : nodes >= LARGE_FROM_NODES ? LARGE : FULL;
  const result = measureSize(
    { engine, wallMicros: () => performance.now() * 1000, cpuMicros, memoryBytes },
    { nodes, seed, lossRatio: LOSS_RATIO, ...times },
  );
  results.push(result);
  console.error(
    `${nodes} nodes: ${result.virtualSeconds} s in ${result.wallSeconds.toFixed(1)} s (${result.hostCpuSeconds.toFixed(1)} s CPU), ` +
      `${(result.perNode.bytesPerSecond / 1000).toFixed(1)} kB/s sent per node, trace ${result.traceDigest.slice(0, 16)}`,
  );
  if (out !== undefined && results.length > 1) write(out);
}
if (values.json) console.log(JSON.stringify(results, undefined, 2));
else if (out === undefined && results.length > 1) console.log(report());

function report(): string {
  return scalingReport(results, {
    command: `npm run sim:scaling${values.quick ? " -- --quick" : ""}${values.sizes === undefined ? "" : ` -- --sizes ${values.sizes}`}`,
    commit: execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim(),
    seed,
    lossRatio: LOSS_RATIO,
    predictedNodes: PREDICTED_NODES,
  });
}

/** After every size: what a later one costs, or breaks, does not take what is there already. */
function write(folder: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "scaling.md"), report());
  writeFileSync(join(folder, "scaling.svg"), scalingChart(results, PREDICTED_NODES));
}

function cpuMicros(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

/** Heap and array buffers in use; after a collection when node runs with --expose-gc. */
function memoryBytes(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
