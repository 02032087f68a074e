// Where the Node.js of package.json is, for each processor it runs on. npm installs that of this machine alone; the other is taken from the
// registry once, held to the digest of the lock file, and kept in node_modules/.cache.
//
//   node packaging/node-runtime.mjs arm64        prints the path

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The path of Node's executable for `arch`, which is "x64" or "arm64". */
export function nodeRuntime(arch) {
  const name = `node-linux-${arch}`;
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  const locked = lock.packages[`node_modules/${name}`];
  if (locked === undefined) throw new Error(`The lock file has no ${name}.`);
  const installed = join(root, "node_modules", name, "bin/node");
  if (existsSync(installed)) return installed;
  const cached = join(root, "node_modules/.cache", `${name}-${locked.version}`);
  if (!existsSync(cached)) download(name, locked, cached);
  return join(cached, "bin/node");
}

function download(name, { version, integrity }, folder) {
  mkdirSync(join(root, "node_modules/.cache"), { recursive: true });
  const temporary = mkdtempSync(`${folder}-`);
  try {
    const pack = ["pack", "--silent", "--pack-destination", temporary, `${name}@${version}`];
    const archive = execFileSync("npm", pack, { cwd: root, encoding: "utf8" })
      .trim()
      .split("\n")
      .at(-1);
    const file = join(temporary, archive);
    const found = `sha512-${createHash("sha512").update(readFileSync(file)).digest("base64")}`;
    if (found !== integrity) {
      throw new Error(`${name} has digest ${found}, but the lock file says ${integrity}.`);
    }
    execFileSync("tar", ["-xzf", file, "-C", temporary, "package/bin/node", "package/LICENSE"]);
    try {
      renameSync(join(temporary, "package"), folder);
    } catch (error) {
      if (!existsSync(folder)) throw error; // else another build was faster
    }
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  console.log(nodeRuntime(process.argv[2]));
}
