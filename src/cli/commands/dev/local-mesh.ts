// A mesh of real daemons on this host: one process a node, each with its own state directory, socket and ports.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { ControlClient, type Status } from "../../../control/index.ts";
import { isMeshError, MeshError } from "../../../foundation/index.ts";
import { type DaemonCommand, daemonRuntime } from "../../daemon-program.ts";
import { joinPatiently } from "../../patient-join.ts";

/** Codes of `meshctl dev up`. */
export type DevErrorCode =
  | "dev/node-failed"
  | "dev/timeout"
  | "dev/no-progress"
  | "dev/bad-option"
  | "dev/interrupted";

export interface LocalMeshOptions {
  /** Where configuration, state and logs go; wiped at the start. */
  readonly directory: string;
  readonly nodes: number;
  /** How many of the nodes, the last ones, are configured as adversaries. */
  readonly byzantine: number;
  readonly csv: { readonly file: string; readonly label: string } | undefined;
  readonly daemon: DaemonCommand;
  /** `mesh.zone` of all. @default the daemon's */
  readonly zone?: string;
}

/** All daemons share this host: fifty joins at once would each take longer than an issuer waits. */
const JOINS_AT_ONCE = 8;
/** They share its address too, from which the first node lets in so many strangers a second only. */
const JOIN_PATIENCE_MS = 120_000;
/** How long a daemon may take to start, to answer beside all the others, and to stop before it is killed. */
const START_TIMEOUT_MS = 60_000;
const ANSWER_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 8_000;
const TRUST_DOMAIN = "dev.mesh";

/** One daemon process. */
export class LocalNode {
  readonly name: string;
  readonly role: "honest" | "byzantine";
  readonly client: ControlClient;
  readonly logFile: string;
  readonly #process: ChildProcess;
  /** The last status it gave; kept when the process is gone. */
  status: Status | undefined;

  constructor(
    name: string,
    role: LocalNode["role"],
    socketPath: string,
    logFile: string,
    child: ChildProcess,
  ) {
    this.name = name;
    this.role = role;
    this.client = new ControlClient({ socketPath, timeoutMs: ANSWER_TIMEOUT_MS });
    this.logFile = logFile;
    this.#process = child;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Whether the process runs. */
  get alive(): boolean {
    return (
      this.#process.exitCode === null &&
      this.#process.signalCode === null &&
      this.#process.pid !== undefined
    );
  }

  /** Asks the daemon for its status; undefined when the process is gone or does not answer. */
  async refresh(): Promise<Status | undefined> {
    if (!this.alive) return undefined;
    try {
      this.status = await this.client.status();
      return this.status;
    } catch (error) {
      if (isMeshError(error)) return undefined;
      throw error;
    }
  }

  /** SIGTERM, and SIGKILL for one that does not go. */
  async stop(): Promise<void> {
    if (!this.alive) return;
    const gone = once(this.#process, "exit");
    this.#process.kill("SIGTERM");
    const killer = setTimeout(() => this.#process.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await gone;
    clearTimeout(killer);
  }
}

/** The processes of a local mesh. After {@link LocalMesh.stop} nothing of it runs and no socket is left. */
export class LocalMesh {
  readonly nodes: readonly LocalNode[];
  readonly #socketDirectory: string;

  private constructor(nodes: readonly LocalNode[], socketDirectory: string) {
    this.nodes = nodes;
    this.#socketDirectory = socketDirectory;
  }

  /** Writes the configurations and starts the processes; they are not enrolled yet. */
  static spawn(options: LocalMeshOptions): LocalMesh {
    const directory = resolve(options.directory);
    clearDirectory(directory);
    // A socket's path may have 107 bytes at most, and a clone may lie deep: sockets live in a directory of their own.
    const sockets = mkdtempSync(join(tmpdir(), "x0-dev-"));
    const nodes = Array.from({ length: options.nodes }, (_, index) => {
      const role = index >= options.nodes - options.byzantine ? "byzantine" : "honest";
      return spawnNode(`node-${index + 1}`, role, directory, sockets, options);
    });
    return new LocalMesh(nodes, sockets);
  }

  living(): LocalNode[] {
    return this.nodes.filter((node) => node.alive);
  }

  /**
   * Waits until every daemon answers.
   * @throws MeshError `dev/node-failed`, `dev/timeout`
   */
  async answering(signal: AbortSignal): Promise<void> {
    await waitFor("every daemon to answer", START_TIMEOUT_MS, signal, async () => {
      const dead = this.nodes.find((node) => !node.alive);
      if (dead !== undefined) {
        throw new MeshError<DevErrorCode>(
          "dev/node-failed",
          `${dead.name} ended while it started. Read its log: ${dead.logFile}`,
          { name: dead.name },
        );
      }
      const answers = await Promise.all(this.nodes.map((node) => node.refresh()));
      return answers.every((answer) => answer !== undefined);
    });
  }

  /** The first node makes the trust domain, the others join it with one-time tokens. */
  async enrol(joined: (node: LocalNode) => void): Promise<void> {
    const [first, ...others] = this.nodes;
    if (first === undefined) return;
    await first.client.init({ trustDomain: TRUST_DOMAIN, name: first.name });
    joined(first);
    const joinAll = async (): Promise<void> => {
      for (let node = others.shift(); node !== undefined; node = others.shift()) {
        const { token } = await first.client.createToken({ ttlSeconds: 300, name: node.name });
        await joinPatiently(node.client, { token, name: node.name }, JOIN_PATIENCE_MS);
        joined(node);
      }
    };
    await Promise.all(Array.from({ length: JOINS_AT_ONCE }, joinAll));
  }

  /** Waits until every living node sees all the others alive and connected. */
  async converged(timeoutMs: number, signal: AbortSignal, progress: () => void): Promise<void> {
    await waitFor("every node to see all the others", timeoutMs, signal, async () => {
      await Promise.all(this.nodes.map((node) => node.refresh()));
      progress();
      const living = this.living();
      return living.every((node) => connectedPeers(node) >= living.length - 1);
    });
  }

  /** Stops all processes and removes the sockets. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
    rmSync(this.#socketDirectory, { recursive: true, force: true });
  }
}

/** How many peers a node sees alive over an authenticated connection, as of its last status. */
export function connectedPeers(node: LocalNode): number {
  return (node.status?.peers ?? []).filter((peer) => peer.connected && peer.state === "alive")
    .length;
}

/** Polls until the condition holds. */
export async function waitFor(
  what: string,
  timeoutMs: number,
  signal: AbortSignal,
  condition: () => Promise<boolean>,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (signal.aborted) throw new MeshError<DevErrorCode>("dev/interrupted", "Interrupted.");
    if (performance.now() > end) {
      throw new MeshError<DevErrorCode>(
        "dev/timeout",
        `Waited ${Math.round(timeoutMs / 1000)} s for ${what}. Read the logs of the nodes.`,
      );
    }
    await pause(100);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => {
    setTimeout(done, ms);
  });
}

/** The file by which a directory is known to be ours to wipe. */
const MARKER = ".x0-dev-mesh";

/** @throws MeshError `dev/bad-option` for a directory that holds anything we have not made */
function clearDirectory(directory: string): void {
  if (existsSync(directory)) {
    if (!existsSync(join(directory, MARKER)) && readdirSync(directory).length > 0) {
      throw new MeshError<DevErrorCode>(
        "dev/bad-option",
        `Cannot use '${directory}' for the nodes: it would be wiped, and it holds files of somebody else. Name an empty or absent directory with --dir.`,
        { directory },
      );
    }
    rmSync(directory, { recursive: true });
  }
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(join(directory, MARKER), "");
}

function spawnNode(
  name: string,
  role: LocalNode["role"],
  directory: string,
  sockets: string,
  options: LocalMeshOptions,
): LocalNode {
  const home = join(directory, name);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const socketPath = join(sockets, `${name}.sock`);
  const configFile = join(home, "meshd.yml");
  writeFileSync(configFile, configuration(home, socketPath, role, options));
  const logFile = join(home, "meshd.log");
  const log = openSync(logFile, "a");
  // The fourth channel ties the daemon to this process: it stops when we are gone, whatever ended us.
  const { file, argv0, args } = options.daemon;
  const child = spawn(file, [...args, "--config", configFile], {
    argv0,
    stdio: ["ignore", log, log, "ipc"],
    cwd: home,
    env: { ...process.env, ...daemonRuntime.environment },
  });
  closeSync(log);
  return new LocalNode(name, role, socketPath, logFile, child);
}

/** JSON is YAML: the strings quote themselves. */
function configuration(
  home: string,
  socketPath: string,
  role: LocalNode["role"],
  { csv, zone }: LocalMeshOptions,
): string {
  return `${JSON.stringify(
    {
      state_dir: join(home, "state"),
      control: { socket: socketPath },
      mesh: {
        ...{ listen: ["/ip4/127.0.0.1/tcp/0"], mdns: false },
        ...(zone === undefined ? {} : { zone }),
      },
      learning: { adversary: role === "byzantine", ...(csv === undefined ? {} : { csv }) },
      telemetry: { metrics: { listen: "127.0.0.1:0" } },
    },
    null,
    2,
  )}\n`;
}
