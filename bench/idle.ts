// What an idle daemon holds and burns: real daemons of the bundle on this host, five unless --nodes says otherwise, left alone once
// all know of all, in automatic zones: up to 24 nodes are one. With --crowd N as many nodes more are in the mesh, all in one process, and are not
// measured. Memory is resident memory as the system counts it, pages of the
// Node binary included, although all daemons share those; CPU is the process's user and system time over the idle period.

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LocalMesh, type LocalNode } from "../src/cli/commands/dev/local-mesh.ts";
import { type DaemonCommand, daemonRuntime } from "../src/cli/daemon-program.ts";
import { Crowd } from "./idle-crowd.ts";
import { type BenchOptions, type BenchResult, type BenchSuite, summarize } from "./measure.ts";

/** For two nodes and for each further one: a start takes half a second of CPU, a join as long as the issuer's limits let it. */
const CONVERGE_TIMEOUT_MS = { base: 60_000, perNode: 4_000 };
/** All daemons are asked so often whether they know all others: seldom enough to be no load. */
const LOOK_MS = 1_000;
/** After the last node has met all others: gossip grafts its meshes, and half a minute of calm later the heap is made small. */
const SETTLE_MS = 60_000;
/** And where there is more than one zone: members are known in the old and the new one for half a minute. */
const ZONES_SETTLE_MS = 90_000;
/** A crowd joins at once and splits into zones over minutes, with pauses of up to two; these must not change for so long. */
const CROWD_SETTLE_MS = 240_000;
const CROWD_TIMEOUT_MS = 900_000;
/** USER_HZ, in which Linux counts CPU time in /proc on every architecture that Node.js runs on. */
const TICKS_PER_SECOND = 100;

const root = fileURLToPath(new URL("../", import.meta.url));

/** Resident memory in bytes: all of it, or the part that is of no file. */
function residentBytes({ pid }: LocalNode, which: "VmRSS" | "RssAnon"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kibibytes = new RegExp(`^${which}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
  if (kibibytes === undefined) throw new Error(`process ${pid} has no ${which}: it has ended`);
  return Number(kibibytes) * 1024;
}

/** CPU time since the start in seconds: fields 14 and 15 of `stat`, the 12th and 13th after the name. */
export function cpuSeconds({ pid }: { readonly pid: number }): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new Error("interrupted"));
    });
  });
}

async function converge(
  mesh: LocalMesh,
  crowd: Crowd | undefined,
  nodes: number,
  signal: AbortSignal,
): Promise<void> {
  const nothing = (): void => undefined;
  await mesh.answering(signal);
  await mesh.enrol(nothing);
  const issuer = mesh.nodes[0]?.client;
  if (crowd !== undefined && issuer !== undefined) {
    await crowd.enrol(issuer);
    await untilCalm(issuer, nodes, signal);
    return;
  }
  // Not connected to all, nor knowing each by name: in a larger mesh nobody is, nor does.
  const limitMs = CONVERGE_TIMEOUT_MS.base + CONVERGE_TIMEOUT_MS.perNode * nodes;
  const end = performance.now() + limitMs;
  const knowsOf = async ({ client }: LocalNode): Promise<number> =>
    (await client.zones()).zones.reduce((sum, { members }) => sum + members, 0);
  for (;;) {
    const known = await Promise.all(mesh.nodes.map(knowsOf));
    if (known.every((some) => some >= nodes)) break;
    if (performance.now() > end) throw new Error(`not all know all after ${limitMs} ms`);
    await pause(LOOK_MS, signal);
  }
  const zones = await mesh.nodes[0]?.client.zones();
  await pause(zones?.zones.length === 1 ? SETTLE_MS : ZONES_SETTLE_MS, signal);
}

/** Until a node has seen the same zones, with all nodes in them, for a while. */
async function untilCalm(
  client: LocalNode["client"],
  nodes: number,
  signal: AbortSignal,
): Promise<void> {
  const end = performance.now() + CROWD_TIMEOUT_MS;
  let last = "";
  let since = performance.now();
  while (performance.now() - since < CROWD_SETTLE_MS) {
    if (performance.now() > end)
      throw new Error(
        `the zones of ${nodes} nodes still change after ${CROWD_TIMEOUT_MS} ms: ${last}`,
      );
    await pause(LOOK_MS, signal);
    const { zones } = await client.zones();
    const seen = zones.map(({ zone, members }) => `${zone} ${members}`).join(", ");
    const known = zones.reduce((sum, { members }) => sum + members, 0);
    if (seen !== last || known < nodes) since = performance.now();
    last = seen;
  }
}

export const suite: BenchSuite = async (report, options) => {
  execFileSync(process.execPath, ["packaging/build.mjs", "--quiet"], {
    cwd: root,
    stdio: "inherit",
  });
  const args = [...daemonRuntime.flags, join(root, "dist/meshd.mjs")];
  const daemon = { file: process.execPath, argv0: process.execPath, args };
  await measureIdle("idle", daemon, report, options);
};

/** Reports rows that begin with `name` on five of `daemon`. */
export async function measureIdle(
  name: string,
  daemon: DaemonCommand,
  report: (row: BenchResult) => void,
  { seconds, nodes, slice }: BenchOptions,
): Promise<void> {
  if (!existsSync("/proc/self/status"))
    throw new Error("Idle daemons are measured in /proc: run this suite on Linux.");
  const directory = mkdtempSync(join(tmpdir(), "x0-idle-"));
  const interrupt = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => interrupt.abort());
  const options = { directory, nodes, byzantine: 0, csv: undefined, daemon, zone: "auto" };
  const crowdNodes = Number(slice["crowd"] ?? 0);
  if (!Number.isSafeInteger(crowdNodes) || crowdNodes < 0)
    throw new RangeError(`--crowd must be a whole number: current value is ${slice["crowd"]}`);
  const mesh = LocalMesh.spawn(options);
  let crowd: Crowd | undefined;
  try {
    if (crowdNodes > 0) crowd = await Crowd.start(crowdNodes);
    await converge(mesh, crowd, nodes + crowdNodes, interrupt.signal);
    const before = mesh.nodes.map(cpuSeconds);
    const start = performance.now();
    await pause(seconds * 1000, interrupt.signal);
    const elapsedSeconds = (performance.now() - start) / 1000;
    const busy = mesh.nodes.map((node, index) => cpuSeconds(node) - (before[index] ?? 0));
    const rss = mesh.nodes.map((node) => residentBytes(node, "VmRSS"));
    const anonymous = mesh.nodes.map((node) => residentBytes(node, "RssAnon"));
    const row = (what: string, unit: string, samples: readonly number[]): void =>
      report(summarize(`${name}/${what}`, unit, samples));
    // 1 MB is 10^6 bytes, 1 MiB 2^20. With few samples the column p99 is their maximum.
    const megabytes = (bytes: number): number => bytes / 1e6;
    row("rss", "MB", rss.map(megabytes));
    row(
      "rss/binary-units",
      "MiB",
      rss.map((bytes) => bytes / 2 ** 20),
    );
    row("rss/anonymous", "MB", anonymous.map(megabytes));
    row(
      "cpu",
      "%",
      busy.map((used) => (100 * used) / elapsedSeconds),
    );
  } finally {
    await mesh.stop();
    crowd?.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}
