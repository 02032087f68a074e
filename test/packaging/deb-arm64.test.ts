// The Debian package for arm64, built here: refused by a system of another architecture, and unpacked and run by an emulator.
// `packaging/arm64-root.sh` prepares the emulator; without it this file skips.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import packageFile from "../../package.json" with { type: "json" };
import { scratch, spawnDaemon } from "../integration/node/harness.ts";
import { buildMeshd, ended, repository } from "./executables.ts";
import { buildDeb, has } from "./support/deb.ts";
import { cannotMakeRoots, DebianRoot } from "./support/debian-root.ts";

const prepared = join(repository, "node_modules/.cache/arm64");
/** An emulated daemon takes about ten times as long as one of this machine. */
const DEADLINE_MS = 120_000;

function reasonToSkip(): string | false {
  if (process.platform !== "linux" || process.arch !== "x64")
    return "the arm64 package is tried with an emulator on x64 Linux alone";
  if (!existsSync(join(prepared, "complete")))
    return "no emulated arm64 in node_modules/.cache/arm64: packaging/arm64-root.sh prepares it";
  for (const tool of ["dpkg-deb", "readelf"]) if (!has(tool)) return `${tool} is not installed`;
  return false;
}

describe("the Debian package for arm64", { skip: reasonToSkip(), concurrency: false }, () => {
  const folder = mkdtempSync(join(tmpdir(), "meshd-deb-arm64-"));
  const unpacked = join(folder, "unpacked");
  let deb = "";
  before(async () => {
    const executable = await buildMeshd("arm64", folder);
    deb = buildDeb({ executable, version: "0.1.0-1", out: folder, arch: "arm64" });
    execFileSync("dpkg-deb", ["-x", deb, unpacked]);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test("is for arm64 and depends on that C library which its Node.js was linked for", () => {
    const { stdout } = spawnSync("dpkg-deb", ["-f", deb, "Architecture", "Depends"], {
      encoding: "utf8",
    });
    assert.match(stdout, /^Architecture: arm64$/m);
    assert.match(stdout, /libatomic1 .*libc6 \(>= 2\.28\)/);
  });

  test("is refused by a system of another architecture", {
    skip: cannotMakeRoots() ?? false,
  }, (t) => {
    const root = new DebianRoot(t, folder);
    const files = root.files();
    const { status, output } = root.run("dpkg -i /mnt/x0tta6bl4_0.1.0-1_arm64.deb");
    assert.notEqual(status, 0);
    assert.match(output, /package architecture \(arm64\) does not match system \(amd64\)/);
    assert.deepEqual(root.files(), files);
  });

  test("has programs that run: a daemon, and meshctl init that makes it a mesh", async (t) => {
    const emulated = (program: string): string[] => [
      join(prepared, "qemu-aarch64-static"),
      ...["-L", join(prepared, "root"), join(unpacked, "usr/bin", program)],
    ];
    const version = await ended([...emulated("meshd"), "--version"]);
    assert.deepEqual([version.exit, version.out.split(" ")[0]], [0, packageFile.version]);

    const daemon = await spawnDaemon(t, {}, scratch(t), emulated("meshd")).answers(DEADLINE_MS);
    const meshctl = [...emulated("meshctl"), "--socket", join(daemon.directory, "c.sock")];
    const init = ["init", "--trust-domain", "arm.mesh", "--name", "first"];
    const made = await ended([...meshctl, ...init]);
    assert.deepEqual([made.exit, made.err], [0, ""]);
    assert.match(made.out, /spiffe:\/\/arm\.mesh\/node\/first/);
  });
});
