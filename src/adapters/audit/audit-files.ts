// The files of an audit log: segments named by their first entry, so that their order is that of their names, and the
// signed head. Read here line by line, bounded, for whoever checks or shows them.

import { createReadStream, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { CryptoEngine } from "../../crypto/index.ts";
import { errorMessage, MeshError, type Result } from "../../foundation/index.ts";
import {
  AUDIT_HEAD_CHARS_MAX,
  AUDIT_LINE_BYTES_MAX,
  AuditChecker,
  type AuditEntry,
  type AuditHead,
  type AuditProblem,
  type AuditReport,
  readAuditHead,
  readAuditLine,
} from "../../identity/index.ts";

/** Codes of the audit log. */
export type AuditErrorCode =
  /** An entry or the head could not be written. What depends on it does not happen. */
  | "audit/write-failed"
  /** The log was found damaged; a new chain was begun. */
  | "audit/broken"
  /** There is no log, or it may not be read. */
  | "audit/unreadable"
  /** A head that was given has a wrong signature. */
  | "audit/head-forged";

const SEGMENT = /^audit-\d{12}\.jsonl$/;
const HEAD = "head.json";

/** The directory of the log in a state directory. */
export function auditDirectory(stateDir: string): string {
  return join(stateDir, "audit");
}

/** The file whose first entry has that sequence. */
export function segmentName(sequence: number): string {
  return `audit-${String(sequence).padStart(12, "0")}.jsonl`;
}

/** Segments by their paths, the oldest first. */
export function auditSegments(directory: string): string[] {
  if (!existsSync(directory)) return [];
  const names = readdirSync(directory).filter((name) => SEGMENT.test(name));
  return names.sort().map((name) => join(directory, name));
}

/** Path of the signed head. */
export function headFile(directory: string): string {
  return join(directory, HEAD);
}

/** The signed head of a log as it stands in its file; `undefined` when there is none. */
export function storedHead(
  engine: CryptoEngine,
  directory: string,
): Result<AuditHead, "audit/head-forged"> | undefined {
  const file = headFile(directory);
  if (!existsSync(file)) return undefined;
  const isShort = statSync(file).size <= AUDIT_HEAD_CHARS_MAX;
  return readAuditHead(engine, isShort ? readFileSync(file, "utf8") : "");
}

/** Lines of a file; what is behind the last newline comes with `isTorn`. Longer lines than any entry are cut. */
export async function* linesOf(file: string): AsyncGenerator<{ text: string; isTorn: boolean }> {
  let rest = "";
  for await (const chunk of createReadStream(file, "utf8") as AsyncIterable<string>) {
    const lines = (rest + chunk).split("\n");
    rest = (lines.pop() ?? "").slice(0, AUDIT_LINE_BYTES_MAX);
    for (const text of lines) yield { text, isTorn: false };
  }
  if (rest !== "") yield { text: rest, isTorn: true };
}

/** What {@link checkAuditLog} found, and whose log it is. */
export interface AuditVerdict extends AuditReport {
  readonly segments: number;
  /** The newest signed head that was good; `undefined` without any. */
  readonly head: AuditHead | undefined;
}

/** What is known about a log beside its files. */
export interface AuditExpectation {
  /** Signed heads that were kept elsewhere. */
  readonly keptHeads?: readonly string[];
  /** Whose log it must be. @default whoever signed its head */
  readonly nodeId?: string;
}

/**
 * Checks a whole log against its own signed head and those that were kept elsewhere.
 * @throws MeshError `audit/unreadable`, `audit/head-forged` for a head that was given
 */
export async function checkAuditLog(
  engine: CryptoEngine,
  directory: string,
  { keptHeads = [], nodeId }: AuditExpectation = {},
): Promise<AuditVerdict> {
  const kept = keptHeads.map((text) => requireHead(engine, text));
  try {
    const own = storedHead(engine, directory);
    const segments = auditSegments(directory);
    if (segments.length === 0 && own === undefined) throw new Error("there is no audit log");
    const heads = [...(own?.ok === true ? [own.value] : []), ...kept];
    const checker = new AuditChecker(engine, heads);
    for (const segment of segments) {
      for await (const { text, isTorn } of linesOf(segment))
        if (isTorn) checker.torn();
        else checker.line(text);
    }
    const report = checker.finish();
    const head = heads.toSorted((a, b) => b.sequence - a.sequence)[0];
    const problems = [...report.problems, ...headProblems(own, nodeId, report)];
    return { ...report, problems, segments: segments.length, head };
  } catch (cause) {
    throw new MeshError<AuditErrorCode>(
      "audit/unreadable",
      `Cannot read the audit log in '${directory}': ${errorMessage(cause)}. Name the directory of a log, and run this as a user who may read it.`,
      { directory },
      { cause },
    );
  }
}

function headProblems(
  own: ReturnType<typeof storedHead>,
  nodeId: string | undefined,
  { last }: AuditReport,
): readonly AuditProblem[] {
  if (own?.ok === true && own.value.nodeId === (nodeId ?? own.value.nodeId)) return [];
  return [{ kind: own === undefined ? "head-missing" : "head-forged", from: last, to: last }];
}

function requireHead(engine: CryptoEngine, text: string): AuditHead {
  const head = readAuditHead(engine, text);
  if (head.ok) return head.value;
  throw new MeshError<AuditErrorCode>(
    head.code,
    "Cannot use the head that was given: its signature is wrong. Copy head.json again from where it was kept.",
  );
}

/** Which entries are wanted. */
export interface AuditSelection {
  /** At most so many, the newest. */
  readonly limit: number;
  readonly after?: number;
  readonly event?: string;
}

/** Entries of a log, the oldest first; lines that are none are left out. @throws MeshError `audit/unreadable` */
export function readAuditEntries(
  engine: CryptoEngine,
  directory: string,
  { limit, after = 0, event }: AuditSelection,
): AuditEntry[] {
  const found: AuditEntry[] = [];
  for (const segment of auditSegments(directory).reverse()) {
    const lines = readFileSync(segment, "utf8").split("\n").reverse();
    for (const text of lines) {
      const entry = text === "" ? undefined : readAuditLine(engine, text)?.entry;
      if (entry === undefined) continue;
      if (entry.sequence <= after || found.length >= limit) return found.reverse();
      if (event === undefined || entry.event === event) found.push(entry);
    }
  }
  return found.reverse();
}
