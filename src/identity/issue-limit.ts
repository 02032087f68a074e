// How much an issuer signs in total, whoever asks: so that it answers in time what it answers, and its core is left for the mesh.
// Beyond that it refuses with a code by which nodes turn to another issuer, or come back.

import { TokenBucket } from "../foundation/index.ts";
import type { MonoMs } from "../ports/index.ts";

/** At once, and each second from then on: of SVIDs for nodes, and as much again of those for workloads. */
export const issueLimits = { burst: 2_048, perSecond: 50 } as const;

export class IssueLimit {
  readonly #options: { readonly burst: number; readonly perSecond: number };
  #bucket: TokenBucket | undefined;

  constructor(options: { readonly burst: number; readonly perSecond: number } = issueLimits) {
    this.#options = options;
  }

  /** Whether another one may be signed now. */
  has(nowMs: MonoMs): boolean {
    this.#bucket ??= new TokenBucket(this.#options.burst, this.#options.perSecond, nowMs);
    return this.#bucket.has(nowMs);
  }

  /** One is signed; only after {@link has} said so at the same moment. */
  take(): void {
    this.#bucket?.take();
  }
}
