// A state directory on a disk of its own that is soon full: a small tmpfs, which root alone can mount.

import { spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { scratch, type Stack } from "./harness.ts";

/** Why there is no such disk; false when there can be one. */
export const mountSkip = process.getuid?.() === 0 ? false : "only root can mount a small tmpfs";

/** A daemon's directory whose state is on a disk of so many megabytes; why not, if it cannot be had. */
export function smallDisk(
  stack: Stack,
  megabytes = 6,
): { readonly directory: string; readonly problem?: string } {
  const directory = scratch(stack);
  const state = join(directory, "state");
  mkdirSync(state);
  const size = `size=${megabytes}m,mode=700`;
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", size, "tmpfs", state]);
  if (mounted.status !== 0) return { directory, problem: mounted.stderr.toString().trim() };
  stack.after(() => void spawnSync("umount", ["-l", state]));
  return { directory };
}

/** Takes all that is left of a file system. */
export function fill(file: string): void {
  for (const bytes of [65_536, 4_096]) {
    for (;;) {
      try {
        appendFileSync(file, new Uint8Array(bytes));
      } catch {
        break;
      }
    }
  }
}
