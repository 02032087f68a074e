// Whole hosts for tests: systemd booted by systemd-nspawn over a Debian root (packaging/host-root.sh), each in a network
// namespace of its own on one bridge. What a host writes goes to an overlay in memory and is gone when it stops.
//
//   const why = cannotBootHosts();                       // a reason to skip, or undefined
//   const [a, b] = await bootHosts(t, ["alpha", "beta"], { files: { "/usr/bin/meshd": executable } });
//   await a.ok("systemctl enable --now meshd");          // output; asserts status 0
//   const { status, output } = await b.run("ping -c1 10.99.0.1");

import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../node_modules/.cache/host-root", import.meta.url));
const BOOT_MS_MAX = 60_000;
const COMMAND_MS_MAX = 120_000;

export interface Cleanup {
  after(work: () => void | Promise<void>): void;
}

export interface HostOptions {
  /** Files of this machine by the absolute path under which the host sees them, read-only. */
  readonly files?: Readonly<Record<string, string>>;
  /** Further options of systemd-nspawn. */
  readonly options?: readonly string[];
}

export interface Finished {
  readonly status: number | null;
  /** Standard output and error. */
  readonly output: string;
}

/** What is missing here to boot hosts; undefined: nothing. */
export function cannotBootHosts(): string | undefined {
  if (process.getuid?.() !== 0) return "booting a host needs root";
  for (const tool of ["systemd-nspawn", "nsenter", "ip"]) {
    if (spawnSync(tool, ["--version"]).error !== undefined && !onPath(tool))
      return `${tool} is not installed`;
  }
  if (!existsSync(`${root}.complete`)) return "no root to boot: run packaging/host-root.sh";
  return undefined;
}

function onPath(tool: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${tool}`]).status === 0;
}

/** A booted host. */
export class Host {
  readonly name: string;
  /** Its address on the bridge. */
  readonly address: string;
  readonly #nspawn: ChildProcess;
  readonly #output: () => string;
  #init = 0;

  constructor(name: string, address: string, nspawn: ChildProcess) {
    this.name = name;
    this.address = address;
    this.#nspawn = nspawn;
    let text = "";
    for (const stream of [nspawn.stdout, nspawn.stderr])
      stream?.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    this.#output = () => text;
  }

  /** Waits until systemd has started what it starts at boot. */
  async booted(): Promise<this> {
    const end = performance.now() + BOOT_MS_MAX;
    for (;;) {
      assert.ok(this.#nspawn.exitCode === null, `${this.name} did not boot: ${this.#output()}`);
      assert.ok(performance.now() < end, `${this.name} does not boot: ${this.#output()}`);
      this.#init = firstChild(this.#nspawn.pid ?? 0) ?? 0;
      if (this.#init !== 0) {
        const { output } = await this.run("systemctl is-system-running --wait");
        if (/^(running|degraded)$/m.test(output)) return this;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Runs a shell command in the host as root, with a clean environment. */
  run(command: string, input = ""): Promise<Finished> {
    const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    const child = spawn(
      "nsenter",
      ["--all", "--target", String(this.#init), "env", "-i", path, "sh", "-c", command],
      // A process group of its own: a command that signals its group must not reach the tests.
      { timeout: COMMAND_MS_MAX, killSignal: "SIGKILL", detached: true },
    );
    child.stdin.on("error", () => undefined).end(input);
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
    return new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (status) => resolve({ status, output }));
    });
  }

  /** The output of a command that must end with status 0. */
  async ok(command: string, input = ""): Promise<string> {
    const { status, output } = await this.run(command, input);
    assert.equal(status, 0, `${this.name}: ${command}\n${output}`);
    return output.trimEnd();
  }

  /** Polls a command until its output matches. */
  async until(command: string, wanted: RegExp, deadlineMs = 30_000): Promise<string> {
    const end = performance.now() + deadlineMs;
    for (;;) {
      const output = (await this.run(command)).output.trimEnd();
      if (wanted.test(output)) return output;
      if (performance.now() > end)
        assert.fail(`${this.name}: ${command} never said ${String(wanted)}, at last:\n${output}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Cuts the power. */
  async stop(): Promise<void> {
    if (this.#nspawn.exitCode !== null || this.#nspawn.signalCode !== null) return;
    const closed = new Promise((resolve) => this.#nspawn.once("close", resolve));
    this.#nspawn.kill("SIGTERM");
    if (this.#init !== 0) process.kill(this.#init, "SIGKILL");
    await closed;
  }
}

/**
 * Boots hosts on a network of their own; all are stopped at the end of the test. Names: lower-case letters, unique
 * among tests that run at once.
 */
export async function bootHosts(
  t: Cleanup,
  names: readonly string[],
  { files = {}, options = [] }: HostOptions = {},
): Promise<Host[]> {
  const undo: Undo = [];
  t.after(async () => {
    for (const work of undo.reverse()) await work();
  });
  const prefix = `x0${process.pid.toString(36)}`;
  const bridge = `${prefix}b`;
  ip("link", "add", bridge, "type", "bridge");
  undo.push(() => ip("link", "delete", bridge));
  ip("link", "set", bridge, "up");
  const binds = Object.entries(files).map(([to, from]) => `--bind-ro=${from}:${to}`);
  const hosts = names.map((name, index) => {
    const space = `${prefix}-${name}`;
    const address = `10.99.0.${index + 1}`;
    joinBridge(undo, { space, bridge, link: `${prefix}${index}`, address });
    const group = privateGroup(undo, space);
    const nspawn = spawn(
      "sh",
      [
        ...["-c", 'for g in $GROUPS_TO_JOIN; do echo $$ >"$g/cgroup.procs"; done; exec "$@"', "sh"],
        ...["systemd-nspawn", "--quiet", "--boot", "--console=pipe", "--register=no"],
        ...(group.length > 0 ? ["--keep-unit"] : []),
        ...["--directory", root, "--volatile=overlay", "--machine", name],
        ...[`--network-namespace-path=/run/netns/${space}`, ...binds, ...options],
      ],
      {
        env: { ...process.env, GROUPS_TO_JOIN: group.join(" ") },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    const host = new Host(name, address, nspawn);
    undo.push(() => host.stop());
    return host;
  });
  return Promise.all(hosts.map((host) => host.booted()));
}

/** What gives back what was taken, the newest last. */
type Undo = (() => void | Promise<void>)[];

interface Place {
  readonly space: string;
  readonly bridge: string;
  readonly link: string;
  readonly address: string;
}

/** A network namespace with one interface on the bridge; a network card for the host that boots in it. */
function joinBridge(undo: Undo, { space, bridge, link, address }: Place): void {
  ip("netns", "add", space);
  undo.push(() => ip("netns", "delete", space));
  ip("link", "add", link, "type", "veth", "peer", "name", "host0", "netns", space);
  ip("link", "set", link, "master", bridge, "up");
  const inside = ["-n", space];
  ip(...inside, "addr", "add", `${address}/24`, "dev", "host0");
  ip(...inside, "link", "set", "host0", "up");
  ip(...inside, "link", "set", "lo", "up");
}

/**
 * Where no systemd gives each machine a scope, a control group of its own in every hierarchy: two in one group would
 * share their units' groups, and kill each other's processes.
 */
function privateGroup(undo: Undo, name: string): string[] {
  const top = "/sys/fs/cgroup";
  if (existsSync("/run/systemd/system")) return [];
  const hierarchies = existsSync(`${top}/cgroup.controllers`)
    ? [top]
    : readdirSync(top, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => `${top}/${entry.name}`);
  const groups = hierarchies.map((hierarchy) => `${hierarchy}/${name}`);
  for (const group of groups) {
    // A new group of the old cpuset hierarchy has no processor and no memory of its own.
    const script = `mkdir "${group}"; cd "${group}"; for f in cpuset.cpus cpuset.mems; do if [ -e ../cgroup.clone_children ] && [ -e $f ]; then cat ../$f >$f; fi; done`;
    execFileSync("sh", ["-c", script]);
    undo.push(() => {
      spawnSync("find", [group, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"]);
    });
  }
  return groups;
}

/** The first process that another has started. */
function firstChild(pid: number): number | undefined {
  try {
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ");
    return first === undefined || first === "" ? undefined : Number(first);
  } catch {
    return undefined; // ended
  }
}

function ip(...args: string[]): void {
  execFileSync("ip", args);
}
