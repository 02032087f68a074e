// The contents of a round that are on their way here, by digest, with those who are known to hold them: one fetch a content,
// and a repeated wish brings new holders.

import type { NodeId } from "../../identity/index.ts";

/** Gets a content; `known` says who holds it as of now. */
export type Fetch = (known: () => readonly NodeId[], signal: AbortSignal) => Promise<void>;

export class RoundFetches {
  readonly #self: string;
  readonly #running = new Map<
    string,
    { holders: readonly NodeId[]; readonly end: AbortController }
  >();

  /** @param self holds nothing that it would have to fetch */
  constructor(self: string) {
    this.#self = self;
  }

  /** Begins the fetch, or tells the one that runs who holds it now; settles with a fetch that it began. */
  async want(digest: string, holders: readonly string[], fetch: Fetch): Promise<void> {
    const others = holders.filter((nodeId) => nodeId !== this.#self) as NodeId[];
    const running = this.#running.get(digest);
    if (running !== undefined) {
      running.holders = others;
      return;
    }
    const begun = { holders: others, end: new AbortController() };
    this.#running.set(digest, begun);
    try {
      await fetch(() => begun.holders, begun.end.signal);
    } finally {
      if (this.#running.get(digest) === begun) this.#running.delete(digest);
    }
  }

  /** Nothing of it is wanted any more. */
  end(): void {
    for (const { end } of this.#running.values()) end.abort();
    this.#running.clear();
  }
}
