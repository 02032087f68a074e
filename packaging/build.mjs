// npm run build [-- --quiet] [--outdir DIR]: bundles the daemon and the command line into dist/.

import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import ts from "typescript";
import { bundle, scenarioFolder, workers } from "./bundle.mjs";

const { values } = parseArgs({
  options: {
    quiet: { type: "boolean", default: false },
    outdir: { type: "string", default: fileURLToPath(new URL("../dist", import.meta.url)) },
  },
});
const { quiet, outdir } = values;

mkdirSync(outdir, { recursive: true });
// The folders in dist/ belong to other builds.
for (const entry of readdirSync(outdir, { withFileTypes: true })) {
  if (entry.isFile()) rmSync(join(outdir, entry.name));
}
const programs = {
  meshd: "src/cli/meshd.ts",
  meshctl: "src/cli/meshctl.ts",
  meshload: "src/cli/meshload.ts",
  trainer: "src/client/trainer.ts",
};
cpSync(scenarioFolder, join(outdir, "scenarios"), { recursive: true });
const { outputs } = await bundle({ ...programs, ...workers }, outdir, { sourcemap: true });
// The trainer client for other programs: `import { runTrainer } from "x0tta6bl4/trainer"`. It imports nothing, so its types are one file.
const client = fileURLToPath(new URL("../src/client/trainer.ts", import.meta.url));
const { outputText } = ts.transpileDeclaration(readFileSync(client, "utf8"), { fileName: client });
writeFileSync(join(outdir, "trainer.d.ts"), outputText);
if (!quiet) {
  for (const [file, { bytes }] of Object.entries(outputs)) {
    if (file.endsWith(".mjs")) console.log(`${file}  ${(bytes / 1024).toFixed(0)} KiB`);
  }
}
