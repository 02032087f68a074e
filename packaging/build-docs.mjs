// npm run build:docs: man pages and shell completions into dist/, from the same definitions that the programs run with.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { processCli } from "../src/cli/cli.ts";
import { describeCommand } from "../src/cli/command-tree.ts";
import { completionScripts } from "../src/cli/completion/scripts.ts";
import { daemonOptions } from "../src/cli/daemon-options.ts";
import { meshctlProgram } from "../src/cli/program.ts";
import { buildCommand } from "../src/cli/run-program.ts";
import { build } from "../src/cli/version.ts";
import { configKeys } from "../src/config/index.ts";
import { configPage, meshctlPage, meshdPage } from "./man-pages.mjs";
import { sourceDateEpoch } from "./source-date.mjs";

const root = new URL("..", import.meta.url);

/** Every file by its path below dist/. */
export function buildDocs(epoch) {
  const program = describeCommand(buildCommand(meshctlProgram, processCli()));
  const edition = {
    version: build.version,
    date: new Date(epoch * 1_000).toISOString().slice(0, 10),
  };
  const shipped = readFileSync(new URL("packaging/meshd.yml", root), "utf8");
  return {
    "man/meshctl.1": meshctlPage(program, edition),
    "man/meshd.8": meshdPage(daemonOptions, edition),
    "man/meshd.yml.5": configPage(configKeys, shipped, edition),
    // Under the names that each shell looks for.
    "completions/bash/meshctl": completionScripts.bash(program),
    "completions/zsh/_meshctl": completionScripts.zsh(program),
    "completions/fish/meshctl.fish": completionScripts.fish(program),
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  for (const [path, text] of Object.entries(buildDocs(sourceDateEpoch()))) {
    const file = fileURLToPath(new URL(`dist/${path}`, root));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    console.log(`dist/${path}  ${Buffer.byteLength(text)} bytes`);
  }
}
