// A server on a Unix socket whose file can vanish under it: a cleaner of /run or /tmp, an operator's rm. It then listens where nobody
// can call, and only listening anew helps.

import { lstatSync } from "node:fs";
import type { RunningServer } from "../adapters/http/running-server.ts";
import { MeshError } from "../foundation/index.ts";

/** The sockets of a daemon, as playbooks name them. */
export const socketNames = ["control", "workload-api"] as const;
export type SocketName = (typeof socketNames)[number];

export class SocketPart {
  readonly #path: string;
  readonly #listen: () => Promise<RunningServer>;
  #server: RunningServer | undefined;
  /** Which file it is that this server listens on; undefined while it is not to be there. */
  #inode: bigint | undefined;

  /** @param listen starts the server on `path` */
  constructor(path: string, listen: () => Promise<RunningServer>) {
    this.#path = path;
    this.#listen = listen;
  }

  get path(): string {
    return this.#path;
  }

  /** @throws what `listen` throws */
  async start(): Promise<void> {
    this.#server = await this.#listen();
    this.#inode = this.#found();
  }

  /** Whether callers do not find this server any more. */
  get isGone(): boolean {
    return this.#inode !== undefined && this.#found() !== this.#inode;
  }

  /**
   * Listens anew if the file has vanished; calls under way are ended for it.
   * @throws MeshError `control/socket-in-use` when something else is in its place: to stop would take that away; what `listen` throws
   */
  async restart(): Promise<void> {
    if (!this.isGone) return;
    if (this.#found() !== undefined)
      throw new MeshError(
        "control/socket-in-use",
        `Cannot listen on ${this.#path} again: another file is there. Remove it, or restart meshd.`,
        { socket: this.#path },
      );
    await this.#server?.stop();
    await this.start();
  }

  async stop(): Promise<void> {
    this.#inode = undefined;
    await this.#server?.stop();
  }

  #found(): bigint | undefined {
    return lstatSync(this.#path, { throwIfNoEntry: false, bigint: true })?.ino;
  }
}
