// Gets a content from whoever holds it: the author first, then others that said they hold it, at last those that a search finds. What one
// holder gave stays when it breaks off, and the next is asked for the rest only.

import type { Stream } from "@libp2p/interface";
import {
  CONTENT_PROTOCOL,
  fetchContent,
  type TransferErrorCode,
  type TransferLimits,
} from "../../adapters/libp2p/content-exchange.ts";
import { isMeshError, MeshError } from "../../foundation/index.ts";
import type { NodeId } from "../../identity/index.ts";
import {
  Assembly,
  type ContentId,
  type HeldContent,
  type Sha256,
  transferResults,
} from "../../learning/index.ts";
import type { Logger, Meter } from "../../ports/index.ts";
import type { ContentStore } from "./content-store.ts";
import type { MemoryBudget } from "./memory-budget.ts";

/** Contents whose holders are asked at once; more wait. */
const FETCHES_MAX = 6;
/** Between two rounds of asking all known holders: twice as long each time. */
const RETRY_MS = { first: 200, most: 5_000 };

export interface ContentFetcherDeps {
  readonly openStream: (nodeId: NodeId, protocol: string, signal: AbortSignal) => Promise<Stream>;
  readonly sha256: Sha256;
  readonly store: ContentStore;
  readonly budget: MemoryBudget;
  readonly logger: Logger;
  readonly meter: Meter;
}

export interface ContentFetch {
  readonly taskId: string;
  readonly content: ContentId;
  /** Who is known to hold it, in order of preference, as of now: asked again before each round. */
  readonly holders: () => readonly NodeId[];
  /** Looks for more that may hold it, when none of these gives it. */
  readonly search?: () => Promise<readonly NodeId[]>;
  readonly signal: AbortSignal;
}

export class ContentFetcher {
  readonly #deps: ContentFetcherDeps;
  readonly #limits: TransferLimits;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(deps: ContentFetcherDeps, limits: TransferLimits = {}) {
    this.#deps = deps;
    this.#limits = limits;
  }

  /**
   * The content; it is held in the store from then on. Tries until the signal ends it.
   * @throws MeshError `learning/memory-budget` at once, `learning/fetch-ended` with the signal
   */
  async fetch(wanted: ContentFetch): Promise<Uint8Array> {
    const { store, budget, sha256 } = this.#deps;
    const { content, signal } = wanted;
    if (signal.aborted) throw ended(signal);
    const held = store.get(content.digest);
    if (held !== undefined) return held.bytes;
    budget.take(content.bytes);
    const assembly = new Assembly(sha256, content);
    const whole = await this.#assemble(wanted, assembly).catch((error: unknown) => {
      budget.release(content.bytes);
      throw error;
    });
    store.adopt(content, whole);
    return whole.bytes;
  }

  /** Nobody keeps its place while it waits for holders to get better: a few contents that are never handed out would block all others. */
  async #assemble(wanted: ContentFetch, assembly: Assembly): Promise<HeldContent> {
    const { signal, search } = wanted;
    const liars = new Set<NodeId>();
    let found: readonly NodeId[] = [];
    let pauseMs = RETRY_MS.first;
    for (let attempt = 1; ; attempt++) {
      const holders = (): readonly NodeId[] => [...new Set([...wanted.holders(), ...found])];
      const ask = () => this.#askAll({ ...wanted, holders }, assembly, liars);
      const whole = await this.#inTurn(ask);
      if (whole !== undefined) return whole;
      await pause(pauseMs, signal);
      pauseMs = Math.min(2 * pauseMs, RETRY_MS.most);
      if (search !== undefined && isSearchDue(attempt)) found = await search();
    }
  }

  /** Who ends hands the place over to who waits longest. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < FETCHES_MAX) this.#running++;
    else await new Promise<void>((resume) => this.#waiting.push(resume));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }

  /** @param liars who gave what is not of this content; more are added */
  async #askAll(
    wanted: ContentFetch,
    assembly: Assembly,
    liars: Set<NodeId>,
  ): Promise<HeldContent | undefined> {
    for (const holder of wanted.holders()) {
      if (wanted.signal.aborted) throw ended(wanted.signal);
      if (liars.has(holder)) continue;
      if (await this.#askOne(holder, wanted, assembly)) liars.add(holder);
      const whole = assembly.complete();
      if (whole !== undefined) return whole;
    }
    return undefined;
  }

  /** Takes from one holder what it gives. True when it gave what is not of this content: it is not asked again. */
  async #askOne(
    holder: NodeId,
    { taskId, signal }: ContentFetch,
    assembly: Assembly,
  ): Promise<boolean> {
    const { openStream, meter, logger } = this.#deps;
    try {
      const stream = await openStream(holder, CONTENT_PROTOCOL, signal);
      await fetchContent(stream, taskId, assembly, signal, this.#limits);
      meter.count("meshd_learning_transfers_total", { result: "whole" });
      meter.count("meshd_learning_transfer_bytes_total", {}, assembly.content.bytes);
      return false;
    } catch (error) {
      if (!isMeshError(error)) throw error;
      const result = resultOf(error.code as TransferErrorCode);
      meter.count("meshd_learning_transfers_total", { result });
      logger.debug({ code: error.code, holder, taskId }, "content not fetched from this holder");
      return result === "bad-chunk";
    }
  }
}

/** After two attempts, and each time that there were twice as many. */
function isSearchDue(attempt: number): boolean {
  return attempt > 1 && (attempt & (attempt - 1)) === 0;
}

function resultOf(code: TransferErrorCode): (typeof transferResults)[number] {
  const reason = code.slice("learning/".length);
  return transferResults.find((result) => result === reason) ?? "broken";
}

function ended(signal: AbortSignal): MeshError {
  return new MeshError("learning/fetch-ended", "The content is not wanted any more.", undefined, {
    cause: signal.reason,
  });
}

/** @throws MeshError `learning/fetch-ended` */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resume, refuse) => {
    const stop = (): void => {
      clearTimeout(timer);
      refuse(ended(signal));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resume();
    }, ms);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}
