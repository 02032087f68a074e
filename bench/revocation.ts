// How soon a revocation is everywhere: real daemons of the bundle on this host, ten with `--nodes 10`, of which the issuer shuts one out after
// the other. For each of those that are left, from the command on: until it goes by the new bundle, and until the node is no peer of it any
// more; and what that costs a node in CPU time, idle work of these seconds included. The objective: five seconds, the slowest node included.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LocalMesh, type LocalNode } from "../src/cli/commands/dev/local-mesh.ts";
import { daemonRuntime } from "../src/cli/daemon-program.ts";
import { cpuSeconds } from "./idle.ts";
import { type BenchSuite, summarize } from "./measure.ts";

const CONVERGE_MS = 180_000;
const GIVE_UP_MS = 20_000;
/** Seldom enough to be no load. */
const LOOK_MS = 200;
/** Nodes that are left for the last one to be shut out of. */
const LEFT_MIN = 4;

const root = fileURLToPath(new URL("../", import.meta.url));

export const suite: BenchSuite = async (report, { nodes }) => {
  execFileSync(process.execPath, ["packaging/build.mjs", "--quiet"], {
    cwd: root,
    stdio: "inherit",
  });
  const args = [...daemonRuntime.flags, join(root, "dist/meshd.mjs")];
  const daemon = { file: process.execPath, argv0: process.execPath, args };
  const directory = mkdtempSync(join(tmpdir(), "x0-revocation-"));
  const interrupt = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => interrupt.abort());
  const mesh = LocalMesh.spawn({ directory, nodes, byzantine: 0, csv: undefined, daemon });
  try {
    await mesh.answering(interrupt.signal);
    await mesh.enrol(() => undefined);
    await mesh.converged(CONVERGE_MS, interrupt.signal, () => undefined);
    const [issuer, ...others] = mesh.nodes;
    if (issuer === undefined) throw new Error("there is no issuer");
    const [reached, dropped, busy]: [number[], number[], number[]] = [[], [], []];
    while (others.length >= LEFT_MIN && !interrupt.signal.aborted) {
      const out = others.pop();
      if (out === undefined) break;
      const start = performance.now();
      const before = others.map(cpuSeconds);
      const { sequence } = await issuer.client.revokeNode({ peer: out.name });
      const left = [issuer, ...others].map(async (node) => {
        await until(
          `${node.name} to have the bundle`,
          async () => ((await node.client.identity()).bundle?.sequence ?? 0) >= sequence,
        );
        reached.push(performance.now() - start);
        await until(
          `${node.name} to drop ${out.name}`,
          async () => !(await isConnected(node, out.name)),
        );
        dropped.push(performance.now() - start);
      });
      await Promise.all(left);
      busy.push(...others.map((node, index) => 1_000 * (cpuSeconds(node) - (before[index] ?? 0))));
    }
    report(summarize("revocation/bundle", "ms", reached));
    report(summarize("revocation/dropped", "ms", dropped));
    report(summarize("revocation/cpu", "ms", busy));
    report(summarize("revocation/dropped/worst", "ms", [Math.max(...dropped)]));
  } finally {
    await mesh.stop();
    rmSync(directory, { recursive: true, force: true });
  }
};

async function isConnected({ client }: LocalNode, name: string): Promise<boolean> {
  return (await client.peers()).peers.some((peer) => peer.name === name && peer.connected);
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + GIVE_UP_MS; !(await isSo()); ) {
    if (performance.now() > end) throw new Error(`waited ${GIVE_UP_MS} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
