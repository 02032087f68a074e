// The audit log on disk: entries are appended to the newest segment, and a signed head follows within a second. What is
// recorded is on disk before the call returns. Written by one daemon alone, which the lock of the state database sees to.
//
//   audit/audit-000000000001.jsonl   entries 1, 2, 3, …
//   audit/audit-000000004711.jsonl   entries from 4711 on; older segments go when the log is longer than it may be
//   audit/head.json                  the newest entry, signed with the node's keys

import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { CryptoEngine } from "../../crypto/index.ts";
import { errorMessage, MeshError } from "../../foundation/index.ts";
import {
  AUDIT_ENTRIES,
  AUDIT_LOST,
  AUDIT_SEQUENCE,
  AuditChecker,
  type AuditEvent,
  type AuditProblemKind,
  type AuditRecord,
  type AuditTrail,
  encodeAuditLine,
  FIRST_PREVIOUS,
  type NodeKeys,
  readAuditLine,
  signAuditHead,
} from "../../identity/index.ts";
import type { Clock, Meter } from "../../ports/index.ts";
import {
  type AuditErrorCode,
  auditSegments,
  headFile,
  segmentName,
  storedHead,
} from "./audit-files.ts";

/** Default size from which a new segment begins: the newest is checked at each start, 2,400 entries in a tenth of a second. */
export const SEGMENT_BYTES = 1024 * 1024;
/** Notes of one event a minute; peers cause them, and each costs disk. */
export const NOTES_PER_MINUTE = 60;
/** The head follows the log after this. */
const HEAD_DELAY_MS = 1_000;
const HEAD_RETRY_MS = 10_000;
const MINUTE_MS = 60_000;

export interface AuditLogDeps {
  readonly engine: CryptoEngine;
  readonly keys: NodeKeys;
  readonly clock: Clock;
  readonly meter: Meter;
}

export interface AuditLogOptions {
  readonly directory: string;
  /** Longest the log may be; whole segments go, the newest two never. */
  readonly bytesMax: number;
  /** @default SEGMENT_BYTES */
  readonly segmentBytes?: number;
}

/** What a log can be ill of. */
type AuditCondition = Extract<AuditErrorCode, "audit/write-failed" | "audit/broken">;

interface NoteWindow {
  readonly beganMs: number;
  written: number;
  suppressed: number;
}

export class AuditLog implements AuditTrail {
  readonly #deps: AuditLogDeps;
  readonly #options: Required<AuditLogOptions>;
  #segments: string[];
  #file: number | undefined;
  /** Bytes of whole entries in the newest segment. */
  #size = 0;
  #sequence = 0;
  #hash = FIRST_PREVIOUS;
  /** Entries that could not be written since the last one that could. */
  #lost = 0;
  #problem: MeshError<AuditCondition> | undefined;
  #broken: MeshError<AuditCondition> | undefined;
  #headTimer: NodeJS.Timeout | undefined;
  readonly #notes = new Map<AuditEvent, NoteWindow>();

  /**
   * Opens the log and goes on where it ended. What a crash cut off is taken away and told; a log that is not as it was
   * written is left as it is, and a new chain begins behind it.
   * @throws MeshError `audit/write-failed` when nothing can be written there
   */
  constructor(deps: AuditLogDeps, options: AuditLogOptions) {
    this.#deps = deps;
    this.#options = { segmentBytes: SEGMENT_BYTES, ...options };
    const { directory } = options;
    try {
      mkdirSync(directory, { recursive: true, mode: 0o750 });
      this.#segments = auditSegments(directory);
      this.#resume();
    } catch (cause) {
      throw this.#failed(cause);
    }
  }

  /** Why entries are not written now, or what was found at the start. */
  get problem(): MeshError<AuditCondition> | undefined {
    return this.#problem ?? this.#broken;
  }

  record(entry: AuditRecord): void {
    this.#append(entry, true);
  }

  note(entry: AuditRecord): void {
    const suppressed = this.#admit(entry.event);
    if (suppressed === undefined) return;
    const told = suppressed === 0 ? {} : { suppressed };
    try {
      this.#append({ ...entry, fields: { ...entry.fields, ...told } }, false);
    } catch {
      // Counted and kept as the log's problem: what happened has happened.
    }
  }

  /** Signs the head and closes the files. Idempotent. */
  close(): void {
    clearTimeout(this.#headTimer);
    if (this.#file === undefined) return;
    this.#writeHead();
    clearTimeout(this.#headTimer);
    this.#closeSegment();
  }

  #append(entry: AuditRecord, durable: boolean): void {
    try {
      if (this.#lost > 0) {
        const gap = { event: "audit.gap", fields: { lost: this.#lost } } as const;
        this.#write(gap, false);
        this.#lost = 0;
      }
      if (this.#size >= this.#options.segmentBytes) this.#rotate();
      this.#write(entry, durable);
      this.#problem = undefined;
      if (this.#sequence === 1) this.#writeHead(); // from then on a log without a head is a robbed one
    } catch (cause) {
      this.#lost++;
      this.#deps.meter.count(AUDIT_LOST, { reason: "write-failed" });
      throw this.#failed(cause);
    }
  }

  /** All of a line, or nothing of it. */
  #write(entry: AuditRecord, durable: boolean): void {
    const { engine, clock, meter } = this.#deps;
    const file = (this.#file ??= this.#openSegment());
    const sequence = this.#sequence + 1;
    const at = new Date(clock.now().wallMs).toISOString();
    const line = encodeAuditLine(engine, entry, { sequence, at, previous: this.#hash });
    const bytes = Buffer.from(`${line.text}\n`);
    try {
      if (writeSync(file, bytes) < bytes.length) throw new Error("the disk is full");
      if (durable) fdatasyncSync(file);
    } catch (error) {
      this.#closeSegment(); // what was written of the line is taken away when the segment is opened again
      throw error;
    }
    this.#size += bytes.length;
    this.#sequence = sequence;
    this.#hash = line.hash;
    meter.count(AUDIT_ENTRIES, { event: entry.event });
    meter.set(AUDIT_SEQUENCE, sequence);
    this.#headSoon();
  }

  #openSegment(): number {
    const newest = this.#segments.at(-1);
    if (newest === undefined) return this.#beginSegment();
    const file = openSync(newest, "a", 0o640);
    ftruncateSync(file, this.#size);
    return file;
  }

  #closeSegment(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #beginSegment(): number {
    const segment = join(this.#options.directory, segmentName(this.#sequence + 1));
    const file = openSync(segment, "a", 0o640);
    syncDirectory(this.#options.directory);
    this.#segments.push(segment);
    this.#size = 0;
    return file;
  }

  /** Begins a segment; older ones go once the log says that they do. */
  #rotate(): void {
    if (this.#file !== undefined) fdatasyncSync(this.#file);
    this.#closeSegment();
    this.#file = this.#beginSegment();
    while (this.#segments.length > 2 && this.#bytes() > this.#options.bytesMax) {
      const [oldest = "", next = ""] = this.#segments;
      const first = readAuditLine(this.#deps.engine, firstLine(next))?.entry;
      const fields = { through: (first?.sequence ?? 1) - 1, hash: first?.previous ?? "" };
      this.#write({ event: "audit.rotate", fields }, true);
      rmSync(oldest, { force: true });
      this.#segments.shift();
    }
  }

  #bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + statSync(segment).size, 0);
  }

  #resume(): void {
    const newest = this.#segments.at(-1);
    const torn = newest === undefined ? 0 : takeTornEnd(newest);
    if (newest !== undefined && statSync(newest).size === 0) {
      rmSync(newest);
      this.#segments.pop();
    }
    const segment = this.#segments.at(-1);
    const { engine, keys, meter } = this.#deps;
    const stored = storedHead(engine, this.#options.directory);
    const head = stored?.ok === true ? stored.value : undefined;
    const checker = new AuditChecker(engine, head === undefined ? [] : [head]);
    const text = segment === undefined ? "" : readFileSync(segment, "utf8");
    for (const line of text.split("\n").slice(0, -1)) checker.line(line);
    this.#sequence = checker.last;
    this.#hash = checker.lastHash ?? FIRST_PREVIOUS;
    this.#size = Buffer.byteLength(text);
    const kinds = checker.finish().problems.flatMap(
      ({ kind, from }) => (kind === "removed" && from === 1 ? [] : [kind]), // where the log begins is in older segments
    );
    if (head !== undefined && head.nodeId !== keys.nodeId) kinds.push("head-forged");
    // The first entry comes before the first head, and a crash may come in between.
    if (head === undefined && checker.last > 1)
      kinds.push(stored === undefined ? "head-missing" : "head-forged");
    const wrong = kinds.find((kind) => kind !== "restarted") ?? kinds[0];
    if (wrong !== undefined) this.#begin(wrong, Math.max(checker.last, head?.sequence ?? 0));
    else if (torn > 0) this.#write({ event: "audit.gap", fields: { tornBytes: torn } }, true);
    meter.set(AUDIT_SEQUENCE, this.#sequence);
  }

  /** A new chain, in a segment of its own; it keeps telling that it is one. */
  #begin(reason: AuditProblemKind, sequence: number): void {
    this.#broken = new MeshError<AuditCondition>(
      "audit/broken",
      `The audit log is not as this node wrote it (${reason}). Keep a copy of '${this.#options.directory}', see meshctl audit verify, then move the directory away and restart meshd.`,
      { reason },
    );
    if (reason === "restarted") return;
    this.#sequence = sequence;
    this.#hash = FIRST_PREVIOUS;
    this.#file = this.#beginSegment();
    this.#write({ event: "audit.break", fields: { reason } }, true);
  }

  /** How many notes of the event were left out before this one; `undefined`: this one is, too. */
  #admit(event: AuditEvent): number | undefined {
    const nowMs = this.#deps.clock.now().monoMs;
    const window = this.#notes.get(event);
    if (window !== undefined && nowMs - window.beganMs < MINUTE_MS) {
      if (window.written++ < NOTES_PER_MINUTE) return 0;
      window.suppressed++;
      this.#deps.meter.count(AUDIT_LOST, { reason: "rate" });
      return undefined;
    }
    this.#notes.set(event, { beganMs: nowMs, written: 1, suppressed: 0 });
    return window?.suppressed ?? 0;
  }

  #headSoon(delayMs = HEAD_DELAY_MS): void {
    this.#headTimer ??= setTimeout(() => {
      this.#headTimer = undefined;
      this.#writeHead();
    }, delayMs).unref();
  }

  /** The log is on disk before the head is: a head ahead of its log would tell of a theft that a crash did. */
  #writeHead(): void {
    const { engine, keys, clock } = this.#deps;
    if (this.#file === undefined) return;
    const target = headFile(this.#options.directory);
    try {
      fdatasyncSync(this.#file);
      const at = new Date(clock.now().wallMs).toISOString();
      const head = { sequence: this.#sequence, hash: this.#hash, at };
      const descriptor = openSync(`${target}.new`, "w", 0o640);
      try {
        writeSync(descriptor, signAuditHead(engine, keys, head));
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
      renameSync(`${target}.new`, target);
      syncDirectory(dirname(target));
      if (this.#lost === 0) this.#problem = undefined;
    } catch (cause) {
      this.#failed(cause);
      this.#headSoon(HEAD_RETRY_MS);
    }
  }

  #failed(cause: unknown): MeshError<AuditCondition> {
    this.#problem = new MeshError<AuditCondition>(
      "audit/write-failed",
      `Cannot write the audit log: ${errorMessage(cause)}. Nothing is issued meanwhile. Free space on the disk of state_dir, or check it.`,
      {},
      { cause },
    );
    return this.#problem;
  }
}

/** Takes away what is behind the last newline; gives how many bytes that were. */
function takeTornEnd(segment: string): number {
  const bytes = readFileSync(segment);
  const whole = bytes.lastIndexOf(0x0a) + 1;
  if (whole < bytes.length) truncateSync(segment, whole);
  return bytes.length - whole;
}

function firstLine(segment: string): string {
  return readFileSync(segment, "utf8").split("\n", 1)[0] ?? "";
}

function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
