import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";
import fc from "fast-check";
import {
  Assembly,
  chunkOf,
  contentIdOf,
  decodeContentRequest,
  decodeOffer,
  decodeWant,
  encodeContentRequest,
  leavesOf,
} from "../../../src/learning/index.ts";

const seed = 20_261_121;
const sha256 = (data: Uint8Array): Uint8Array =>
  new Uint8Array(createHash("sha256").update(data).digest());

test(`Messages of chance are values, never a throw, and what is taken is what was written (seed ${seed}).`, () => {
  const sound = encodeContentRequest({
    taskId: "task-1",
    content: { digest: "0f".repeat(32), bytes: 4_000 },
  });
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 120 }),
      fc.nat(sound.length - 1),
      fc.nat(255),
      fc.nat(2 ** 20),
      (chance, at, value, bytes) => {
        decodeOffer(chance);
        const want = decodeWant(chance, bytes + 1);
        if (want.ok) assert.ok(want.value.every((index) => index * 65_536 < bytes + 1));
        for (const message of [chance, sound.with(at, value)]) {
          const request = decodeContentRequest(message);
          if (request.ok) assert.deepEqual(encodeContentRequest(request.value), message);
        }
      },
    ),
    { seed, numRuns: 500 },
  );
});

test(`An assembly that is fed truth and lies in any order ends with the content or lacks some (seed ${seed}).`, () => {
  const content = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 7 + (i >> 16)) & 0xff);
  const name = contentIdOf(sha256, content);
  const step = fc.record({ index: fc.nat(5), of: fc.nat(4), flip: fc.option(fc.nat(3_000)) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 24 }), (steps) => {
      const assembly = new Assembly(sha256, name);
      assembly.takeLeaves(leavesOf(sha256, content));
      const expected = new Set([0, 1, 2, 3]);
      for (const { index, of, flip } of steps) {
        const chunk = chunkOf(content, of);
        const given = flip === null || chunk.length === 0 ? chunk : changed(chunk, flip);
        const isTrue = flip === null && index === of && expected.has(index);
        assert.equal(assembly.takeChunk(index, given).ok, isTrue);
        if (isTrue) expected.delete(index);
      }
      assert.deepEqual(assembly.lacking(8), [...expected]);
      if (expected.size === 0) assert.deepEqual(assembly.complete()?.bytes, content);
      else assert.equal(assembly.complete(), undefined);
    }),
    { seed, numRuns: 60 },
  );
});

function changed(chunk: Uint8Array, at: number): Uint8Array {
  return chunk.with(at % chunk.length, (chunk[at % chunk.length] ?? 0) ^ 1);
}
