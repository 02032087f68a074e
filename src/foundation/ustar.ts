// The ustar archive format (POSIX.1-1988), as much of it as plain files need: a 512-byte header with the file's name,
// size and mode, its bytes, zeroes up to the next multiple of 512; two zero blocks end the archive.

import { utf8Bytes } from "./bytes.ts";
import { MeshError } from "./errors.ts";

export const TAR_BLOCK = 512;
/** Eleven octal digits. */
const SIZE_MAX = 8 ** 11 - 1;
const NAME_BYTES_MAX = 100;

/** What a header says about a file. */
export interface TarFile {
  /** Relative, `/` between its parts; at most 100 bytes. */
  readonly name: string;
  readonly size: number;
  readonly mode: number;
  /** Seconds since 1970. */
  readonly mtime: number;
}

/** Zeroes that follow `size` bytes of a file. */
export function tarPadding(size: number): Uint8Array {
  return new Uint8Array((TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK);
}

/** What ends an archive. */
export const tarEnd = (): Uint8Array => new Uint8Array(2 * TAR_BLOCK);

/** @throws MeshError `tar/unfit` for a name or size that the format cannot hold */
export function tarHeader({ name, size, mode, mtime }: TarFile): Uint8Array {
  const nameBytes = utf8Bytes(name);
  if (nameBytes.length === 0 || nameBytes.length > NAME_BYTES_MAX || size > SIZE_MAX) {
    throw new MeshError(
      "tar/unfit",
      `Cannot archive '${name}' of ${size} bytes: name or size is too long.`,
    );
  }
  const header = new Uint8Array(TAR_BLOCK);
  header.set(nameBytes, 0);
  header.set(octal(mode, 7), 100);
  header.set(octal(0, 7), 108);
  header.set(octal(0, 7), 116);
  header.set(octal(size, 11), 124);
  header.set(octal(mtime, 11), 136);
  header.set(utf8Bytes(" ".repeat(8)), 148);
  header.set(utf8Bytes("0"), 156);
  header.set(utf8Bytes("ustar\x0000"), 257);
  header.set(octal(checksum(header), 6), 148);
  header[154] = 0;
  return header;
}

/**
 * The file that a header block describes; `undefined` for the zero block that ends an archive.
 * @throws MeshError `tar/malformed` for anything that {@link tarHeader} does not write
 */
export function parseTarHeader(block: Uint8Array): TarFile | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  const end = block.indexOf(0);
  const file = {
    name: new TextDecoder().decode(block.subarray(0, Math.max(0, end))),
    mode: fromOctal(block.subarray(100, 107)),
    size: fromOctal(block.subarray(124, 135)),
    mtime: fromOctal(block.subarray(136, 147)),
  };
  if (end < 1 || end > NAME_BYTES_MAX) throw malformed();
  const again = tarHeader(file);
  if (!again.every((byte, i) => byte === block[i])) throw malformed();
  return file;
}

function malformed(): MeshError {
  return new MeshError("tar/malformed", "The archive holds a header that is not plain ustar.");
}

function octal(value: number, digits: number): Uint8Array {
  return utf8Bytes(value.toString(8).padStart(digits, "0"));
}

function fromOctal(bytes: Uint8Array): number {
  const text = new TextDecoder().decode(bytes);
  if (!/^[0-7]+$/.test(text)) throw malformed();
  return Number.parseInt(text, 8);
}

/** The sum of the header's bytes with blanks in the place of the sum. */
function checksum(header: Uint8Array): number {
  return header.reduce((sum, byte) => sum + byte, 0);
}
