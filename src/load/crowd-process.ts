// A crowd in a process of its own, and the handle on it: the load must not share an event loop with who measures it.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { Crowd, type Collected, type CrowdOptions } from "./crowd.ts";

/** How to start this program again: `file` under the name `argv0`, with `args`. */
export interface ProgramCommand {
  readonly file: string;
  readonly argv0: string;
  readonly args: readonly string[];
}

type Request =
  | { readonly kind: "open"; readonly options: CrowdOptions }
  | { readonly kind: "resize"; readonly size: number }
  | { readonly kind: "collect" };

/** The option by which the load program is a crowd. */
export const CROWD_OPTION = "--crowd";

/** Serves requests of the parent, one at a time, until it goes away. */
export function serveCrowd(): void {
  let crowd: Crowd | undefined;
  const answer = async (request: Request): Promise<unknown> => {
    if (request.kind === "open") crowd = new Crowd(request.options);
    else if (request.kind === "resize") return crowd?.resize(request.size);
    else return crowd?.collect();
    return undefined;
  };
  process.on("message", (request: Request) => {
    void answer(request).then((value) => process.send?.({ value }));
  });
  process.once("disconnect", () => process.exit(0));
}

export class CrowdProcess {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(program: ProgramCommand, options: CrowdOptions): Promise<CrowdProcess> {
    const { file, argv0, args } = program;
    const child = spawn(file, [...args, CROWD_OPTION], {
      argv0,
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      serialization: "advanced",
    });
    const crowd = new CrowdProcess(child);
    await crowd.#ask({ kind: "open", options });
    return crowd;
  }

  /** How many are connected then. */
  async resize(size: number): Promise<number> {
    return (await this.#ask({ kind: "resize", size })) as number;
  }

  async collect(): Promise<Collected> {
    return (await this.#ask({ kind: "collect" })) as Collected;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGKILL"); // nobody is left who would miss a goodbye
    await gone;
  }

  async #ask(request: Request): Promise<unknown> {
    const ended = new AbortController();
    try {
      const answered = once(this.#child, "message", { signal: ended.signal });
      const died = once(this.#child, "exit", { signal: ended.signal }).then(() => {
        throw new Error("a process of virtual peers ended");
      });
      this.#child.send(request);
      const [{ value }] = (await Promise.race([answered, died])) as [{ value: unknown }];
      return value;
    } finally {
      ended.abort();
    }
  }
}
