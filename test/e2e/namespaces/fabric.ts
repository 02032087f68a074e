// What a network between namespaces can do, and how its parts are made: iproute2.

import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** What happens to every frame between two nodes. */
export interface Impairment {
  /** One way. */
  readonly delayMs: number;
  readonly lossRatio: number;
}

export interface Fabric {
  /** For the report: what carries the frames. */
  readonly kind: string;
  /** Applies to all links at once. */
  impair(impairment: Impairment): Promise<void>;
  /** Cuts the nodes of `side` from all others; an empty side heals. */
  partition(side: readonly number[]): Promise<void>;
  /** Removes what is not gone with the namespaces. */
  close(): Promise<void>;
}

const run = promisify(execFile);

/** Runs a tool of iproute2. @throws what it says on standard error */
export async function tool(file: "ip" | "tc", ...args: string[]): Promise<string> {
  return (await run(file, args)).stdout;
}

/** The device of a node, in its namespace. */
export const DEVICE = "mesh0";
