// Files that somebody names on a command line: read no further than their limit, whatever they are. A device has no size to ask for.

import { closeSync, openSync, readSync } from "node:fs";

/**
 * The text of a file, a pipe or a device; undefined when it has more than `bytesMax` bytes, of which no more are read.
 * @throws Error of node:fs
 */
export function readTextFile(file: string, bytesMax: number): string | undefined {
  const bytes = Buffer.allocUnsafe(bytesMax + 1);
  const descriptor = openSync(file, "r");
  try {
    let length = 0;
    while (length < bytes.length) {
      const read = readSync(descriptor, bytes, length, bytes.length - length, null);
      if (read === 0) return bytes.toString("utf8", 0, length);
      length += read;
    }
    return undefined;
  } finally {
    closeSync(descriptor);
  }
}
