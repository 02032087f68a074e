// The tree that names a content, and the assembly that believes nothing which does not fit the name.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { concatBytes, fromHex, toHex } from "../../../../src/foundation/index.ts";
import {
  Assembly,
  CHUNK_BYTES,
  chunkCount,
  chunkOf,
  contentIdOf,
  decodeContentRequest,
  decodeOffer,
  decodeWant,
  encodeContentRequest,
  encodeOffer,
  encodeWant,
  leafDigest,
  leavesOf,
  merkleRoot,
  WINDOW_CHUNKS,
} from "../../../../src/learning/index.ts";

const sha256 = (data: Uint8Array): Uint8Array =>
  new Uint8Array(createHash("sha256").update(data).digest());

/** Bytes in which no two chunks are alike. */
function content(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 16) * 7) & 0xff);
}

describe("the Merkle tree", () => {
  // The inputs and roots that Certificate Transparency implementations test RFC 6962 with.
  const inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"];
  const roots = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  ];
  for (const [index, root] of roots.entries()) {
    test(`of ${index + 1} leaves is RFC 6962's`, () => {
      const leaves = inputs.slice(0, index + 1).map((hex) => leafDigest(sha256, fromHex(hex)));
      assert.equal(toHex(merkleRoot(sha256, concatBytes(...leaves))), root);
    });
  }

  test("cuts at 64 KiB, and one byte more is one chunk more", () => {
    assert.equal(chunkCount(CHUNK_BYTES), 1);
    assert.equal(chunkCount(CHUNK_BYTES + 1), 2);
    const bytes = content(CHUNK_BYTES + 1);
    const leaves = leavesOf(sha256, bytes);
    assert.equal(leaves.length, 64);
    assert.deepEqual(leaves.subarray(32), leafDigest(sha256, bytes.subarray(CHUNK_BYTES)));
    assert.equal(contentIdOf(sha256, bytes).digest, toHex(merkleRoot(sha256, leaves)));
  });

  test("takes no inner node for a chunk", () => {
    const leaves = leavesOf(sha256, content(2 * CHUNK_BYTES));
    assert.notDeepEqual(leafDigest(sha256, leaves), merkleRoot(sha256, leaves));
  });
});

describe("an assembly", () => {
  const bytes = content(3 * CHUNK_BYTES - 5);
  const name = contentIdOf(sha256, bytes);
  const leaves = leavesOf(sha256, bytes);
  const begun = (): Assembly => {
    const assembly = new Assembly(sha256, name);
    assert.equal(assembly.takeLeaves(leaves).ok, true);
    return assembly;
  };

  test("is whole with its last chunk, whatever their order", () => {
    const assembly = begun();
    for (const index of [2, 0]) {
      assert.equal(assembly.takeChunk(index, chunkOf(bytes, index)).ok, true);
      assert.equal(assembly.complete(), undefined);
    }
    assert.deepEqual(assembly.lacking(WINDOW_CHUNKS), [1]);
    assert.equal(assembly.takeChunk(1, chunkOf(bytes, 1)).ok, true);
    assert.deepEqual(assembly.complete(), { bytes, leaves });
  });

  test("refuses leaves of another content, and as many too few", () => {
    const assembly = new Assembly(sha256, name);
    const others = leavesOf(sha256, content(3 * CHUNK_BYTES - 6));
    for (const wrong of [others, leaves.subarray(32), concatBytes(leaves, leaves)]) {
      assert.equal(assembly.takeLeaves(wrong).ok, false);
    }
    assert.equal(assembly.takeChunk(0, chunkOf(bytes, 0)).ok, false, "no chunk before the leaves");
  });

  for (const [what, index, chunk] of [
    ["a changed byte", 0, chunkOf(bytes, 0).with(77, 1)],
    ["another chunk of the content", 0, chunkOf(bytes, 1)],
    ["a byte less", 2, chunkOf(bytes, 2).subarray(1)],
    ["a byte more", 2, concatBytes(chunkOf(bytes, 2), Uint8Array.of(0))],
    ["nothing", 0, new Uint8Array(0)],
    ["a chunk that there is not", 3, chunkOf(bytes, 0)],
  ] as const) {
    test(`keeps nothing of ${what}`, () => {
      const assembly = begun();
      assert.equal(assembly.takeChunk(index, chunk).ok, false);
      assert.deepEqual(assembly.lacking(WINDOW_CHUNKS), [0, 1, 2]);
    });
  }

  test("refuses a chunk that it has", () => {
    const assembly = begun();
    assert.equal(assembly.takeChunk(0, chunkOf(bytes, 0)).ok, true);
    assert.equal(assembly.takeChunk(0, chunkOf(bytes, 0)).ok, false);
  });
});

describe("the messages of a transfer", () => {
  const request = { taskId: "t-1", content: { digest: "ab".repeat(32), bytes: 70_000 } };

  test("come back as they went", () => {
    assert.deepEqual(decodeContentRequest(encodeContentRequest(request)), {
      ok: true,
      value: request,
    });
    const offer = decodeOffer(encodeOffer("held", Uint8Array.of(1, 2)));
    assert.deepEqual(offer, { ok: true, value: { status: "held", leaves: Uint8Array.of(1, 2) } });
    assert.deepEqual(decodeWant(encodeWant([0, 1]), 70_000), { ok: true, value: [0, 1] });
    assert.deepEqual(decodeWant(encodeWant([]), 70_000), { ok: true, value: [] });
  });

  test("ask for sixteen chunks and not for seventeen", () => {
    const first = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
    const bytes = 100 * CHUNK_BYTES;
    assert.equal(decodeWant(encodeWant(first(WINDOW_CHUNKS)), bytes).ok, true);
    assert.equal(decodeWant(encodeWant(first(WINDOW_CHUNKS + 1)), bytes).ok, false);
  });

  for (const wrong of [[1, 0], [0, 0], [2], [0, 65_535]]) {
    test(`ask for no chunks ${wrong.join()} of two`, () => {
      assert.equal(decodeWant(encodeWant(wrong), 70_000).ok, false);
    });
  }

  test("name a size from 1 byte to 32 MiB", () => {
    const sized = (bytes: number): boolean =>
      decodeContentRequest(
        encodeContentRequest({ ...request, content: { ...request.content, bytes } }),
      ).ok;
    assert.deepEqual([0, 1, 2 ** 25, 2 ** 25 + 1].map(sized), [false, true, true, false]);
  });
});
