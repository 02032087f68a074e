// What a story is told with: daemons in namespaces, meshctl as an operator has it, and a screen. Times are those since the last fault.

import { execFile } from "node:child_process";
import type { Screen } from "../../../src/cli/commands/dev/screen.ts";
import type { ControlClient, Incidents, Status } from "../../../src/control/index.ts";
import type { DaemonMesh } from "../namespaces/daemons.ts";

const POLL_MS = 100;
const WHOLE_LIMIT_MS = 60_000;
const INCIDENTS_READ = 20;

export type Incident = Incidents["incidents"][number];

/** How a story ended, for the table. */
export interface Ending {
  /** What the node held for the cause, in the daemon's own code; or that it saw none. */
  readonly cause: string;
  readonly did: string;
  readonly wholeMs: number;
}

/** A mesh that has stopped being asked: Ctrl-C. */
export class Interrupted extends Error {}

export class Stage {
  readonly mesh: DaemonMesh;
  readonly #screen: Screen;
  readonly #signal: AbortSignal;
  #sinceMs = 0;
  #before: ReadonlySet<string> = new Set();

  constructor(mesh: DaemonMesh, screen: Screen, signal: AbortSignal) {
    this.mesh = mesh;
    this.#screen = screen;
    this.#signal = signal;
  }

  client(node: number): ControlClient {
    const client = this.mesh.clients[node];
    if (client === undefined) throw new RangeError(`no node ${node}`);
    return client;
  }

  nameOf(node: number): string {
    return this.mesh.names[node] ?? "";
  }

  /** Incidents that are known now are of an earlier story. */
  async begin(): Promise<void> {
    const nodes = this.#running();
    const known = await Promise.all(nodes.map((node) => this.#incidents(node)));
    this.#before = new Set(known.flat().map(({ id }) => id));
  }

  /** Something is done to the mesh: its clock starts. */
  fault(text: string): void {
    this.#sinceMs = performance.now();
    this.#screen.line(` ${this.#screen.paint("33", "▶")} ${text}`);
  }

  get elapsedMs(): number {
    return performance.now() - this.#sinceMs;
  }

  /** Something was seen. */
  saw(text: string): void {
    const time = `+${(this.elapsedMs / 1_000).toFixed(1)} s`.padStart(9);
    this.#screen.line(`${this.#screen.paint("36", time)}  ${text}`);
  }

  /** Polls until `probe` gives something; the screen says meanwhile what is waited for. */
  async until<T>(
    what: string,
    probe: () => Promise<T | undefined | false>,
    limitMs = WHOLE_LIMIT_MS,
  ): Promise<T> {
    const end = performance.now() + limitMs;
    for (;;) {
      if (this.#signal.aborted) throw new Interrupted();
      const found = await probe();
      if (found !== undefined && found !== false) return found;
      if (performance.now() > end)
        throw new Error(`waited ${limitMs / 1_000} s for ${what}; ${this.mesh.describe()}`);
      this.#screen.working(`${(this.elapsedMs / 1_000).toFixed(0)} s: waiting for ${what}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async pause(ms: number, what: string): Promise<void> {
    const end = performance.now() + ms;
    await this.until(what, () => Promise.resolve(performance.now() >= end), 2 * ms);
  }

  /** Waits until a node tells of an incident of this story with that cause, and that it is as wanted. */
  async incident(
    node: number,
    code: string,
    what: string,
    is: (incident: Incident) => boolean = () => true,
    limitMs = WHOLE_LIMIT_MS,
  ): Promise<Incident> {
    return this.until(
      `${this.nameOf(node)} ${what}`,
      async () => (await this.incidents(node)).find((one) => one.cause.code === code && is(one)),
      limitMs,
    );
  }

  /** Incidents of this story, the newest first. */
  async incidents(node: number): Promise<Incident[]> {
    return (await this.#incidents(node)).filter(({ id }) => !this.#before.has(id));
  }

  async #incidents(node: number): Promise<Incident[]> {
    return (await this.client(node).incidents({ limit: INCIDENTS_READ })).incidents;
  }

  async status(node: number): Promise<Status> {
    return this.client(node).status();
  }

  /**
   * Waits until no daemon that runs has an error in its health, and each is connected to all others that run.
   * @returns ms since the last fault
   */
  async whole(limitMs = WHOLE_LIMIT_MS): Promise<number> {
    await this.until("the mesh to be whole", () => this.#isWhole(), limitMs);
    return this.elapsedMs;
  }

  async #isWhole(): Promise<boolean> {
    const running = this.#running();
    const answers = await Promise.all(running.map((node) => this.status(node).catch(() => null)));
    return answers.every((status) => {
      if (status === null) return false;
      const present = status.peers.filter((peer) => peer.state === "alive" && peer.connected);
      const isWell = status.health.every(({ severity }) => severity !== "error");
      const names = new Set(present.map(({ name }) => name));
      const others = running.map((node) => this.nameOf(node));
      return isWell && others.every((name) => name === status.node.name || names.has(name));
    });
  }

  #running(): number[] {
    return this.mesh.names.flatMap((_, node) => (this.mesh.isUp(node) ? [node] : []));
  }

  /** Shows what `meshctl` says on a node. */
  async meshctl(node: number, ...args: string[]): Promise<string> {
    const shown = `${this.nameOf(node)} $ meshctl ${args.join(" ")}`;
    const output = await run(this.mesh.programOf("meshctl"), [
      ...args,
      "--socket",
      this.mesh.socketOf(node),
    ]);
    this.#screen.line(`   ${this.#screen.paint("1", shown)}`);
    for (const line of output.trimEnd().split("\n")) this.#screen.line(`   │ ${line}`);
    return output;
  }
}

/** What the program says; exit status 4 (degraded) is an answer. */
function run(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [program, ...args], (error, out, err) => {
      if (error === null || error.code === 4) resolve(out);
      else reject(new Error(`meshctl ${args.join(" ")}: ${err}`));
    });
  });
}
