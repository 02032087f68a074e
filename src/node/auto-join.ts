// A node that has something to show joins by itself: hosts of an image or a DaemonSet have nobody who types. It tries for as long as
// the node is in no mesh.

import type { Random } from "../ports/index.ts";

/** After the first failure, doubled each time, up to the longest; jittered by a quarter. */
const RETRY_MS = 5_000;
const RETRY_MS_MAX = 300_000;

export interface AutoJoinDeps {
  /** Joins, and says why not in the log. */
  readonly join: () => Promise<unknown>;
  readonly isUnenrolled: () => boolean;
  readonly random: Pick<Random, "fraction">;
}

export class AutoJoin {
  readonly #deps: AutoJoinDeps;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: AutoJoinDeps) {
    this.#deps = deps;
  }

  start(): void {
    void this.#try(RETRY_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  async #try(delayMs: number): Promise<void> {
    const { join, isUnenrolled, random } = this.#deps;
    if (!isUnenrolled()) return;
    const isJoined = await join().then(
      () => true,
      () => false,
    );
    if (isJoined || !isUnenrolled()) return;
    this.#timer = setTimeout(
      () => void this.#try(Math.min(2 * delayMs, RETRY_MS_MAX)),
      delayMs * (0.75 + random.fraction() / 2),
    );
  }
}
