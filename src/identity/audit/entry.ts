// One entry of the audit log: a line of JSON that ends with the hash of all before it on the line, and names the hash
// of the entry before. The hash is over the bytes as they stand in the file, so no canonical form is needed to check it.

import type { CryptoEngine } from "../../crypto/index.ts";
import { concatBytes, toHex, utf8Bytes } from "../../foundation/index.ts";

/** Every event there is; `audit.*` are the log's own. */
export const AUDIT_EVENTS = [
  "daemon.start",
  "trust-domain.create",
  "node.join",
  "token.create",
  "svid.issue",
  "svid.refuse",
  "svid.renew",
  "authority.rotate",
  "authority.prepare",
  "authority.activate",
  "authority.taint",
  "authority.revoke",
  "authority.expire",
  "node.revoke",
  "issuer.grant",
  "issuer.withdraw",
  "issuer.certify",
  "workload.issue",
  "bundle.change",
  "access.deny",
  "peer.drop",
  "quarantine.begin",
  "quarantine.end",
  "quarantine.release",
  "policy.reload",
  "policy.reject",
  "backup.create",
  "backup.restore",
  "federation.add",
  "federation.update",
  "federation.remove",
  "heal.action",
  "heal.freeze",
  "heal.thaw",
  "audit.rotate",
  "audit.gap",
  "audit.break",
] as const;

/** What happened. */
export type AuditEvent = (typeof AUDIT_EVENTS)[number];

/** What an entry tells beyond event and subject: public facts, never secrets. */
export type AuditFields = Readonly<Record<string, string | number | boolean>>;

/** What is handed to the log. */
export interface AuditRecord {
  readonly event: AuditEvent;
  /** Whom it is about: a SPIFFE id, or a NodeId when no SPIFFE id is known. */
  readonly subject?: string;
  readonly fields?: AuditFields;
}

/** An entry as it is read back. Events of other versions are kept as they are. */
export interface AuditEntry {
  /** 1, 2, 3, …; never used twice. */
  readonly sequence: number;
  readonly at: string;
  readonly event: string;
  readonly subject: string;
  readonly fields: AuditFields;
  /** Hash of the entry before; {@link FIRST_PREVIOUS} for the first one of a chain. */
  readonly previous: string;
  readonly hash: string;
}

/** Where the rest of the node reports security events. */
export interface AuditTrail {
  /**
   * On disk when it returns: for what must not take effect unseen.
   * @throws MeshError `audit/write-failed`
   */
  record(entry: AuditRecord): void;
  /** For what happens anyway, as often as others like: limited in rate, on disk within a second, never throws. */
  note(entry: AuditRecord): void;
}

/** What the first entry of a chain names as the one before. */
export const FIRST_PREVIOUS = "0".repeat(64);
/** Longest line, its newline included. */
export const AUDIT_LINE_BYTES_MAX = 32 * 1024;

const LABEL = utf8Bytes("x0tta6bl4 audit entry v1\n");
const FIELDS_MAX = 16;
const TEXT_CHARS_MAX = 256;
const HASH_PART = /^(\{.*),"hash":"([0-9a-f]{64})"\}$/s;

/** A line without its newline, and its hash. */
export interface AuditLine {
  readonly text: string;
  readonly hash: string;
}

/** The line of an entry; texts are cut to 256 characters. `at` is a time in ISO 8601, UTC. */
export function encodeAuditLine(
  engine: Pick<CryptoEngine, "sha256">,
  { event, subject = "", fields = {} }: AuditRecord,
  place: { readonly sequence: number; readonly at: string; readonly previous: string },
): AuditLine {
  const told = Object.entries(fields)
    .slice(0, FIELDS_MAX)
    .map(([name, value]) => [name, typeof value === "string" ? shortened(value) : value] as const);
  const entry = {
    sequence: place.sequence,
    at: place.at,
    event,
    subject: shortened(subject),
    fields: Object.fromEntries(told),
    previous: place.previous,
  };
  const body = JSON.stringify(entry).slice(0, -1);
  const hash = hashOf(engine, body);
  return { text: `${body},"hash":"${hash}"}`, hash };
}

/** Reads a line. `undefined`: it is no entry. `isWhole` false: its hash is not that of its text. */
export function readAuditLine(
  engine: Pick<CryptoEngine, "sha256">,
  text: string,
): { readonly entry: AuditEntry; readonly isWhole: boolean } | undefined {
  const [, body, hash] = HASH_PART.exec(text) ?? [];
  const entry = body === undefined ? undefined : parseEntry(text);
  if (entry === undefined || body === undefined) return undefined;
  return { entry, isWhole: hashOf(engine, body) === hash };
}

function hashOf(engine: Pick<CryptoEngine, "sha256">, body: string): string {
  return toHex(engine.sha256(concatBytes(LABEL, utf8Bytes(body))));
}

function parseEntry(text: string): AuditEntry | undefined {
  let value: Partial<Record<keyof AuditEntry, unknown>>;
  try {
    value = JSON.parse(text) as typeof value;
  } catch {
    return undefined; // not JSON: no entry
  }
  const { sequence, at, event, subject, fields, previous, hash } = value;
  const isEntry =
    Number.isSafeInteger(sequence) &&
    [at, event, subject, previous, hash].every((part) => typeof part === "string") &&
    isFields(fields);
  return isEntry ? (value as AuditEntry) : undefined;
}

function isFields(fields: unknown): boolean {
  return (
    typeof fields === "object" &&
    fields !== null &&
    !Array.isArray(fields) &&
    Object.values(fields).every((value) => ["string", "number", "boolean"].includes(typeof value))
  );
}

function shortened(text: string): string {
  const known = text.toWellFormed();
  return known.length <= TEXT_CHARS_MAX
    ? known
    : `${known.slice(0, TEXT_CHARS_MAX - 1)}…`.toWellFormed();
}
