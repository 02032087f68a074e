// Where the daemon's own program is.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { MeshError } from "../foundation/index.ts";

/**
 * The daemon beside this program: bundled next to it, or as source in development.
 * @throws MeshError `cli/no-daemon-program`
 */
export function daemonProgram(): string {
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
