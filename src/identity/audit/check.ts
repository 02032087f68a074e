// Checks a log line by line, from the oldest to the newest, in constant memory: what was edited, what is missing, what
// stands elsewhere than it was written. A line whose own hash is wrong tells nothing else that could be believed.

import type { CryptoEngine } from "../../crypto/index.ts";
import { type AuditEntry, FIRST_PREVIOUS, readAuditLine } from "./entry.ts";
import type { AuditHead } from "./head.ts";

/** What is wrong with a log. */
export type AuditProblemKind =
  /** A line is no entry, or an entry is not as it was written. */
  | "edited"
  /** Entries are missing, at the beginning or in between. */
  | "removed"
  /** An entry stands behind one that was written later, or stands there twice. */
  | "reordered"
  /** Entries at the end are missing: a signed head is ahead of the log. */
  | "truncated"
  /** The last line has no end: a write was cut off. The daemon's next start mends it. */
  | "torn"
  /** The daemon found the log damaged and began a new chain here. */
  | "restarted"
  /** A log without a signed head, or a head whose signature is wrong. */
  | "head-missing"
  | "head-forged";

/** One thing that is wrong, and where: entries `from` to `to`. */
export interface AuditProblem {
  readonly kind: AuditProblemKind;
  readonly from: number;
  readonly to: number;
}

/** Most problems that are told; from then on they are counted. */
export const AUDIT_PROBLEMS_MAX = 100;

interface Range {
  from: number;
  to: number;
}

/** Takes the lines of a log in order; then tells what is wrong. */
export class AuditChecker {
  readonly #engine: Pick<CryptoEngine, "sha256">;
  readonly #problems: AuditProblem[] = [];
  #count = 0;
  #first: AuditEntry | undefined;
  /** Lines before the first that can be believed. */
  #unread = 0;
  /** Sequence and hash that the next line must continue; no hash behind a line that cannot be believed. */
  #next = 0;
  #previous: string | undefined;
  /** Not seen where they belong; what turns up later was moved. */
  #missing: Range[] = [];
  /** The entry that says why the log begins where it does. */
  #beginning: { readonly through: unknown; readonly hash: unknown } | undefined;
  /** Hashes of the entries that heads name. */
  readonly #heads: readonly AuditHead[];
  readonly #hashes = new Map<number, string>();

  /** @param heads signed heads whose signatures are good */
  constructor(engine: Pick<CryptoEngine, "sha256">, heads: readonly AuditHead[]) {
    this.#engine = engine;
    this.#heads = heads;
  }

  /** The next line, without its newline. */
  line(text: string): void {
    this.#count++;
    const read = readAuditLine(this.#engine, text);
    if (read?.isWhole !== true) {
      this.#unbelievable();
      return;
    }
    const { entry } = read;
    if (this.#first === undefined) this.#begin(entry);
    else if (entry.sequence < this.#next) return this.#outOfPlace(entry);
    else this.#follow(entry);
    this.#seen(entry);
  }

  /** A last line without its newline. */
  torn(): void {
    this.#found({ kind: "torn", from: this.#next, to: this.#next });
  }

  /** Entries seen, the last sequence, and everything that is wrong. */
  finish(): AuditReport {
    const { last } = this;
    for (const { from, to } of this.#missing) this.#found({ kind: "removed", from, to });
    this.#checkBeginning();
    for (const head of this.#heads) this.#checkHead(head, last);
    return {
      entries: this.#count,
      first: this.#first?.sequence ?? 0,
      last,
      problems: this.#problems,
    };
  }

  /** Sequence of the last entry; 0 before the first. */
  get last(): number {
    return Math.max(0, this.#next - 1);
  }

  /** Hash of the last entry, when it can be believed. */
  get lastHash(): string | undefined {
    return this.#previous;
  }

  #begin(entry: AuditEntry): void {
    this.#first = entry;
    if (this.#unread > 0)
      this.#found({ kind: "edited", from: entry.sequence - this.#unread, to: entry.sequence - 1 });
  }

  #follow(entry: AuditEntry): void {
    if (entry.sequence > this.#next)
      this.#missing.push({ from: this.#next, to: entry.sequence - 1 });
    else if (entry.event === "audit.break")
      return; // told by itself
    else if (this.#previous !== undefined && entry.previous !== this.#previous)
      this.#found({ kind: "edited", from: this.#next - 1, to: this.#next - 1 });
  }

  #seen(entry: AuditEntry): void {
    if (entry.event === "audit.break")
      this.#found({ kind: "restarted", from: entry.sequence, to: entry.sequence });
    const { through, hash } = entry.fields;
    if (entry.event === "audit.rotate" && through === (this.#first?.sequence ?? 0) - 1)
      this.#beginning = { through, hash };
    if (this.#heads.some(({ sequence }) => sequence === entry.sequence))
      this.#hashes.set(entry.sequence, entry.hash);
    this.#next = entry.sequence + 1;
    this.#previous = entry.hash;
  }

  #unbelievable(): void {
    if (this.#first === undefined) {
      this.#unread++;
      return;
    }
    this.#found({ kind: "edited", from: this.#next, to: this.#next });
    this.#next++;
    this.#previous = undefined;
  }

  #outOfPlace({ sequence }: AuditEntry): void {
    this.#found({ kind: "reordered", from: sequence, to: sequence });
    this.#missing = this.#missing.flatMap(({ from, to }) =>
      sequence < from || sequence > to
        ? [{ from, to }]
        : [
            { from, to: sequence - 1 },
            { from: sequence + 1, to },
          ].filter((part) => part.from <= part.to),
    );
  }

  /** A log that does not begin with entry 1 has to say that the earlier ones were rotated away. */
  #checkBeginning(): void {
    const first = this.#first;
    if (first === undefined && this.#unread > 0)
      this.#found({ kind: "edited", from: 1, to: this.#unread });
    if (first === undefined || this.#unread > 0) return;
    const isBegun =
      first.sequence === 1
        ? first.previous === FIRST_PREVIOUS
        : first.event === "audit.break" || this.#beginning?.hash === first.previous;
    if (!isBegun) this.#found({ kind: "removed", from: 1, to: Math.max(1, first.sequence - 1) });
  }

  #checkHead({ sequence, hash }: AuditHead, last: number): void {
    if (sequence > last) this.#found({ kind: "truncated", from: last + 1, to: sequence });
    else if (sequence >= (this.#first?.sequence ?? 1) && this.#hashes.get(sequence) !== hash)
      this.#found({ kind: "edited", from: sequence, to: sequence });
  }

  #found(problem: AuditProblem): void {
    const isKnown = this.#problems.some(
      ({ kind, from, to }) => kind === problem.kind && from === problem.from && to === problem.to,
    );
    if (!isKnown && this.#problems.length < AUDIT_PROBLEMS_MAX) this.#problems.push(problem);
  }
}

/** What a check found. */
export interface AuditReport {
  readonly entries: number;
  /** Sequence of the oldest entry, and of the newest; 0 for an empty log. */
  readonly first: number;
  readonly last: number;
  /** Empty: the log is as it was written. */
  readonly problems: readonly AuditProblem[];
}
