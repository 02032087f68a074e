// What /proc tells of a process (proc(5)): when it started, its systemd unit, its executable and that file's digest. A process that is
// gone, or hidden from this daemon, tells nothing.

import { createHash } from "node:crypto";
import { open, readFile, readlink } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { isUnitName } from "../../identity/index.ts";

/** Largest executable whose digest is taken. */
const EXECUTABLE_BYTES_MAX = 1024 ** 3;
/** Digests that are remembered by file; the oldest is forgotten first. */
const DIGESTS_MAX = 256;

/** Ticks since boot, a hundredth of a second each: USER_HZ of every Linux that Node.js runs on. */
export const TICKS_PER_S = 100;

/** When a process started, in ticks since boot; undefined when it is not to be seen. */
export function startTicksOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The second field is the program's name in parentheses, which may itself hold blanks and parentheses.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = Number(fields[19]);
    return Number.isSafeInteger(ticks) ? ticks : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The system unit of a process. Of its control group the first part that is no slice counts: what is below may be the unit's own
 * making, and units of user managers are below `user@<uid>.service`, whatever they call themselves.
 */
export function unitOf(cgroups: string): string | undefined {
  const line = /^(?:0::|\d+:name=systemd:)(\/.*)$/m.exec(cgroups)?.[1];
  const parts = line?.split("/").slice(1) ?? [];
  const unit = parts.find((part) => !part.endsWith(".slice"));
  return unit !== undefined && isUnitName(unit) ? unit : undefined;
}

/** What was found of a process; each part is absent when this daemon may not see it. */
export interface ProcessFacts {
  readonly unit?: string;
  readonly path?: string;
  readonly sha256?: string;
}

/** Reads facts, and remembers digests of files by what changes when their content does. */
export class ProcessReader {
  readonly #digests = new Map<string, string>();

  /** @param wantsDigest whether the executable is to be hashed, which costs a second a gigabyte */
  async read(pid: number, wantsDigest: boolean): Promise<ProcessFacts> {
    const [cgroups, path, sha256] = await Promise.all([
      readFile(`/proc/${pid}/cgroup`, "latin1").catch(() => ""),
      readlink(`/proc/${pid}/exe`).catch(() => undefined),
      wantsDigest ? this.#digest(pid).catch(() => undefined) : undefined,
    ]);
    const unit = unitOf(cgroups);
    return {
      ...(unit !== undefined && { unit }),
      // An executable that was replaced or removed while it runs has no path any more.
      ...(path !== undefined && !path.endsWith(" (deleted)") && { path }),
      ...(sha256 !== undefined && { sha256 }),
    };
  }

  /** Of the very file that runs, whatever has its path now. */
  async #digest(pid: number): Promise<string | undefined> {
    const file = await open(`/proc/${pid}/exe`, "r");
    try {
      const { dev, ino, size, mtimeNs, ctimeNs } = await file.stat({ bigint: true });
      if (size > EXECUTABLE_BYTES_MAX) return undefined;
      const key = [dev, ino, size, mtimeNs, ctimeNs].join(":");
      const known = this.#digests.get(key);
      if (known !== undefined) return known;
      const hash = createHash("sha256");
      for await (const chunk of file.createReadStream({ autoClose: false }))
        hash.update(chunk as Buffer);
      const digest = hash.digest("hex");
      this.#digests.set(key, digest);
      const [oldest] = this.#digests.keys();
      if (this.#digests.size > DIGESTS_MAX && oldest !== undefined) this.#digests.delete(oldest);
      return digest;
    } finally {
      await file.close();
    }
  }
}
