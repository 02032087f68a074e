// How the programs of src/ become bundles, for everything that is built from them: dist/ and the single executable.
// What runs is always the bundle: it needs a quarter less memory than the same code from node_modules.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { lean } from "./lean.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The entry points of the threads. Each finds its code by this name: src/adapters/workers/start-worker.ts. */
export const workers = {
  "round-worker": "src/adapters/workers/round-worker.ts",
  "trainer-worker": "src/adapters/workers/trainer-worker.ts",
  "verification-worker": "src/adapters/wasm/verification-worker.ts",
};

/** The scenarios that ship with the simulator. They are found again by src/cli/sim/scenario-files.ts. */
export const scenarioFolder = fileURLToPath(new URL("../src/sim/library", import.meta.url));

/** The commit that is built, with "-dirty" after it if the files differ from it. Where there is no history, MESHD_COMMIT tells it. */
export function commit() {
  if (process.env["MESHD_COMMIT"] !== undefined) return process.env["MESHD_COMMIT"];
  try {
    return execFileSync("git", ["describe", "--always", "--exclude=*", "--abbrev=12", "--dirty"], {
      cwd: root,
      stdio: "pipe",
      encoding: "utf8",
    }).trim();
  } catch {
    return "unknown"; // a source archive has no history
  }
}

/**
 * Bundles `entryPoints` (names to files under the root) into `outdir` as `<name>.mjs`, and gives esbuild's metafile. The same sources give
 * the same bytes, wherever they lie.
 */
export async function bundle(entryPoints, outdir, { sourcemap = false } = {}) {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints,
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    minifySyntax: true,
    minifyWhitespace: true,
    sourcemap: sourcemap && "linked",
    sourcesContent: false,
    metafile: true,
    legalComments: "none",
    plugins: lean,
    logLevel: "warning",
    define: { "process.env.MESHD_COMMIT": JSON.stringify(commit()) },
    // Bundled CommonJS packages call require() for Node's own modules.
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
  });
  return metafile;
}
