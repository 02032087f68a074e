// Where the daemon's own program is, and how Node.js runs it.

import { existsSync } from "node:fs";
import { isSea } from "node:sea";
import { fileURLToPath } from "node:url";
import { MeshError } from "../foundation/index.ts";

/**
 * What keeps a daemon small, and closed, for everything that starts one; `bin/meshd` and the executable (packaging/build-sea.mjs) hold the same, and
 * tests compare them.
 * Measured as resident memory and CPU of an idle daemon with four peers (`npm run bench -- idle --seconds 600`: what a young heap shows in a minute
 * grows for some more). A number below is what the daemon gains when that line alone goes.
 */
export const daemonRuntime = {
  flags: [
    // How far the young generation may grow while there is work; in calm, adapters/heap-size.ts keeps it at 1 MB.
    "--max-semi-space-size=16",
    // One optimizing compiler, TurboFan: neither the baseline one (3 MB) nor the middle one (4 MB, for 0.2 % of a core). The price is paid by who
    // joins many: 24 daemons on two cores find each other in some 120 seconds of CPU time, with all compilers in 67 to 80. Switched on later they had no effect.
    "--no-sparkplug",
    "--no-maglev",
    // So small a young generation is not worth waking threads for. The old one is marked beside the program: with 1,000 peers, where all on one
    // thread (--single-threaded-gc) stops the event loop for 110 to 510 ms (p99), 50 to 230; idle there is no difference.
    "--no-parallel-scavenge",
    // One thread to compile in instead of four. 0.5 MB.
    "--v8-pool-size=1",
    // SIGUSR1 would open Node's debugger on loopback, for every user of this host.
    "--disable-sigusr1",
    // Says nothing of memory: node:ffi, by which systemd is told, is experimental, and that is no news for a journal.
    "--disable-warning=ExperimentalWarning",
  ],
  environment: {
    // One heap for all threads instead of one for each that allocates. 3 MB.
    MALLOC_ARENA_MAX: "1",
    // What compilers use for a moment, in pieces of 32 KB, goes back to the system at once. 4 MB, measured against 64 KB; and a fixed value: else
    // glibc raises it with every large block that is freed.
    MALLOC_MMAP_THRESHOLD_: "16384",
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
  return {
    file,
    argv0: file,
    args: [...daemonRuntime.flags, ...process.execArgv, program("meshd")],
  };
}

/** The load program that belongs to this program, found as the daemon's is. @throws MeshError `cli/no-daemon-program` */
export function loadProgram(): DaemonCommand {
  const file = process.execPath;
  if (isSea()) return { file, argv0: "meshload", args: [] };
  return { file, argv0: file, args: [...process.execArgv, program("meshload")] };
}

function program(name: "meshd" | "meshload"): string {
  const candidates = [`./${name}.mjs`, `./${name}.ts`].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  const found = candidates.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new MeshError(
    "cli/no-daemon-program",
    `Cannot find the program of ${name} beside meshctl (${candidates[0] ?? ""}). Install or build meshd with it.`,
  );
}
