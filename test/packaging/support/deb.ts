// Debian packages for tests.

import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { repository } from "../executables.ts";

interface Build {
  readonly executable: string;
  readonly version: string;
  readonly out: string;
  /** @default amd64 */
  readonly arch?: "amd64" | "arm64";
}

/** `npm run build:deb`, weakly compressed, because that is most of the time. Gives the package's path. */
export function buildDeb({ executable, version, out, arch = "amd64" }: Build): string {
  execFileSync(
    process.execPath,
    [
      ...["packaging/deb/build-deb.mjs", "--arch", arch, "--executable", executable],
      ...["--version", version, "--level", "0", "--out", out],
    ],
    { cwd: repository, stdio: ["ignore", "ignore", "inherit"] },
  );
  return join(out, `x0tta6bl4_${version}_${arch}.deb`);
}

/** Whether a program is installed here. */
export function has(tool: string): boolean {
  return spawnSync("sh", ["-c", 'command -v "$1"', "sh", tool]).status === 0;
}
