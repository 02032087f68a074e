// Nodes of a mesh that are there and not measured: many of them in one process of its own, where a process each would take most of a
// small host's cores and measure that. They are the daemon's own nodes, over real sockets with real handshakes.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { joinPatiently } from "../src/cli/patient-join.ts";
import { ControlClient } from "../src/control/index.ts";

/** A node that joins beside dozens in one process answers late. */
const ANSWER_TIMEOUT_MS = 30_000;
const JOIN_PATIENCE_MS = 120_000;
const JOINS_AT_ONCE = 4;
const PROGRAM = fileURLToPath(new URL("./idle-crowd-process.ts", import.meta.url));

/** Where a node of the crowd has its control socket. */
export function crowdSocket(directory: string, number: number): string {
  return join(directory, `crowd-${number}`, "c.sock");
}

/** Running nodes `crowd-1` to `crowd-N`. */
export class Crowd {
  readonly #process: ChildProcess;
  readonly #directory: string;
  readonly #nodes: number;

  private constructor(child: ChildProcess, directory: string, nodes: number) {
    this.#process = child;
    this.#directory = directory;
    this.#nodes = nodes;
  }

  /** Starts the process and waits until all nodes of it answer. */
  static async start(nodes: number): Promise<Crowd> {
    const directory = mkdtempSync(join(tmpdir(), "x0-crowd-"));
    const child = fork(PROGRAM, [directory, String(nodes)]);
    const crowd = new Crowd(child, directory, nodes);
    const ended = once(child, "exit").then(() => {
      throw new Error("the crowd's process ended while it started");
    });
    await Promise.race([once(child, "message"), ended]);
    ended.catch(() => undefined);
    return crowd;
  }

  /** All join the trust domain of `issuer`. */
  async enrol(issuer: ControlClient): Promise<void> {
    const numbers = Array.from({ length: this.#nodes }, (_, index) => index + 1);
    const joinAll = async (): Promise<void> => {
      for (let number = numbers.shift(); number !== undefined; number = numbers.shift()) {
        const name = `crowd-${number}`;
        const socketPath = crowdSocket(this.#directory, number);
        const client = new ControlClient({ socketPath, timeoutMs: ANSWER_TIMEOUT_MS });
        const { token } = await issuer.createToken({ ttlSeconds: 300, name });
        await joinPatiently(client, { token, name }, JOIN_PATIENCE_MS);
      }
    };
    await Promise.all(Array.from({ length: JOINS_AT_ONCE }, joinAll));
  }

  /** Ends the process, without goodbyes, and what it wrote is gone. */
  stop(): void {
    this.#process.removeAllListeners("exit");
    this.#process.kill("SIGKILL");
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
