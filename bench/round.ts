// Certified rounds end to end (table B12): real daemons of the bundle on this host, over loopback, and where a round's time goes. The
// reference asks for five Raspberry Pis on a network of 1 Gb/s; here all share this host's cores, and the wire is none.
//   npm run bench -- round [--nodes 5]

import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startCollector } from "../test/integration/node/collector.ts";
import {
  type DaemonProcess,
  enrol,
  scratch,
  spawnDaemon,
  Stack,
  until,
} from "../test/integration/node/harness.ts";
import { type BenchSuite, summarize } from "./measure.ts";

const ROUNDS = 20;
const DEADLINE_MS = 300_000;
/** What the rounds' metric calls them. */
const PHASES = ["collecting", "agreeing", "computing", "certifying"] as const;
/** What updates are collected by, and the spans of it: wire and gate are of one update, of which several come at once. */
const PARTS = { training: "train", wire: "fetch", gate: "open" } as const;
const root = fileURLToPath(new URL("..", import.meta.url));

export const suite: BenchSuite = async (report, { nodes }) => {
  const stack = new Stack();
  try {
    const collector = await startCollector(stack);
    const tracing = { endpoint: collector.endpoint, sample_ratio: 1 };
    const mesh = await startMesh(stack, nodes, tracing);
    await train(mesh);
    const name = `round/n${nodes}-d9930-int8`;
    for (const phase of PHASES) {
      const metric = "meshd_learning_phase_duration_seconds";
      const means = await Promise.all(
        mesh.map(async (daemon) => {
          const sum = await daemon.metric(`${metric}_sum`, { phase });
          return (1000 * sum) / (await daemon.metric(`${metric}_count`, { phase }));
        }),
      );
      report(summarize(`${name}/${phase}`, "ms", means));
    }
    for (const [part, span] of Object.entries(PARTS)) {
      const spans = collector.spans().filter((one) => one.name === `round.${span}`);
      const tookMs = spans.map(({ startNs, endNs }) => Number(endNs - startNs) / 1e6);
      report(summarize(`${name}/of-collecting/${part}`, "ms", tookMs));
    }
    const whole = "meshd_learning_round_duration_seconds";
    const rounds = await Promise.all(
      mesh.map(
        async (daemon) =>
          (1000 * (await daemon.metric(`${whole}_sum`))) / (await daemon.metric(`${whole}_count`)),
      ),
    );
    report(summarize(`${name}/whole`, "ms", rounds));
    const bytes = await Promise.all(
      mesh.map((daemon) => daemon.metric("meshd_learning_transfer_bytes_total")),
    );
    report(
      summarize(
        `${name}/received`,
        "kB",
        bytes.map((sum) => sum / ROUNDS / 1000),
      ),
    );
  } finally {
    await stack.unwind();
  }
};

async function startMesh(stack: Stack, count: number, tracing: object): Promise<DaemonProcess[]> {
  const bundle = scratch(stack);
  execFileSync(process.execPath, ["packaging/build.mjs", "--quiet", "--outdir", bundle], {
    cwd: root,
  });
  const names = Array.from({ length: count }, (_, i) => `n${String(i + 1).padStart(2, "0")}`);
  const mesh = names.map((name) => {
    const directory = join(scratch(stack), name);
    mkdirSync(directory);
    const options = { mesh: { heartbeat_interval: "1s" }, telemetry: { tracing } };
    const command = [process.execPath, join(bundle, "meshd.mjs")];
    return spawnDaemon(stack, options, directory, command);
  });
  await Promise.all(mesh.map((daemon) => daemon.answers(DEADLINE_MS)));
  await enrol(Object.fromEntries(names.map((name, i) => [name, mesh[i] as DaemonProcess])));
  for (const daemon of mesh) {
    const everybody = async (): Promise<boolean> =>
      (await daemon.client.peers()).peers.filter((peer) => peer.connected).length === count - 1;
    await until("all to be connected", everybody, DEADLINE_MS);
  }
  return mesh;
}

/** A network of 9,930 parameters; a fifth of the nodes may lie, and none does. */
async function train(mesh: readonly DaemonProcess[]): Promise<void> {
  await mesh[0]?.client.flRun({
    task: {
      ...{ name: "end-to-end", byzantine: Math.floor(mesh.length / 5), rounds: ROUNDS, seed: 1 },
      model: { kind: "mlp", hidden: 64 },
      orchestrator: { kind: "batch-async", target: mesh.length, deadlineMs: 60_000 },
    },
  });
  for (const daemon of mesh) {
    const isOver = async (): Promise<boolean> =>
      (await daemon.client.flStatus()).learning?.state === "finished";
    await until("the task to be finished", isOver, DEADLINE_MS);
  }
}
