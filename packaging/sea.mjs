// Makes a single executable of a program: its bundle, those of the threads, and the Node.js of package.json, in one file.
//
// The same sources and tools give the same bytes: no date, path or seed of the build gets in. Neither V8's code cache nor a snapshot is used. The
// cache has been tried: it is for the processor that builds, needs a fixed seed to be the same twice, and brought nothing at the start (0.33 s of
// CPU with and without it); a snapshot cannot be made of ES modules.

import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { daemonRuntime } from "../src/cli/daemon-program.ts";
import { bundle, scenarioFolder, workers } from "./bundle.mjs";
import { nodeRuntime } from "./node-runtime.mjs";

/** Architectures there are executables for, with the name that the binutils have for each. */
const targets = { x64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" };

/**
 * Makes the executable `file` for `arch` out of the program `entry`, and gives esbuild's metafile. An executable that runs is replaced, not
 * written over.
 */
export async function buildExecutable({ entry, arch, file }) {
  if (!(arch in targets))
    throw new Error(`There is no executable for '${arch}': there are x64 and arm64.`);
  const out = resolve(file);
  const work = mkdtempSync(join(tmpdir(), "meshd-sea-"));
  try {
    const metafile = await bundle({ main: entry, ...workers }, work);
    strip(arch, join(work, "node"));
    inject(work);
    mkdirSync(join(out, ".."), { recursive: true });
    copyFileSync(join(work, "executable"), `${out}.new`);
    chmodSync(`${out}.new`, 0o755);
    renameSync(`${out}.new`, out);
    return metafile;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Symbols and debugging information are a quarter of Node's executable. */
function strip(arch, to) {
  const from = nodeRuntime(arch);
  const own = arch === process.arch ? ["strip"] : [];
  for (const tool of [...own, `${targets[arch]}-strip`, "llvm-strip"]) {
    try {
      execFileSync(tool, ["-o", to, from]);
      return;
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
    }
  }
  const debian = `binutils-${targets[arch].replaceAll("_", "-")}`;
  console.warn(
    `Nothing here strips executables for ${arch}: this one keeps 33 MB of symbols. Debian has ${debian}.`,
  );
  copyFileSync(from, to);
}

/** Names are relative, because Node.js writes that of the main script into the executable. */
function inject(work) {
  cpSync(scenarioFolder, join(work, "scenarios"), { recursive: true });
  const scenarios = readdirSync(scenarioFolder).sort();
  const assets = [
    ...Object.keys(workers).map((name) => `${name}.mjs`),
    ...scenarios.map((file) => `scenarios/${file}`),
  ];
  const config = {
    main: "main.mjs",
    mainFormat: "module",
    executable: "node",
    output: "executable",
    // It says that single executables are under development in Node.js, at each start, to people who cannot change that.
    disableExperimentalSEAWarning: true,
    execArgv: daemonRuntime.flags,
    // That this is Node.js is nobody's concern: the NODE_OPTIONS of the surroundings are not meant for it.
    execArgvExtension: "none",
    assets: Object.fromEntries(assets.map((name) => [name, name])),
  };
  writeFileSync(join(work, "sea.json"), JSON.stringify(config));
  const build = ["--build-sea", "sea.json"];
  execFileSync(nodeRuntime(process.arch), build, {
    cwd: work,
    stdio: ["ignore", "ignore", "inherit"],
  });
}
