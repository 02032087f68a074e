// A state directory on a disk of its own that is soon full: a small tmpfs, which root alone can mount.

import { spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { scratch, type Stack } from "./harness.ts";

/** Why there is no such disk; false when there can be one. */
export const mountSkip = process.getuid?.() === 0 ? false : "only root can mount a small tmpfs";

/** Puts a disk of so many megabytes in a directory's place. @returns why it cannot be had */
export function mountDisk(directory: string, megabytes: number): string | undefined {
  const size = `size=${megabytes}m,mode=700`;
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", size, "tmpfs", directory]);
  return mounted.status === 0 ? undefined : mounted.stderr.toString().trim();
}

/** Takes it away, whoever still has files open. */
export function unmountDisk(directory: string): void {
  spawnSync("umount", ["-l", directory]);
}

/** A daemon's directory whose state is on a disk of so many megabytes; why not, if it cannot be had. */
export function smallDisk(
  stack: Stack,
  megabytes = 6,
): { readonly directory: string; readonly problem?: string } {
  const directory = scratch(stack);
  const state = join(directory, "state");
  mkdirSync(state);
  const problem = mountDisk(state, megabytes);
  if (problem !== undefined) return { directory, problem };
  stack.after(() => unmountDisk(state));
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
