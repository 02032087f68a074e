// The daemon under load: a process of the real program with a state directory that was made for it, and what /metrics says.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeyFiles } from "../adapters/key-files.ts";
import { systemRandom } from "../adapters/random.ts";
import { StateStore } from "../adapters/sqlite/state-store.ts";
import { ControlClient, type Status } from "../control/index.ts";
import { isMeshError, MeshError } from "../foundation/index.ts";
import { bundleToJson, nodeKeysFromSeeds } from "../identity/index.ts";
import type { ProgramCommand } from "./crowd-process.ts";
import { type Domain, engine, issuerOf } from "./domain.ts";
import { ZONE } from "./virtual-peer.ts";

const START_TIMEOUT_MS = 30_000;
const POLL_MS = 50;
/** A daemon takes four times its target of connections. */
const CONNECTIONS_PER_TARGET = 4;
const CONNECTIONS_TARGET = { min: 16, max: 1_024 };

/** Of /metrics, summed over labels unless said otherwise. */
export interface Sample {
  readonly atMs: number;
  readonly cpuSeconds: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
  readonly lagP99Ms: number;
  readonly heartbeatsAccepted: number;
  readonly statesAccepted: number;
  readonly rejected: number;
}

export class Target {
  readonly directory: string;
  readonly #child: ChildProcess;
  readonly #client: ControlClient;
  #metrics = "";
  #address = "";

  private constructor(directory: string, child: ChildProcess, socketPath: string) {
    this.directory = directory;
    this.#child = child;
    this.#client = new ControlClient({ socketPath });
  }

  /** Starts a member of the domain that has room for `peers`. @throws MeshError `load/target-failed` */
  static async start(daemon: ProgramCommand, domain: Domain, peers: number): Promise<Target> {
    const directory = mkdtempSync(join(tmpdir(), "x0-load-"));
    enrol(join(directory, "state"), domain);
    const socket = join(directory, "c.sock");
    const config = join(directory, "meshd.yml");
    writeFileSync(config, configuration(directory, socket, peers));
    const log = openSync(join(directory, "meshd.log"), "a");
    // The fourth channel ties the daemon to this process.
    const child = spawn(daemon.file, [...daemon.args, "--config", config], {
      argv0: daemon.argv0,
      stdio: ["ignore", log, log, "ipc"],
      cwd: directory,
    });
    closeSync(log);
    const target = new Target(directory, child, socket);
    try {
      await target.#running();
      return target;
    } catch (error) {
      await target.stop();
      throw error;
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Where peers connect to, with `/p2p/`. */
  get address(): string {
    return this.#address;
  }

  /** Members that the daemon holds alive. */
  async alive(): Promise<number> {
    const { peers } = await this.#client.status();
    return peers.filter(({ state }) => state === "alive").length;
  }

  async sample(): Promise<Sample> {
    const response = await fetch(`http://${this.#metrics}/metrics`);
    const text = await response.text();
    const read = (name: string, labels = ""): number => {
      let sum = 0;
      for (const line of text.split("\n")) {
        if (!line.startsWith(`${name}{`) && !line.startsWith(`${name} `)) continue;
        if (line.includes(labels)) sum += Number(line.slice(line.lastIndexOf(" ") + 1));
      }
      return sum;
    };
    const accepted = "meshd_mesh_beacons_accepted_total";
    return {
      atMs: performance.now(),
      cpuSeconds: read("meshd_process_cpu_seconds_total"),
      rssBytes: read("meshd_process_resident_memory_bytes"),
      heapBytes: read("meshd_process_heap_used_bytes"),
      lagP99Ms: read("meshd_process_event_loop_lag_seconds", 'percentile="p99"') * 1_000,
      heartbeatsAccepted: read(accepted, '"heartbeat"'),
      statesAccepted: read(accepted, '"state"'),
      rejected: read("meshd_mesh_beacons_rejected_total"),
    };
  }

  /** SIGTERM, so that a profile is written; then everything of it is removed. */
  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const gone = once(this.#child, "exit");
      this.#child.kill("SIGTERM");
      const killer = setTimeout(() => this.#child.kill("SIGKILL"), START_TIMEOUT_MS);
      await gone;
      clearTimeout(killer);
    }
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #running(): Promise<void> {
    const end = performance.now() + START_TIMEOUT_MS;
    for (;;) {
      const status = await this.#status();
      const [address] = status?.node.addresses ?? [];
      if (status?.node.metricsAddress != null && address !== undefined) {
        this.#metrics = status.node.metricsAddress;
        this.#address = address;
        return;
      }
      if (performance.now() > end || this.#child.exitCode !== null)
        throw new MeshError(
          "load/target-failed",
          `The daemon to be loaded did not start; its log is gone with the run. Start 'meshctl dev up' to see why.`,
        );
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async #status(): Promise<Status | undefined> {
    try {
      return await this.#client.status();
    } catch (error) {
      if (isMeshError(error)) return undefined;
      throw error;
    }
  }
}

/** Leaves in the state directory what enrolment would: keys and a credential. */
function enrol(stateDirectory: string, domain: Domain): void {
  mkdirSync(stateDirectory, { mode: 0o700 });
  const store = new StateStore(stateDirectory);
  const keyFiles = new KeyFiles(join(stateDirectory, "keys"), systemRandom);
  const seeds = { ed25519: keyFiles.seed("ed25519"), mldsa65: keyFiles.seed("ml-dsa-65") };
  const { name, svidChain } = issuerOf(domain)("target", nodeKeysFromSeeds(engine, seeds));
  const { trustDomain } = domain.bundle;
  store.saveCredential({
    trustDomain,
    name,
    bundle: bundleToJson(domain.bundle),
    chain: svidChain,
  });
  store.close();
}

/** JSON is YAML. */
function configuration(directory: string, socket: string, peers: number): string {
  const wanted = Math.ceil((peers + CONNECTIONS_PER_TARGET) / CONNECTIONS_PER_TARGET);
  const target = Math.min(CONNECTIONS_TARGET.max, Math.max(CONNECTIONS_TARGET.min, wanted));
  return JSON.stringify({
    state_dir: join(directory, "state"),
    control: { socket },
    mesh: {
      listen: ["/ip4/127.0.0.1/tcp/0"],
      mdns: false,
      zone: ZONE,
      connections_target: target,
    },
    telemetry: { metrics: { listen: "127.0.0.1:0" }, log: { level: "warn" } },
  });
}
