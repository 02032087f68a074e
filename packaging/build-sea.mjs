// npm run build:sea -- --arch x64|arm64 [--out DIR]: makes the single executable, dist/sea/<arch>/meshd, from the bundle and the Node.js of
// package.json. It is meshctl when it is started under that name. What it contains is listed beside it (sbom.mjs).
//
// Either architecture is built on either. The same sources and tools give the same bytes: no date, path or random seed of the build gets in.

import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { daemonRuntime } from "../src/cli/daemon-program.ts";
import { bundle, workers } from "./bundle.mjs";
import { nodeRuntime } from "./node-runtime.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const TRIPLETS = { x64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" };

const { values } = parseArgs({
  options: { arch: { type: "string", default: process.arch }, out: { type: "string" } },
});
const { arch, out = join(root, "dist/sea", arch) } = values;
if (!(arch in TRIPLETS)) {
  console.error(`--arch must be x64 or arm64: current value is '${arch}'.`);
  process.exit(2);
}

const work = mkdtempSync(join(tmpdir(), "meshd-sea-"));
try {
  await build();
} finally {
  rmSync(work, { recursive: true, force: true });
}

async function build() {
  await bundle({ meshd: "src/cli/executable.ts", ...workers }, work);
  strip(nodeRuntime(arch), join(work, "node"));
  inject();
  mkdirSync(out, { recursive: true });
  const executable = join(out, "meshd");
  // Written beside and renamed, so that one that runs is replaced and not written over.
  copyFileSync(join(work, "meshd"), `${executable}.new`);
  renameSync(`${executable}.new`, executable);
  console.log(`${executable}  ${(statSync(executable).size / 1e6).toFixed(1)} MB`);
}

/** Symbols and debugging information are a quarter of Node's executable. */
function strip(from, to) {
  const own = arch === process.arch ? ["strip"] : [];
  for (const tool of [`${TRIPLETS[arch]}-strip`, "llvm-strip", ...own]) {
    try {
      execFileSync(tool, ["-o", to, from]);
      return;
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
    }
  }
  console.warn(
    `No tool strips an executable for ${arch}: this one keeps its symbols, 33 MB. Debian has one in binutils-${TRIPLETS[arch].replaceAll("_", "-")}.`,
  );
  copyFileSync(from, to);
}

/** Puts the bundles into the executable. Names are relative, because Node.js writes that of the main script into it. */
function inject() {
  const config = {
    main: "meshd.mjs",
    mainFormat: "module",
    executable: "node",
    output: "meshd",
    disableExperimentalSEAWarning: true,
    // V8's compiled form of the main script. It holds for one processor alone, and Node.js makes it for that it runs on.
    useCodeCache: arch === process.arch,
    execArgv: daemonRuntime.flags,
    // That this is Node.js concerns nobody: NODE_OPTIONS of the surroundings are not meant for it.
    execArgvExtension: "none",
    assets: Object.fromEntries(Object.keys(workers).map((name) => [`${name}.mjs`, `${name}.mjs`])),
  };
  writeFileSync(join(work, "sea.json"), JSON.stringify(config));
  // The cache is refused at the start unless V8 had the same flags when it was made; the seed makes it the same each time.
  const flags = [...daemonRuntime.flags, "--random-seed=1"];
  execFileSync(nodeRuntime(process.arch), [...flags, "--build-sea", "sea.json"], {
    cwd: work,
    stdio: ["ignore", "ignore", "inherit"],
  });
}
