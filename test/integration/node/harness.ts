// Real daemons for tests: in this process (fast) or as processes of their own (signals, exit statuses), each on
// ports that the system chooses, with its state in a directory that is gone afterwards.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import assert from "node:assert/strict";
import { parseConfig } from "../../../src/config/index.ts";
import { ControlClient, type Peer, type Status } from "../../../src/control/index.ts";
import { isMeshError, type MeshError } from "../../../src/foundation/index.ts";
import { createNode, type LoadedConfig, type MeshNode } from "../../../src/node/index.ts";

export const TRUST_DOMAIN = "it.mesh";
const BUILD = { version: "0.0.0-test", commit: "test" };
const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));
const DEADLINE_MS = 20_000;
const POLL_MS = 25;

/** What a test may hook its cleaning up on: a test context, or a suite's `after`. */
export interface Cleanup {
  after(work: () => void | Promise<void>): void;
}

/** Sections of meshd.yml that are merged over the harness's own. */
export interface FileOptions {
  readonly state_dir?: string;
  readonly control?: object;
  readonly mesh?: object;
  readonly identity?: object;
  readonly audit?: object;
  readonly federation?: object;
  readonly join?: object;
  readonly attestors?: object;
  readonly roles?: readonly object[];
  readonly policy?: readonly {
    readonly spiffe: string;
    readonly allow?: readonly string[];
    readonly roles?: readonly string[];
  }[];
  readonly workload_api?: object;
  readonly tunnel?: object;
  readonly learning?: object;
  readonly healing?: object;
  readonly crypto?: object;
  readonly telemetry?: {
    readonly metrics?: object;
    readonly log?: object;
    readonly tracing?: object;
  };
}

/** A directory that lives as long as the test. */
export function scratch(t: Cleanup): string {
  const directory = mkdtempSync(join(tmpdir(), "meshd-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** The text of a configuration file; JSON is YAML. */
export function fileText(directory: string, options: FileOptions = {}): string {
  return JSON.stringify({
    ...options,
    state_dir: options.state_dir ?? join(directory, "state"),
    control: { socket: join(directory, "c.sock"), ...options.control },
    mesh: {
      listen: ["/ip4/127.0.0.1/tcp/0"],
      mdns: false,
      heartbeat_interval: "250ms",
      ...options.mesh,
    },
    telemetry: {
      ...options.telemetry,
      metrics: { listen: "127.0.0.1:0", ...options.telemetry?.metrics },
      log: { level: "error", ...options.telemetry?.log },
    },
  });
}

/**
 * Polls until `probe` gives something; the last error of the daemon is no answer yet.
 * @param what for the failure; a function tells what was seen last
 */
export async function until<T>(
  what: string | (() => string),
  probe: () => Promise<T | undefined | false>,
  deadlineMs = DEADLINE_MS,
): Promise<T> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > end) {
      assert.fail(`waited ${deadlineMs} ms for ${typeof what === "string" ? what : what()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** The refusal that a call ends with. */
export async function refusal(call: Promise<unknown>): Promise<MeshError> {
  try {
    await call;
  } catch (error) {
    assert.ok(isMeshError(error), String(error));
    return error;
  }
  return assert.fail("the call was expected to be refused");
}

/** A refusal of this code whose message tells what to do. */
export async function assertRefused(
  call: Promise<unknown>,
  code: string,
  nextStep: RegExp,
): Promise<MeshError> {
  const error = await refusal(call);
  assert.equal(error.code, code, error.message);
  assert.match(error.message, nextStep);
  return error;
}

/** What every daemon of a test can be asked. */
export abstract class TestDaemon {
  readonly directory: string;
  readonly client: ControlClient;

  constructor(directory: string) {
    this.directory = directory;
    this.client = new ControlClient({ socketPath: join(directory, "c.sock") });
  }

  async status(): Promise<Status> {
    return this.client.status();
  }

  async nodeId(): Promise<string> {
    return (await this.status()).node.nodeId ?? assert.fail("the daemon has no node id");
  }

  /** The first address it listens on, with its PeerId. */
  async address(): Promise<string> {
    return (await this.status()).node.addresses[0] ?? assert.fail("the daemon listens nowhere");
  }

  async peer(name: string): Promise<Peer | undefined> {
    return (await this.client.peers()).peers.find((peer) => peer.name === name);
  }

  async get(path: "/metrics" | "/live" | "/ready"): Promise<{ status: number; text: string }> {
    const address = (await this.status()).node.metricsAddress ?? assert.fail("no metrics address");
    const response = await fetch(`http://${address}${path}`);
    return { status: response.status, text: await response.text() };
  }

  /** The sum of a metric's samples whose labels are among `labels`. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    return sumOf((await this.get("/metrics")).text, name, labels);
  }

  /** Waits until a peer is seen so. */
  peerIs(
    name: string,
    state: Peer["state"],
    more: (peer: Peer) => boolean = () => true,
    deadlineMs = DEADLINE_MS,
  ): Promise<Peer> {
    return until(
      `${name} to be ${state}`,
      async () => {
        const peer = await this.peer(name);
        return peer?.state === state && more(peer) && peer;
      },
      deadlineMs,
    );
  }

  /** Waits until it knows where so many peers listen: after a restart on another port, it finds them. */
  async knowsAddresses(peers: number): Promise<void> {
    await until("the peers' addresses", async () => {
      const { beacons } = await this.client.beacons();
      return beacons.filter(({ addresses }) => addresses.length > 0).length === peers;
    });
  }

  connected(name: string, deadlineMs = DEADLINE_MS): Promise<Peer> {
    return this.peerIs(name, "alive", (peer) => peer.connected, deadlineMs);
  }
}

/** The sum of the samples of `name` that carry `labels`; 0 when there are none. */
export function sumOf(
  exposition: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  let sum = 0;
  for (const line of exposition.split("\n")) {
    const match = /^([a-z0-9_]+)(?:\{(.*)\})? (\S+)$/i.exec(line);
    if (match?.[1] !== name) continue;
    const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
    const found = (match[2] ?? "").split(",");
    if (wanted.every((label) => found.includes(label))) sum += Number(match[3]);
  }
  return sum;
}

/** A daemon inside the test's process. */
export class InProcessDaemon extends TestDaemon {
  readonly #node: MeshNode;

  constructor(directory: string, node: MeshNode) {
    super(directory);
    this.#node = node;
  }

  stop(): Promise<void> {
    return this.#node.stop();
  }

  reload(options: FileOptions): void {
    this.#node.reload(() => configOf(this.directory, options));
  }
}

function configOf(directory: string, options: FileOptions): LoadedConfig {
  const source = { file: join(directory, "meshd.yml"), text: fileText(directory, options) };
  return { config: parseConfig(source.text, source.file), source };
}

/** Starts a daemon in this process. */
export async function startDaemon(
  t: Cleanup,
  options: FileOptions = {},
  directory = scratch(t),
): Promise<InProcessDaemon> {
  const loaded = configOf(directory, options);
  writeFileSync(loaded.source.file, loaded.source.text);
  const node = await createNode(loaded, BUILD);
  t.after(() => node.stop());
  await node.start();
  return new InProcessDaemon(directory, node);
}

/** A daemon with a process of its own. Its log is kept whole. */
export class DaemonProcess extends TestDaemon {
  readonly configFile: string;
  readonly child: ChildProcess;
  #out = "";
  #err = "";

  /**
   * @param command the daemon's program and its first arguments
   * @param environment variables beside those of this process
   */
  constructor(
    directory: string,
    configFile: string,
    command: readonly string[],
    environment: Readonly<Record<string, string>>,
  ) {
    super(directory);
    this.configFile = configFile;
    const [file = "", ...args] = command;
    this.child = spawn(file, [...args, "--config", configFile], {
      cwd: REPOSITORY,
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => (this.#out += text));
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.#err += text));
  }

  /** Standard output so far: the log. */
  get out(): string {
    return this.#out;
  }

  get err(): string {
    return this.#err;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** The log's lines so far, parsed. */
  log(): Record<string, unknown>[] {
    return this.#out
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Waits for a line of the log with these fields. */
  logged(fields: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> {
    const fits = (line: Record<string, unknown>): boolean =>
      Object.entries(fields).every(([key, value]) => line[key] === value);
    return until(`a log line with ${JSON.stringify(fields)}`, () =>
      Promise.resolve(this.log().find(fits)),
    );
  }

  /** Waits until the control API answers. */
  async answers(deadlineMs = DEADLINE_MS): Promise<this> {
    await until(
      "the daemon to answer",
      async () => {
        assert.ok(this.running, `the daemon ended while it started: ${this.#err}`);
        return this.client.status().catch(() => undefined);
      },
      deadlineMs,
    );
    return this;
  }

  /** Waits for the end of the process; its exit status, or the signal that ended it. */
  async ended(): Promise<number | string> {
    if (this.running) await once(this.child, "close", { signal: AbortSignal.timeout(DEADLINE_MS) });
    return this.child.exitCode ?? this.child.signalCode ?? "unknown";
  }

  async end(signal: "SIGTERM" | "SIGKILL"): Promise<number | string> {
    this.child.kill(signal);
    return this.ended();
  }
}

/** The daemon from its sources; `before` are options of Node.js, such as a module that sabotages another. */
export function fromSource(before: readonly string[] = []): string[] {
  return [process.execPath, ...before, "src/cli/meshd.ts"];
}

/** Starts a daemon process, without waiting for anything. */
export function spawnDaemon(
  t: Cleanup,
  options: FileOptions = {},
  directory = scratch(t),
  command: readonly string[] = fromSource(),
  environment: Readonly<Record<string, string>> = {},
): DaemonProcess {
  const configFile = join(directory, "meshd.yml");
  writeFileSync(configFile, fileText(directory, options));
  const daemon = new DaemonProcess(directory, configFile, command, environment);
  t.after(async () => {
    if (daemon.running) await daemon.end("SIGKILL");
  });
  return daemon;
}

/** Enrols the first as root of the trust domain and the others by its tokens, under the names given. */
export async function enrol(members: Readonly<Record<string, TestDaemon>>): Promise<void> {
  const [[rootName, root], ...others] = Object.entries(members) as [
    [string, TestDaemon],
    ...[string, TestDaemon][],
  ];
  await root.client.init({ trustDomain: TRUST_DOMAIN, name: rootName });
  for (const [name, daemon] of others) {
    const { token } = await root.client.createToken({ ttlSeconds: 3_600, name });
    await daemon.client.join({ token, name });
  }
}

/** Waits until each sees all the others alive over a connection. */
export async function converged(members: Readonly<Record<string, TestDaemon>>): Promise<void> {
  for (const [name, daemon] of Object.entries(members)) {
    for (const other of Object.keys(members)) {
      if (other !== name) await daemon.connected(other);
    }
  }
}

/** What daemons look at every five seconds, they look at every half: for tests that wait for it again and again. */
export function hasten(t: Cleanup): void {
  const real = globalThis.setInterval;
  const quick = (work: () => void, ms: number): NodeJS.Timeout =>
    real(work, ms === 5_000 ? 500 : ms);
  globalThis.setInterval = Object.assign(quick, real);
  t.after(() => void (globalThis.setInterval = real));
}

/** Cleans up in reverse order of starting: for suites that share daemons. */
export class Stack implements Cleanup {
  readonly #work: (() => void | Promise<void>)[] = [];

  after(work: () => void | Promise<void>): void {
    this.#work.push(work);
  }

  async unwind(): Promise<void> {
    for (const work of this.#work.splice(0).reverse()) await work();
  }
}
