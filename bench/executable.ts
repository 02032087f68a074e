// The single executable (`npm run build:sea` first): how large it is, how soon an enrolled daemon is ready, and what five idle ones hold.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { daemonRuntime } from "../src/cli/daemon-program.ts";
import { ControlClient, type Status } from "../src/control/index.ts";
import { cpuSeconds, measureIdle } from "./idle.ts";
import { type BenchSuite, summarize } from "./measure.ts";

const STARTS = 11;
const POLL_MS = 2;

const file = fileURLToPath(new URL(`../dist/sea/${process.arch}/meshd`, import.meta.url));

/** One daemon with no peers, started again and again over the same state. */
class Host {
  readonly #directory = mkdtempSync(join(tmpdir(), "x0-start-"));
  readonly #configFile = join(this.#directory, "meshd.yml");
  readonly client = new ControlClient({ socketPath: join(this.#directory, "c.sock") });
  #daemon: ChildProcess | undefined;

  constructor() {
    const configuration = {
      state_dir: join(this.#directory, "state"),
      control: { socket: join(this.#directory, "c.sock") },
      mesh: { listen: ["/ip4/127.0.0.1/tcp/0"], mdns: false },
      telemetry: { metrics: { listen: "127.0.0.1:0" } },
    };
    writeFileSync(this.#configFile, JSON.stringify(configuration));
  }

  /** What passes, and how long the processor works, from starting the program until its control socket says this state. */
  async start(state: Status["node"]["state"]): Promise<{ ms: number; cpuMs: number }> {
    const began = performance.now();
    this.#daemon = spawn(file, ["--config", this.#configFile], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, ...daemonRuntime.environment },
    });
    while ((await this.#state()) !== state) {
      if (this.#daemon.exitCode !== null) throw new Error("The daemon ended while it started.");
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    const ms = performance.now() - began;
    return { ms, cpuMs: 1_000 * cpuSeconds({ pid: this.#daemon.pid ?? 0 }) };
  }

  async stop(): Promise<void> {
    if (this.#daemon?.exitCode !== null) return;
    const gone = once(this.#daemon, "exit");
    this.#daemon.kill("SIGTERM");
    await gone;
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #state(): Promise<string | undefined> {
    return (await this.client.status().catch(() => undefined))?.node.state;
  }
}

async function starts(): Promise<{ ms: number; cpuMs: number }[]> {
  const host = new Host();
  try {
    await host.start("unenrolled");
    await host.client.init({ trustDomain: "bench.mesh", name: "bench" });
    const samples: { ms: number; cpuMs: number }[] = [];
    for (let n = 0; n < STARTS; n++) {
      await host.stop();
      samples.push(await host.start("running"));
    }
    return samples;
  } finally {
    await host.stop();
    host.remove();
  }
}

export const suite: BenchSuite = async (report, options) => {
  if (!existsSync(file))
    throw new Error(`There is no ${file}: make it with "npm run build:sea", and run this again.`);
  report(summarize("executable/size", "MB", [statSync(file).size / 1e6]));
  const started = await starts();
  const row = (name: string, samples: number[]): void => report(summarize(name, "ms", samples));
  row(
    "executable/start",
    started.map(({ ms }) => ms),
  );
  row(
    "executable/start/cpu",
    started.map(({ cpuMs }) => cpuMs),
  );
  await measureIdle("executable", { file, argv0: "meshd", args: [] }, report, options);
};
