// The process that called, pinned: process ids are used again, so what /proc says counts only while the process with this id is the one
// that connected. It must have started before it connected, and have the same start time whenever it is looked at.

import { uptime } from "node:os";
import { ok, refuse, type Result } from "../../foundation/index.ts";
import { OVERFLOW_ID } from "../../identity/index.ts";
import type { PeerCredentials } from "./peer-credentials.ts";
import { type ProcessReader, startTicksOf, TICKS_PER_S } from "./process-facts.ts";

/** Why a caller has no identity, beside having no entry. */
export const CALLER_CODES = [
  /** The kernel named no process, or the process is not to be seen. */
  "workload/caller-unknown",
  /** The user is outside of this daemon's user namespace: any of many. */
  "workload/caller-foreign",
  /** The process that connected is gone, and another may have its id. */
  "workload/caller-gone",
] as const;
export type CallerCode = (typeof CALLER_CODES)[number];

export class Caller {
  readonly credentials: PeerCredentials;
  readonly #startTicks: number;

  private constructor(credentials: PeerCredentials, startTicks: number) {
    this.credentials = credentials;
    this.#startTicks = startTicks;
  }

  /** To be called as the connection is accepted. */
  static pin(credentials: PeerCredentials | undefined): Result<Caller, CallerCode> {
    if (credentials === undefined) return refuse("workload/caller-unknown");
    const { pid, uid, gid } = credentials;
    if (uid === OVERFLOW_ID || gid === OVERFLOW_ID) return refuse("workload/caller-foreign");
    const startTicks = startTicksOf(pid);
    if (startTicks === undefined) return refuse("workload/caller-unknown");
    // One tick of grace: both times are rounded.
    if (startTicks > uptime() * TICKS_PER_S + 1) return refuse("workload/caller-gone");
    return ok(new Caller(credentials, startTicks));
  }

  /** What is known of the process now, as selectors. */
  async selectors(
    reader: ProcessReader,
    wantsDigest: boolean,
  ): Promise<Result<ReadonlySet<string>, CallerCode>> {
    const { pid, uid, gid } = this.credentials;
    const { unit, path, sha256 } = await reader.read(pid, wantsDigest);
    // Afterwards: had another process taken the id before or during the reading, this one would not be there.
    if (startTicksOf(pid) !== this.#startTicks) return refuse("workload/caller-gone");
    return ok(
      new Set([
        `unix:uid:${uid}`,
        `unix:gid:${gid}`,
        ...(unit === undefined ? [] : [`systemd:unit:${unit}`]),
        ...(path === undefined ? [] : [`unix:path:${path}`]),
        ...(sha256 === undefined ? [] : [`unix:sha256:${sha256}`]),
      ]),
    );
  }
}
