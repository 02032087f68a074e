// npm run build: bundles the daemon and the command line into dist/.

import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { bundle, workers } from "./bundle.mjs";

const dist = new URL("../dist/", import.meta.url);
const quiet = process.argv.includes("--quiet");

mkdirSync(dist, { recursive: true });
// The folders in dist/ belong to other builds.
for (const entry of readdirSync(dist, { withFileTypes: true })) {
  if (entry.isFile()) rmSync(new URL(entry.name, dist));
}
const programs = { meshd: "src/cli/meshd.ts", meshctl: "src/cli/meshctl.ts" };
const { outputs } = await bundle({ ...programs, ...workers }, "dist", { sourcemap: true });
if (!quiet) {
  for (const [file, { bytes }] of Object.entries(outputs)) {
    if (file.endsWith(".mjs")) console.log(`${file}  ${(bytes / 1024).toFixed(0)} KiB`);
  }
}
