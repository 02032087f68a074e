// The trace of a run as one number: every delivered event becomes a record of 32 bytes in a fixed form,
// and records are folded into a chain of SHA-256 blocks. Two runs with one digest delivered the same
// events to the same nodes at the same instants.

import { toHex } from "../foundation/index.ts";
import { hash32 } from "./random.ts";

const RECORD_BYTES = 32;
const BLOCK_RECORDS = 2_048;
const STATE_BYTES = 32;

/** What happened at one instant. Nodes are indices; `NO_NODE` where there is none. */
export interface TraceRecord {
  readonly atMs: number;
  /** What kind of event: a short constant word. */
  readonly kind: string;
  readonly node: number;
  readonly peer: number;
  /** A detail: a constant word such as a timer's id or a verdict's code. */
  readonly detail: string;
  /** A number that tells this event from its like: a message's number, a count. */
  readonly value: number;
  /** First word of what was carried, where it is deterministic; else 0. */
  readonly content: number;
}

/** Stands for "no node" in a record. */
export const NO_NODE = 0xffff_ffff;

/** A running digest over {@link TraceRecord}s. */
export class TraceDigest {
  readonly #sha256: (data: Uint8Array) => Uint8Array;
  /** The chained state, then the records of the open block. */
  readonly #block = new Uint8Array(STATE_BYTES + BLOCK_RECORDS * RECORD_BYTES);
  readonly #view = new DataView(this.#block.buffer);
  readonly #words = new Map<string, number>();
  readonly #names = new Map<number, string>();
  #used = STATE_BYTES;
  #events = 0;

  constructor(sha256: (data: Uint8Array) => Uint8Array) {
    this.#sha256 = sha256;
  }

  /** Events recorded so far. */
  get events(): number {
    return this.#events;
  }

  record(record: TraceRecord): void {
    if (this.#used === this.#block.length) this.#fold();
    const view = this.#view;
    const at = this.#used;
    view.setFloat64(at, record.atMs);
    view.setUint32(at + 8, this.#word(record.kind));
    view.setUint32(at + 12, record.node);
    view.setUint32(at + 16, record.peer);
    view.setUint32(at + 20, this.#word(record.detail));
    view.setUint32(at + 24, record.value);
    view.setUint32(at + 28, record.content);
    this.#used += RECORD_BYTES;
    this.#events++;
  }

  /** The digest of everything so far, 64 hex digits. Recording may go on. */
  digest(): string {
    return toHex(this.#sha256(this.#block.subarray(0, this.#used)));
  }

  /** The last records as text, oldest first, for a failure report. At most `count`, of the open block. */
  tail(count: number): string[] {
    const lines: string[] = [];
    const from = Math.max(STATE_BYTES, this.#used - count * RECORD_BYTES);
    for (let at = from; at < this.#used; at += RECORD_BYTES) {
      const view = this.#view;
      const [kind, detail] = [view.getUint32(at + 8), view.getUint32(at + 20)];
      const peer = view.getUint32(at + 16);
      lines.push(
        `${view.getFloat64(at).toFixed(3)} ms  node ${view.getUint32(at + 12)}` +
          `${peer === NO_NODE ? "" : ` <- ${peer}`}  ${this.#names.get(kind) ?? ""}` +
          ` ${this.#names.get(detail) ?? ""} ${view.getUint32(at + 24)}`,
      );
    }
    return lines;
  }

  #fold(): void {
    const state = this.#sha256(this.#block);
    this.#block.set(state, 0);
    this.#used = STATE_BYTES;
  }

  #word(text: string): number {
    const known = this.#words.get(text);
    if (known !== undefined) return known;
    const word = hash32(text);
    // Words are constants of the code; a run that makes more of them than this only loses the cache.
    if (this.#words.size < 65_536) {
      this.#words.set(text, word);
      this.#names.set(word, text);
    }
    return word;
  }
}
