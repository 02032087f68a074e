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
import { until } from "../../integration/node/harness.ts";
import { addressOf, Namespaces } from "./namespaces.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const START_DEADLINE_MS = 60_000;
const RECENT_MAX = 40;

/** Everything that runs; `close` ends it all, also after a failure in the middle. */
export class DaemonMesh {
  readonly namespaces: Namespaces;
  readonly clients: readonly ControlClient[];
  /** By observer, what it holds of each other node. */
  readonly views: readonly Map<number, string>[];
  readonly #directory: string;
  readonly #processes: (ChildProcess | undefined)[];
  readonly #nodes = new Map<string, number>();
  readonly #recent: string[] = [];

  private constructor(namespaces: Namespaces, directory: string) {
    this.namespaces = namespaces;
    this.#directory = directory;
    const nodes = namespaces.names.map((_, node) => node);
    this.clients = nodes.map(
      (node) => new ControlClient({ socketPath: join(directory, `${node}.sock`) }),
    );
    this.views = nodes.map(() => new Map());
    this.#processes = nodes.map(() => undefined);
  }

  /** Starts all of them and enrols them with the first. */
  static async start(nodes: number): Promise<DaemonMesh> {
    execFileSync(process.execPath, ["packaging/build.mjs", "--quiet"], { cwd: root });
    const directory = mkdtempSync(join(tmpdir(), "x0ns-"));
    const mesh = new DaemonMesh(await Namespaces.make(nodes), directory);
    try {
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

  isUp(node: number): boolean {
    return this.#processes[node] !== undefined;
  }

  /** Starts a daemon; `environment` may hold what shifts its clock. */
  boot(node: number, environment: NodeJS.ProcessEnv = {}): void {
    const config = join(this.#directory, `${node}.yml`);
    const state = join(this.#directory, String(node));
    mkdirSync(state, { recursive: true, mode: 0o700 });
    writeFileSync(config, configuration(this.#directory, node, state));
    const daemon = [process.execPath, ...daemonRuntime.flags, join(root, "dist/meshd.mjs")];
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
    rmSync(this.#directory, { recursive: true, force: true });
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
      (await first.init({ trustDomain: "namespaces.mesh", name: "node-0" })).nodeId,
      0,
    );
    for (const [index, client] of others.entries()) {
      const name = `node-${index + 1}`;
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

/** JSON is YAML. */
function configuration(directory: string, node: number, state: string): string {
  return JSON.stringify({
    state_dir: state,
    control: { socket: join(directory, `${node}.sock`) },
    mesh: { listen: [`/ip4/${addressOf(node)}/tcp/4001`], mdns: false },
    learning: { enabled: false },
    telemetry: { metrics: { listen: "off" } },
  });
}
