// Gets updates and models from whoever says to hold them, one holder after another, a few contents at a time: what the daemon's
// fetcher does over streams. What comes is believed when it has the name that was asked for.

import type { Datagram } from "../node-types.ts";
import type { LearningDatagram } from "./learning-datagrams.ts";

/** Contents on their way in at once; more wait. */
const FETCHES_MAX = 6;
/** When a holder that does not answer is given up for the next. */
const ANSWER_TIMEOUT_MS = 3_000;
/** Between two rounds of asking all holders. */
const RETRY_MS = 1_000;

/** What is wanted. */
export interface Wanted {
  readonly content: string;
  readonly holders: readonly string[];
  /** Takes bytes that may be anything; false when they are not what was wanted. */
  readonly take: (bytes: Uint8Array) => boolean;
}

interface Fetch {
  wanted: Wanted;
  /** Place of the holder that is asked next. */
  next: number;
  /** Its question or its pause; undefined while it waits for its turn. */
  number: number | undefined;
}

/** What the fetches use. */
export interface FetchDeps {
  readonly ask: (holder: string, datagram: Omit<Datagram, "kind"> & LearningDatagram) => void;
  readonly setTimer: (number: number, delayMs: number) => void;
  readonly number: () => number;
}

const QUESTION_BYTES = 48;

/** The contents that a participant wants. */
export class ContentFetches {
  readonly #deps: FetchDeps;
  readonly #fetches = new Map<string, Fetch>();

  constructor(deps: FetchDeps) {
    this.#deps = deps;
  }

  /** Fetches a content; where that is under way, from these holders from now on. */
  want(wanted: Wanted): void {
    const known = this.#fetches.get(wanted.content);
    if (known === undefined) {
      this.#fetches.set(wanted.content, { wanted, next: 0, number: undefined });
      this.#startWaiting();
    } else known.wanted = wanted;
  }

  /** The answer to a question; undefined bytes: the holder has it not. */
  answered(number: number, bytes: Uint8Array | undefined): void {
    const fetch = this.#byNumber(number);
    if (fetch === undefined) return;
    if (bytes === undefined || !fetch.wanted.take(bytes)) {
      this.#askNext(fetch);
      return;
    }
    this.#fetches.delete(fetch.wanted.content);
    this.#startWaiting();
  }

  /** A question got no answer, or a pause is over. */
  timeout(number: number): void {
    const fetch = this.#byNumber(number);
    if (fetch !== undefined) this.#askNext(fetch);
  }

  /** Nothing is wanted any more but these. */
  keepOnly(contents: ReadonlySet<string>): void {
    for (const content of this.#fetches.keys()) {
      if (!contents.has(content)) this.#fetches.delete(content);
    }
    this.#startWaiting();
  }

  #byNumber(number: number): Fetch | undefined {
    return [...this.#fetches.values()].find((fetch) => fetch.number === number);
  }

  #startWaiting(): void {
    const fetches = [...this.#fetches.values()];
    let running = fetches.filter(({ number }) => number !== undefined).length;
    for (const fetch of fetches) {
      if (running >= FETCHES_MAX) return;
      if (fetch.number !== undefined) continue;
      this.#askNext(fetch);
      running++;
    }
  }

  #askNext(fetch: Fetch): void {
    const { content, holders } = fetch.wanted;
    const holder = holders[fetch.next];
    const number = this.#deps.number();
    fetch.number = number;
    if (holder === undefined) {
      fetch.next = 0;
      this.#deps.setTimer(number, RETRY_MS);
      return;
    }
    fetch.next++;
    this.#deps.setTimer(number, ANSWER_TIMEOUT_MS);
    this.#deps.ask(holder, { kind: "fl-want", number, content, sizeBytes: QUESTION_BYTES });
  }
}
