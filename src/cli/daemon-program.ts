// Where the daemon's own program is, and how Node.js runs it.

import { existsSync } from "node:fs";
import { isSea } from "node:sea";
import { fileURLToPath } from "node:url";
import { MeshError } from "../foundation/index.ts";

/**
 * What keeps a daemon small, and closed, for everything that starts one; `bin/meshd` and the executable (packaging/build-sea.mjs) hold the same, and
 * tests compare them.
 * Measured as resident memory and CPU of an idle daemon with four peers (`npm run bench -- idle`): 120 MB and 2.2 % of a
 * core with none of it, 93 MB and 2.4 to 3 % with all, the more the busier the host is with other work. A number below
 * is what the daemon gains when that line alone goes.
 */
export const daemonRuntime = {
  flags: [
    // A young generation of 1 MB instead of 16, a heap that grows in smaller steps, less inlining. Where the CPU goes.
    // Without it but with --max-semi-space-size=1 it would be 4 MB more and 0.3 % less.
    "--optimize-for-size",
    // No baseline compiler: what is hot still reaches the optimizing ones. 3 MB.
    "--no-sparkplug",
    // So small a young generation is not worth waking four threads for. No memory, 0.1 to 0.4 % of CPU.
    "--single-threaded-gc",
    // By itself Node.js answers SIGUSR1 by opening its debugger on port 9229, for every user of the host.
    "--disable-sigusr1",
  ],
  environment: {
    // One heap for all threads instead of one for each that allocates. 3 MB.
    MALLOC_ARENA_MAX: "1",
    // Fixed thresholds: else glibc raises them with every large block that is freed, and keeps such blocks. 2 MB.
    MALLOC_MMAP_THRESHOLD_: "65536",
    MALLOC_TRIM_THRESHOLD_: "131072",
  },
} as const;

/** How to start a daemon: `file` under the name `argv0`, with `args` before its own options. */
export interface DaemonCommand {
  readonly file: string;
  readonly argv0: string;
  readonly args: readonly string[];
}

/**
 * The daemon that belongs to this program: the same executable under its other name, which has the flags built in; or with this Node.js the
 * bundle beside ours, in development the source.
 * @throws MeshError `cli/no-daemon-program`
 */
export function daemonCommand(): DaemonCommand {
  const file = process.execPath;
  if (isSea()) return { file, argv0: "meshd", args: [] };
  // Options of the interpreter are passed on: in development one of them loads TypeScript.
  return { file, argv0: file, args: [...daemonRuntime.flags, ...process.execArgv, program()] };
}

function program(): string {
  const candidates = ["./meshd.mjs", "./meshd.ts"].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  const found = candidates.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new MeshError(
    "cli/no-daemon-program",
    `Cannot find the daemon's program beside meshctl (${candidates[0] ?? ""}). Install or build meshd with it.`,
  );
}
