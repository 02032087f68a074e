// What is on its way here of a task, by the name of the wish (a header's digest, or a model's), with those who are known to hold
// it: one fetch for each, and a repeated wish brings new holders.

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
  async want(name: string, holders: readonly string[], fetch: Fetch): Promise<void> {
    const others = holders.filter((nodeId) => nodeId !== this.#self) as NodeId[];
    const running = this.#running.get(name);
    if (running !== undefined) {
      running.holders = others;
      return;
    }
    const begun = { holders: others, end: new AbortController() };
    this.#running.set(name, begun);
    try {
      await fetch(() => begun.holders, begun.end.signal);
    } finally {
      if (this.#running.get(name) === begun) this.#running.delete(name);
    }
  }

  /** Nothing is wanted any more but these. */
  keepOnly(names: ReadonlySet<string>): void {
    for (const [name, { end }] of this.#running) {
      if (names.has(name)) continue;
      end.abort();
      this.#running.delete(name);
    }
  }

  /** Nothing is wanted any more. */
  end(): void {
    this.keepOnly(new Set());
  }
}
