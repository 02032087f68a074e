// A Debian to install packages in: packaging/host-root.sh's root as the lower layer, so that what a test does to it is gone
// with the test. Nothing runs in it but what is asked for: no systemd, no /proc, no network of its own.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Cleanup, Finished } from "./host.ts";

const lower = fileURLToPath(new URL("../../../node_modules/.cache/host-root", import.meta.url));

/** What is missing here to make such a root; undefined: nothing. */
export function cannotMakeRoots(): string | undefined {
  if (process.getuid?.() !== 0) return "a Debian root needs root";
  if (!existsSync(`${lower}.complete`)) return "no Debian root: run packaging/host-root.sh";
  return undefined;
}

/** What changes at every use of dpkg, and files that users are kept in with their back-ups. */
const ALWAYS_CHANGING =
  /^(var\/(lib\/dpkg|log|cache)|etc\/(passwd|group|shadow|gshadow|subuid|subgid)-?$|etc\/\.pwd\.lock$|mnt)/;

/** A root with `folder` read-only under /mnt; what is written to it has `sizeMib` of room. */
export class DebianRoot {
  readonly path: string;

  constructor(t: Cleanup, shared: string, sizeMib = 1024) {
    const folder = mkdtempSync(join(tmpdir(), "meshd-root-"));
    const memory = join(folder, "memory");
    this.path = join(folder, "root");
    for (const path of [memory, this.path]) mkdirSync(path);
    must("mount", "-t", "tmpfs", "-o", `size=${sizeMib}m`, "meshd-root", memory);
    const [upper, work] = [join(memory, "upper"), join(memory, "work")];
    for (const path of [upper, work]) mkdirSync(path);
    must(
      ...["mount", "-t", "overlay", "meshd-root", this.path],
      ...["-o", `lowerdir=${lower},upperdir=${upper},workdir=${work}`],
    );
    must("mount", "--bind", "-o", "ro", shared, join(this.path, "mnt"));
    t.after(() => {
      // Whatever a failed test has left mounted inside goes too.
      must("umount", "--recursive", this.path);
      must("umount", memory);
      rmSync(folder, { recursive: true });
    });
  }

  /** Runs a shell command in it, as root with a clean environment; `input` is its standard input. */
  run(command: string, input: string | Uint8Array = ""): Finished {
    const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    const { status, stdout, stderr } = spawnSync(
      "chroot",
      [this.path, "env", "-i", path, "DEBIAN_FRONTEND=noninteractive", "sh", "-c", command],
      { input, encoding: "utf8", timeout: 120_000 },
    );
    return { status, output: (stdout + stderr).trimEnd() };
  }

  /** The output of a command that must end with status 0. */
  ok(command: string): string {
    const { status, output } = this.run(command);
    if (status !== 0) throw new Error(`${command}: status ${String(status)}\n${output}`);
    return output;
  }

  /** Every file with its type and mode. */
  files(): string[] {
    return this.ok("find / -xdev -printf '%P %y %m\\n'")
      .split("\n")
      .filter((line) => !ALWAYS_CHANGING.test(line))
      .sort();
  }

  /** What dpkg says of the package. */
  installed(): string {
    return this.ok("dpkg-query -W -f '${Status} ${Version}' x0tta6bl4");
  }
}

function must(command: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
}
