// The headers that a trace collector asks for, from a file of their own: they are credentials, and a configuration is shown around.

import { readFileSync, statSync } from "node:fs";
import { errorMessage, MeshError } from "../../foundation/index.ts";

export const headerFileLimits = { bytesMax: 16 * 1024, headersMax: 16 } as const;

/** A token of RFC 9110 and a value of visible ASCII. */
const line =
  /^([A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}):[ \t]*([\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)[ \t]*$/;

/** Headers that HTTP itself needs right. */
const reserved = new Set([
  "content-length",
  "content-type",
  "host",
  "connection",
  "transfer-encoding",
  "expect",
  "upgrade",
]);

/**
 * Reads `Name: value` lines; empty lines and those that begin with # are left aside.
 * @throws MeshError `telemetry/bad-header-file`, which never shows a value
 */
export function readHeaderFile(file: string): Record<string, string> {
  const headers: Record<string, string> = {};
  const lines = textOf(file).split(/\r?\n/);
  for (const [index, text] of lines.entries()) {
    if (text.trim() === "" || text.startsWith("#")) continue;
    const [, name, value] = line.exec(text) ?? [];
    if (name === undefined || value === undefined)
      throw bad(file, `line ${index + 1} is no header`);
    const key = name.toLowerCase();
    if (reserved.has(key))
      throw bad(file, `line ${index + 1} sets ${key}, which meshd sets itself`);
    if (key in headers) throw bad(file, `line ${index + 1} repeats ${key}`);
    headers[key] = value;
  }
  if (Object.keys(headers).length > headerFileLimits.headersMax)
    throw bad(file, `it has more than ${headerFileLimits.headersMax} headers`);
  return headers;
}

function textOf(file: string): string {
  try {
    const { size } = statSync(file);
    if (size <= headerFileLimits.bytesMax) return readFileSync(file, "utf8");
  } catch (cause) {
    throw bad(file, errorMessage(cause), cause);
  }
  throw bad(file, `it has more than ${headerFileLimits.bytesMax} bytes`);
}

function bad(file: string, why: string, cause?: unknown): MeshError {
  return new MeshError(
    "telemetry/bad-header-file",
    `Cannot use the headers of '${file}': ${why}. Write one header a line, such as "authorization: Bearer …", and let meshd's user read the file.`,
    { file },
    { cause },
  );
}
