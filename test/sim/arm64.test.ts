// One seed is one trace on arm64 too: what the simulator and the machines compute with is exact there (Math.log, log10 and pow
// are V8's own software, not the machine's). `packaging/arm64-root.sh` prepares the emulated Node; without it this skips.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { traceDigests } from "./arm64-digests.ts";

const DEADLINE_MS = 300_000;
const repository = fileURLToPath(new URL("../../", import.meta.url));
const prepared = join(repository, "node_modules/.cache/arm64");

function reasonToSkip(): string | false {
  if (process.arch !== "x64" || process.platform !== "linux")
    return "arm64 is emulated on x64 Linux alone";
  if (existsSync(join(prepared, "complete"))) return false;
  return "no emulated arm64 in node_modules/.cache/arm64: packaging/arm64-root.sh prepares it";
}

test("the trace digests of x64 and arm64 are equal", { skip: reasonToSkip() }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "x0-sim-arm64-"));
  try {
    await build({
      absWorkingDir: repository,
      entryPoints: ["test/sim/arm64-digests.ts"],
      outfile: join(folder, "digests.mjs"),
      ...{ bundle: true, platform: "node", format: "esm", target: "node26", logLevel: "warning" },
      // Bundled CommonJS packages call require() for Node's own modules.
      banner: {
        js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
      },
    });
    const program = 'console.log((await import("./digests.mjs")).traceDigests())';
    const node = ["-L", join(prepared, "root"), join(prepared, "node")];
    const args = [...node, "--input-type=module", "-e", program];
    // With it, a test runner's child reports in a form for its parent alone.
    const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, ...env } = process.env;
    const options = { cwd: folder, env, timeout: DEADLINE_MS };
    const emulator = join(prepared, "qemu-aarch64-static");
    const { stdout } = await promisify(execFile)(emulator, args, options);
    assert.equal(stdout.trim(), traceDigests());
  } finally {
    rmSync(folder, { recursive: true });
  }
});
