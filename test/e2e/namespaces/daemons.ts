// The daemons of the bundle in namespaces, and what each says of the others: their "member changed" lines, by when they
// came here, so that no clock but ours counts.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { daemonRuntime } from "../../../src/cli/daemon-program.ts";
import { ControlClient } from "../../../src/control/index.ts";
import { TRUST_DOMAIN, until } from "../../integration/node/harness.ts";
import { mountDisk, unmountDisk } from "../../integration/node/small-disk.ts";
import { addressOf, Namespaces } from "./namespaces.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const START_DEADLINE_MS = 60_000;
const RECENT_MAX = 40;

export interface DaemonMeshOptions {
  /** @default node-0, node-1, … */
  readonly names?: readonly string[];
  /** What a node's configuration has beside or instead of the usual, by whole sections. */
  readonly settings?: (node: number) => object;
  /** Options of Node.js for the daemons. */
  readonly flags?: readonly string[];
  /** Megabytes of a disk for a node's state alone. @default it shares the host's */
  readonly disk?: (node: number) => number | undefined;
  /** Namespaces behind those of the nodes, for whoever else is on the network. @default 0 */
  readonly strangers?: number;
}

/** Everything that runs; `close` ends it all, also after a failure in the middle. */
export class DaemonMesh {
  readonly namespaces: Namespaces;
  readonly clients: readonly ControlClient[];
  /** By observer, what it holds of each other node. */
  readonly views: readonly Map<number, string>[];
  readonly names: readonly string[];
  readonly #directory: string;
  readonly #options: DaemonMeshOptions;
  readonly #processes: (ChildProcess | undefined)[];
  readonly #nodes = new Map<string, number>();
  readonly #recent: string[] = [];
  readonly #disks: string[] = [];

  private constructor(
    namespaces: Namespaces,
    names: readonly string[],
    options: DaemonMeshOptions,
  ) {
    this.namespaces = namespaces;
    this.names = names;
    this.#directory = mkdtempSync(join(tmpdir(), "x0ns-"));
    this.#options = options;
    const nodes = names.map((_, node) => node);
    this.clients = nodes.map((node) => new ControlClient({ socketPath: this.socketOf(node) }));
    this.views = nodes.map(() => new Map());
    this.#processes = nodes.map(() => undefined);
  }

  /** Starts all of them and enrols them with the first. */
  static async start(nodes: number, options: DaemonMeshOptions = {}): Promise<DaemonMesh> {
    const namespaces = await Namespaces.make(nodes + (options.strangers ?? 0));
    const { names = Array.from({ length: nodes }, (_, node) => `node-${node}`) } = options;
    const mesh = new DaemonMesh(namespaces, names, options);
    try {
      mesh.#build();
      for (let node = 0; node < nodes; node++) mesh.#prepare(node);
      for (let node = 0; node < nodes; node++) mesh.boot(node);
      await mesh.#enrol();
      return mesh;
    } catch (error) {
      await mesh.close();
      throw error;
    }
  }

  get size(): number {
    return this.views.length;
  }

  /** The control socket of a node. */
  socketOf(node: number): string {
    return join(this.#directory, `${node}.sock`);
  }

  /** A program of the bundle. */
  programOf(name: "meshd" | "meshctl"): string {
    return join(this.#directory, "bundle", `${name}.mjs`);
  }

  /** Its `state_dir`. */
  stateOf(node: number): string {
    return join(this.#directory, String(node));
  }

  /** Tells something to a module that was loaded into the daemon before it. */
  tell(node: number, message: object): void {
    this.#processes[node]?.send(message);
  }

  isUp(node: number): boolean {
    return this.#processes[node] !== undefined;
  }

  /** Starts a daemon; `environment` may hold what shifts its clock. */
  boot(node: number, environment: NodeJS.ProcessEnv = {}): void {
    const config = join(this.#directory, `${node}.yml`);
    writeFileSync(config, this.#configuration(node));
    const { flags = [] } = this.#options;
    const program = [...flags, this.programOf("meshd")];
    const daemon = [process.execPath, ...daemonRuntime.flags, ...program];
    const namespace = this.namespaces.names[node] ?? "";
    const child = spawn("ip", ["netns", "exec", namespace, ...daemon, "--config", config], {
      // The fourth channel ties the daemon to this process: it stops when we are gone, whatever ended us.
      stdio: ["ignore", "pipe", "inherit", "ipc"],
      env: { ...process.env, ...daemonRuntime.environment, ...environment },
    });
    this.#processes[node] = child;
    this.views[node]?.clear();
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      if (this.#processes[node] === child) this.#take(node, line);
    });
  }

  /** The host loses power: nobody hears of it from the kernel either. */
  async powerLoss(node: number): Promise<void> {
    await this.namespaces.plug(node, "down");
    await this.kill(node);
  }

  async powerOn(node: number, environment?: NodeJS.ProcessEnv): Promise<void> {
    await this.namespaces.plug(node, "up");
    this.boot(node, environment);
  }

  /** kill -9 of the process; its host closes the connections. */
  async kill(node: number): Promise<void> {
    const child = this.#processes[node];
    this.#processes[node] = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.views.map((_, node) => this.kill(node)));
    await this.namespaces.close();
    for (const disk of this.#disks) unmountDisk(disk);
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Not into dist/: other tests run what is there. */
  #build(): void {
    const build = ["packaging/build.mjs", "--quiet", "--outdir", join(this.#directory, "bundle")];
    execFileSync(process.execPath, build, { cwd: root });
  }

  #prepare(node: number): void {
    const state = this.stateOf(node);
    mkdirSync(state, { mode: 0o700 });
    const megabytes = this.#options.disk?.(node);
    if (megabytes === undefined) return;
    const problem = mountDisk(state, megabytes);
    if (problem !== undefined) throw new Error(`no disk for node ${node}: ${problem}`);
    this.#disks.push(state);
  }

  async #enrol(): Promise<void> {
    const [first, ...others] = this.clients;
    if (first === undefined) return;
    const answers = (client: ControlClient) => async (): Promise<boolean> =>
      client.status().then(
        () => true,
        () => false,
      );
    for (const client of this.clients)
      await until("a daemon to answer", answers(client), START_DEADLINE_MS);
    this.#nodes.set(
      (await first.init({ trustDomain: TRUST_DOMAIN, name: this.names[0] ?? "" })).nodeId,
      0,
    );
    for (const [index, client] of others.entries()) {
      const name = this.names[index + 1] ?? "";
      const { token } = await first.createToken({ ttlSeconds: 300, name });
      this.#nodes.set((await client.join({ token, name })).nodeId, index + 1);
    }
  }

  #take(observer: number, line: string): void {
    const { message, nodeId, to, cause } = parse(line);
    const subject = this.#nodes.get(nodeId ?? "");
    if (message !== "member changed" || subject === undefined) return;
    const state = to ?? "forgotten";
    this.views[observer]?.set(subject, state);
    this.#recent.push(`${observer} saw ${subject} ${state} (${cause ?? ""})`);
    if (this.#recent.length > RECENT_MAX) this.#recent.shift();
    this.onChange?.(subject, state);
  }

  /** JSON is YAML. */
  #configuration(node: number): string {
    return JSON.stringify({
      state_dir: this.stateOf(node),
      control: { socket: this.socketOf(node) },
      mesh: { listen: [`/ip4/${addressOf(node)}/tcp/4001`], mdns: false },
      learning: { enabled: false },
      telemetry: { metrics: { listen: "off" } },
      ...this.#options.settings?.(node),
    });
  }

  /** The last changes, for the message of a failure. */
  describe(): string {
    return `the last changes:\n${this.#recent.join("\n")}`;
  }

  /** Told of every change of a view. */
  onChange: ((subject: number, state: string) => void) | undefined;
}

function parse(line: string): Readonly<Partial<Record<string, string>>> {
  try {
    return JSON.parse(line) as Partial<Record<string, string>>;
  } catch {
    return {}; // the line was cut by the end of the process
  }
}
