// Backups as a stranger may hand them over: cut, changed, reordered, or made to cost memory. None of it gives a byte
// that was not sealed.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CHUNK_BYTES, seal, unseal } from "../../../src/adapters/backup/sealed-stream.ts";
import {
  BACKUP_HEADER_BYTES,
  backupKey,
  newBackupHeader,
  parseBackupHeader,
} from "../../../src/control/index.ts";
import { concatBytes, isMeshError } from "../../../src/foundation/index.ts";

const PASSPHRASE = "five random words are good";
/** The cheapest that a reader takes: the tests open hundreds of files. */
const CHEAP_LOG_N = 10;
const SEALED_CHUNK = CHUNK_BYTES + 16;

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return concatBytes(...parts);
}

async function sealed(plain: Uint8Array, passphrase = PASSPHRASE): Promise<Uint8Array> {
  const header = newBackupHeader(CHEAP_LOG_N);
  return collect(seal(header, await backupKey(passphrase, parseBackupHeader(header)), [plain]));
}

/** A file that arrives in pieces of this size. */
function pieces(file: Uint8Array, size = 1 << 16): AsyncIterable<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < file.length; at += size) parts.push(file.subarray(at, at + size));
  return ReadableStream.from(parts);
}

async function codeOf(file: Uint8Array, passphrase = PASSPHRASE): Promise<string> {
  try {
    await collect(unseal(pieces(file), passphrase));
  } catch (error) {
    assert.ok(isMeshError(error), String(error));
    assert.match(error.message, /\.$/);
    return error.code;
  }
  return "opened";
}

const bytesOf = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff);

test("what was sealed comes out, at every length around a chunk's and in pieces of any size", async () => {
  for (const length of [
    0,
    1,
    CHUNK_BYTES - 1,
    CHUNK_BYTES,
    CHUNK_BYTES + 1,
    2 * CHUNK_BYTES,
    3 * CHUNK_BYTES - 1,
  ]) {
    const plain = bytesOf(length);
    const file = await sealed(plain);
    for (const size of [1_000, 65_536, SEALED_CHUNK, 1 << 20])
      assert.deepEqual(
        await collect(unseal(pieces(file, size), PASSPHRASE)),
        plain,
        `${length} in ${size}`,
      );
  }
});

test("two files of one content and one passphrase have no byte range in common", async () => {
  const [one, two] = [await sealed(bytesOf(64)), await sealed(bytesOf(64))];
  const tails = [one, two].map((file) =>
    Buffer.from(file.subarray(BACKUP_HEADER_BYTES)).toString("hex"),
  );
  assert.notEqual(tails[0]?.slice(0, 16), tails[1]?.slice(0, 16));
});

test("a file that is cut off anywhere is refused", async () => {
  const file = await sealed(bytesOf(2 * CHUNK_BYTES + 100));
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: file.length - 1 }), async (length) => {
      const code = await codeOf(file.subarray(0, length));
      assert.notEqual(code, "opened");
    }),
    { numRuns: 60 },
  );
  const afterChunk = BACKUP_HEADER_BYTES + SEALED_CHUNK;
  assert.equal(await codeOf(file.subarray(0, afterChunk)), "backup/truncated");
  assert.equal(await codeOf(file.subarray(0, afterChunk + SEALED_CHUNK)), "backup/truncated");
  assert.equal(await codeOf(file.subarray(0, BACKUP_HEADER_BYTES - 1)), "backup/not-a-backup");
  assert.equal(await codeOf(new Uint8Array(0)), "backup/not-a-backup");
});

test("a file with any bit flipped is refused", async () => {
  const file = await sealed(bytesOf(CHUNK_BYTES + 100));
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.integer({ min: 0, max: BACKUP_HEADER_BYTES - 1 }),
        fc.integer({ min: 0, max: file.length - 1 }),
      ),
      fc.integer({ min: 0, max: 7 }),
      async (at, bit) => {
        const flipped = file.slice();
        flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
        // A cheaper or dearer scrypt gives another key; what is beyond the bounds is not even tried.
        assert.notEqual(await codeOf(flipped), "opened");
      },
    ),
    { numRuns: 60 },
  );
  const late = file.slice();
  late[BACKUP_HEADER_BYTES + SEALED_CHUNK + 5] =
    (late[BACKUP_HEADER_BYTES + SEALED_CHUNK + 5] ?? 0) ^ 1;
  assert.equal(await codeOf(late), "backup/damaged");
});

test("chunks that are swapped, doubled or left out are refused", async () => {
  const file = await sealed(bytesOf(3 * CHUNK_BYTES + 100));
  const head = file.subarray(0, BACKUP_HEADER_BYTES);
  const chunk = (i: number): Uint8Array =>
    file.subarray(
      BACKUP_HEADER_BYTES + i * SEALED_CHUNK,
      BACKUP_HEADER_BYTES + (i + 1) * SEALED_CHUNK,
    );
  const [a, b, c, d] = [chunk(0), chunk(1), chunk(2), chunk(3)];
  assert.equal(await codeOf(concatBytes(head, a, b, c, d)), "opened");
  for (const order of [
    [b, a, c, d],
    [a, c, b, d],
    [a, b, b, c, d],
    [a, b, d],
    [a, b, c, d, d],
    [a, b, c, d, a],
  ])
    assert.notEqual(await codeOf(concatBytes(head, ...order)), "opened");
});

test("a wrong passphrase is named", async () => {
  assert.equal(
    await codeOf(await sealed(bytesOf(10)), "another passphrase"),
    "backup/wrong-passphrase",
  );
});

test("a passphrase is the same in both of Unicode's spellings", async () => {
  assert.equal(
    await codeOf(
      await sealed(bytesOf(10), "Gr\u00fc\u00dfe aus K\u00f6ln"),
      "Gru\u0308\u00dfe aus Ko\u0308ln",
    ),
    "opened",
  );
});

test("a head that asks for much memory or little protection is refused before scrypt runs", () => {
  const head = newBackupHeader();
  for (const [at, value, code] of [
    [0, 0x79, "backup/not-a-backup"],
    [8, 0, "backup/version-unknown"],
    [8, 2, "backup/version-unknown"],
    [9, 9, "backup/not-a-backup"],
    [9, 20, "backup/not-a-backup"],
    [9, 255, "backup/not-a-backup"],
    [10, 7, "backup/not-a-backup"],
    [10, 9, "backup/not-a-backup"],
    [11, 0, "backup/not-a-backup"],
    [11, 5, "backup/not-a-backup"],
  ] as const) {
    const bad = head.slice();
    bad[at] = value;
    assert.throws(() => parseBackupHeader(bad), { code }, `byte ${at} = ${value}`);
  }
  for (const [at, value] of [
    [9, 10],
    [9, 19],
    [11, 1],
    [11, 4],
  ] as const) {
    const good = head.slice();
    good[at] = value;
    assert.doesNotThrow(() => parseBackupHeader(good), `byte ${at} = ${value}`);
  }
});
