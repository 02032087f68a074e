// What may reach a log line: no secrets, no long or deep values, no bytes. Applied to every line.

import type { LogFields } from "../ports/index.ts";

/** Limits of one log line. */
export const logLimits = { stringCharsMax: 512, itemsMax: 32, depthMax: 3 } as const;

/** A field with one of these words in its name never shows its value. */
const secretName = /secret|seed|token|passw|private|credential|authorization|cookie/i;
const keyName = /(?:^|_)key$|[a-z]Key$/;

/** Names that hold such a word and are public. */
const publicName = /public|key_?id|digest|token_?count/i;

/** A copy of the fields that is fit for a log: secrets redacted, values bounded, errors as code and message. */
export function safeLogFields(fields: LogFields): Record<string, unknown> {
  return safeObject(fields, 0);
}

function isSecretName(name: string): boolean {
  return (secretName.test(name) || keyName.test(name)) && !publicName.test(name);
}

function safeObject(value: object, depth: number): Record<string, unknown> {
  const entries = Object.entries(value).slice(0, logLimits.itemsMax);
  return Object.fromEntries(
    entries.map(([name, part]) => [
      name,
      isSecretName(name) ? "[redacted]" : safeValue(part, depth + 1),
    ]),
  );
}

function safeValue(value: unknown, depth: number): unknown {
  if (typeof value === "string") return safeString(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "function" || typeof value === "symbol") return `[${typeof value}]`;
  if (typeof value !== "object" || value === null) return value;
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (value instanceof Error) return safeError(value);
  if (value instanceof Date)
    return Number.isNaN(value.getTime()) ? "[invalid date]" : value.toISOString();
  if (depth >= logLimits.depthMax) return Array.isArray(value) ? "[array]" : "[object]";
  if (Array.isArray(value)) {
    return value.slice(0, logLimits.itemsMax).map((part: unknown) => safeValue(part, depth + 1));
  }
  return safeObject(value, depth);
}

function safeError(error: Error): Record<string, unknown> {
  const code = "code" in error && typeof error.code === "string" ? { code: error.code } : {};
  const stack = "code" in error ? {} : { stack: safeString(error.stack ?? "") };
  return { name: error.name, ...code, message: safeString(error.message), ...stack };
}

function safeString(text: string): string {
  return text.length <= logLimits.stringCharsMax
    ? text
    : `${text.slice(0, logLimits.stringCharsMax)}…`;
}
