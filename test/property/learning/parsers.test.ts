import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { isMeshError } from "../../../src/foundation/index.ts";
import {
  decodeSafetensors,
  readSafetensors,
  decodeSignedTask,
  decodeTask,
  encodeSafetensors,
  modelSpec,
  parseCsv,
} from "../../../src/learning/index.ts";

const seed = 20_260_102;
const parameters = { seed, numRuns: 400 };
const spec = modelSpec([
  { name: "a", shape: [3] },
  { name: "b", shape: [2, 2] },
]);
const sound = encodeSafetensors(spec, Float32Array.of(1, 2, 3, 4, 5, 6, 7), {
  task: "t",
  round: "1",
});

test(`Any weights survive the way out and in (seed ${seed}).`, () => {
  const values = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), {
    minLength: 7,
    maxLength: 7,
  });
  fc.assert(
    fc.property(values, fc.dictionary(fc.string(), fc.string()), (list, metadata) => {
      const weights = Float32Array.from(list, (value) => value + 0);
      const decoded = decodeSafetensors(spec, encodeSafetensors(spec, weights, metadata));
      assert.ok(decoded.ok);
      assert.deepEqual(decoded.value.weights, weights);
      assert.deepEqual(
        Object.entries(decoded.value.metadata).sort(),
        Object.entries(metadata).sort(),
      );
    }),
    parameters,
  );
});

test(`Bytes of chance and damaged files are values, never a throw (seed ${seed}).`, () => {
  const damage = fc.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), {
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(
    fc.property(
      damage,
      fc.nat(sound.length),
      fc.uint8Array({ maxLength: 300 }),
      (changes, length, chance) => {
        const damaged = sound.slice();
        for (const [at, value] of changes) damaged[at] = value;
        for (const bytes of [damaged, sound.subarray(0, length), chance]) {
          for (const result of [decodeSafetensors(spec, bytes), readSafetensors(bytes)]) {
            if (result.ok) assert.equal(result.value.weights.length, 7);
            else assert.match(result.code, /^learning\//);
          }
        }
        assert.ok(
          length === sound.length || !decodeSafetensors(spec, sound.subarray(0, length)).ok,
        );
      },
    ),
    parameters,
  );
});

test(`Whatever the header says of the tensors, a file is read rightly or refused (seed ${seed}).`, () => {
  const offset = fc.oneof(fc.constantFrom(0, 12, 28, -4, 8, 1.5, 2 ** 53), fc.json());
  const entry = fc.record(
    {
      dtype: fc.constantFrom("F32", "F64", "BF16", "I8", "", "f32"),
      shape: fc.oneof(
        fc.constantFrom([3], [2, 2], [], [0], [2 ** 53, 4], [[3]]),
        fc.array(fc.nat(8), { maxLength: 3 }),
      ),
      data_offsets: fc.oneof(
        fc.constantFrom([0, 12], [12, 28], [0, 16], [16, 28]),
        fc.array(offset, { maxLength: 3 }),
      ),
      extra: fc.boolean(),
    },
    { requiredKeys: [] },
  );
  const header = fc.dictionary(
    fc.constantFrom("a", "b", "c", "__metadata__", "__proto__", "constructor"),
    fc.oneof({ weight: 8, arbitrary: entry }, { weight: 1, arbitrary: fc.jsonValue() }),
  );
  const data = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6, 7).buffer);
  fc.assert(
    fc.property(header, fc.nat(40), (object, bytes) => {
      const json = new TextEncoder().encode(JSON.stringify(object));
      const file = new Uint8Array(8 + json.length + bytes);
      new DataView(file.buffer).setUint32(0, json.length, true);
      file.set(json, 8);
      file.set(data.subarray(0, bytes), 8 + json.length);
      const any = readSafetensors(file);
      assert.ok(any.ok || any.code.startsWith("learning/"));
      const result = decodeSafetensors(spec, file);
      if (!result.ok) return assert.match(result.code, /^learning\//);
      // Only a header that tiles the 28 bytes with both tensors gets through.
      assert.equal(bytes, 28);
      assert.deepEqual([...result.value.weights].toSorted(), [1, 2, 3, 4, 5, 6, 7]);
    }),
    { seed, numRuns: 2_000 },
  );
});

test(`Tasks of chance are refused with a code (seed ${seed}).`, () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 4000 }), fc.json(), (bytes, json) => {
      assert.equal(decodeSignedTask(bytes).ok, false);
      assert.equal(decodeTask(bytes).ok, false);
      assert.equal(decodeTask(new TextEncoder().encode(json)).ok, false);
    }),
    parameters,
  );
});

test(`CSV of chance is read or refused with a code (seed ${seed}).`, () => {
  const cell = fc.oneof(
    fc.integer().map(String),
    fc.string({ maxLength: 4 }),
    fc.constant(""),
    fc.constant('"q"'),
  );
  const line = fc.array(cell, { minLength: 1, maxLength: 4 }).map((cells) => cells.join(","));
  fc.assert(
    fc.property(fc.array(line, { maxLength: 6 }), (lines) => {
      try {
        const { data } = parseCsv(["a,b,label", ...lines].join("\n"), "label");
        assert.ok(data.features.every((value) => value >= 0 && value <= 1));
      } catch (error) {
        assert.ok(isMeshError(error, "learning/bad-csv"), String(error));
      }
    }),
    parameters,
  );
});
