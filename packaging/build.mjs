// npm run build: bundles the daemon and the command line with esbuild into dist/.
// What runs is always the bundle: it needs a quarter less memory than the same code from node_modules.

import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { lean } from "./lean.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
const quiet = process.argv.includes("--quiet");
/** `--outdir DIR`: another place than dist/, for a test that must not have its bundle replaced under it. */
const at = process.argv.indexOf("--outdir");
const outdir = resolve(root, at < 0 ? "dist" : process.argv[at + 1]);

function commit() {
  try {
    return execFileSync("git", ["rev-parse", "--short=12", "HEAD"], {
      cwd: root,
      stdio: "pipe",
      encoding: "utf8",
    }).trim();
  } catch {
    return "unknown"; // a source archive has no history
  }
}

rmSync(outdir, { recursive: true, force: true });
const result = await build({
  absWorkingDir: root,
  entryPoints: {
    meshd: "src/cli/meshd.ts",
    meshctl: "src/cli/meshctl.ts",
    "trainer-worker": "src/adapters/workers/trainer-worker.ts",
    "verification-worker": "src/adapters/wasm/verification-worker.ts",
  },
  outdir,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node24",
  minifySyntax: true,
  minifyWhitespace: true,
  sourcemap: "linked",
  sourcesContent: false,
  metafile: true,
  legalComments: "none",
  plugins: lean,
  logLevel: "warning",
  define: {
    "process.env.MESHD_VERSION": JSON.stringify(version),
    "process.env.MESHD_COMMIT": JSON.stringify(commit()),
  },
  // Bundled CommonJS packages call require() for Node's own modules.
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
});
if (!quiet) {
  for (const [file, { bytes }] of Object.entries(result.metafile.outputs)) {
    if (file.endsWith(".mjs")) console.log(`${file}  ${(bytes / 1024).toFixed(0)} KiB`);
  }
}
