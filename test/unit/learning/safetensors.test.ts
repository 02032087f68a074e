import assert from "node:assert/strict";
import test from "node:test";
import { utf8Bytes } from "../../../src/foundation/index.ts";
import {
  decodeSafetensors,
  encodeSafetensors,
  HEADER_BYTES_MAX,
  modelSpec,
  PARAMETERS_MAX,
} from "../../../src/learning/index.ts";

const spec = modelSpec([
  { name: "w", shape: [2, 2] },
  { name: "b", shape: [2] },
]);
const weights = Float32Array.of(10, 20, 1, 2, 3, 4);
const entry = (dtype: string, shape: unknown, offsets: unknown) => ({
  dtype,
  shape,
  data_offsets: offsets,
});
const sound = { w: entry("F32", [2, 2], [0, 16]), b: entry("F32", [2], [16, 24]) };

const file = (header: string | object, dataBytes = 24, headerBytes?: number): Uint8Array => {
  const json = utf8Bytes(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setUint32(0, headerBytes ?? json.length, true);
  bytes.set(json, 8);
  return bytes;
};
const code = (bytes: Uint8Array): string => {
  const result = decodeSafetensors(spec, bytes);
  return result.ok ? "ok" : result.code;
};

test("A model comes back with its metadata; the same model is the same bytes and data is aligned to 8.", () => {
  const bytes = encodeSafetensors(spec, weights, { task: "t", round: "3" });
  const decoded = decodeSafetensors(spec, bytes);
  assert.ok(decoded.ok);
  assert.deepEqual(decoded.value.weights, weights);
  assert.deepEqual(decoded.value.metadata, { task: "t", round: "3" });
  assert.deepEqual(bytes, encodeSafetensors(spec, weights, { round: "3", task: "t" }));
  assert.equal((bytes.length - 24) % 8, 0);
  assert.deepEqual(
    spec.tensors.map(({ name }) => name),
    ["b", "w"],
  );
});

test("Tensors may lie in any order, and metadata may be missing.", () => {
  assert.equal(code(file(sound)), "ok");
  assert.equal(
    code(file({ b: entry("F32", [2], [0, 8]), w: entry("F32", [2, 2], [8, 24]) })),
    "ok",
  );
});

test("A file that lies about itself is refused.", () => {
  const lies: [string, Uint8Array][] = [
    ["empty", new Uint8Array(0)],
    ["nine bytes", new Uint8Array(9)],
    ["no JSON", file("{nonsense")],
    ["no object", file("[1,2,3]")],
    ["leading space", file(` ${JSON.stringify(sound)}`)],
    [
      "malformed UTF-8",
      (() => {
        const bytes = file(sound);
        bytes[10] = 0xff;
        return bytes;
      })(),
    ],
    ["header past the end", file(sound, 24, 5000)],
    ["rest after the data", file(sound, 28)],
    ["data cut short", file(sound, 20)],
    ["hole", file({ ...sound, b: entry("F32", [2], [20, 28]) }, 28)],
    ["overlap", file({ ...sound, b: entry("F32", [2], [8, 16]) }, 16)],
    ["end before begin", file({ ...sound, b: entry("F32", [2], [24, 16]) })],
    ["negative offset", file({ ...sound, b: entry("F32", [2], [-8, 0]) })],
    ["fractional offset", file({ ...sound, b: entry("F32", [2], [16.5, 24.5]) })],
    ["offset beyond 2^53", file({ ...sound, b: entry("F32", [2], [16, 2 ** 60]) })],
    [
      "offsets do not fit the shape",
      file({ w: entry("F32", [2, 2], [0, 12]), b: entry("F32", [2], [12, 24]) }),
    ],
    ["three offsets", file({ ...sound, b: entry("F32", [2], [16, 24, 24]) })],
    ["no offsets", file({ ...sound, b: { dtype: "F32", shape: [2] } })],
    ["foreign key", file({ ...sound, b: { ...sound.b, stride: 1 } })],
    ["lists in lists", file({ ...sound, b: entry("F32", [[[2]]], [16, 24]) })],
    ["nested deeper than the stack", file(`{"b":${"[".repeat(30_000)}${"]".repeat(30_000)}}`)],
    ["objects nested so", file(`${'{"b":'.repeat(10_000)}1${"}".repeat(10_000)}`)],
    ["metadata not of strings", file({ ...sound, __metadata__: { round: 3 } })],
    ["metadata a list", file({ ...sound, __metadata__: [] })],
    [
      "key twice",
      file(
        JSON.stringify(sound).replace(
          "{",
          '{"b":{"dtype":"F32","shape":[2],"data_offsets":[16,24]},',
        ),
      ),
    ],
    [
      "metadata key twice",
      file(JSON.stringify(sound).replace("{", '{"__metadata__":{"a":"1","a":"2"},')),
    ],
  ];
  for (const [what, bytes] of lies) assert.equal(code(bytes), "learning/bad-tensors", what);
});

test("A sound file of another model or type is refused as such.", () => {
  const others: [string, object][] = [
    ["bfloat16", { ...sound, w: entry("BF16", [2, 4], [0, 16]) }],
    ["a type that nobody knows", { ...sound, w: entry("F4096", [2, 2], [0, 16]) }],
    ["no type", { ...sound, w: entry("", [2, 2], [0, 16]) }],
    ["float64", { ...sound, w: entry("F64", [2, 2], [0, 16]) }],
    ["half floats", { ...sound, w: entry("F16", [2, 4], [0, 16]) }],
    ["other shape", { ...sound, w: entry("F32", [4], [0, 16]) }],
    [
      "shape whose product overflows to the right size",
      { ...sound, w: entry("F32", [2 ** 53, 2 ** 12, 4], [0, 16]) },
    ],
    ["dimension of nothing", { ...sound, w: entry("F32", [2, 0], [0, 16]) }],
    ["huge shape", { ...sound, w: entry("F32", [2 ** 40, 2 ** 40], [0, 16]) }],
    ["tensor missing", { w: sound.w }],
    ["tensor too many", { ...sound, x: entry("F32", [0], [24, 24]) }],
    ["other name", { w: sound.w, c: sound.b }],
    [
      "__proto__ in the place of a tensor",
      JSON.parse(
        JSON.stringify({ w: sound.w, x: sound.b }).replace('"x"', '"__proto__"'),
      ) as object,
    ],
  ];
  for (const [what, header] of others)
    assert.equal(code(file(header)), "learning/wrong-shape", what);
});

test("The header has a limit: at it the file is read, one past it is refused unread.", () => {
  const json = JSON.stringify(sound);
  assert.equal(code(file(json.padEnd(HEADER_BYTES_MAX))), "ok");
  assert.equal(code(file(json.padEnd(HEADER_BYTES_MAX + 1))), "learning/too-large");
  const high = file(sound);
  high[7] = 1;
  assert.equal(code(high), "learning/too-large");
  assert.equal(code(new Uint8Array(HEADER_BYTES_MAX + 1000)), "learning/too-large");
});

test("Numbers that are not finite are refused wherever they stand; minus zero becomes zero.", () => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    for (let i = 0; i < weights.length; i++) {
      const copy = weights.slice();
      copy[i] = bad;
      assert.equal(code(encodeSafetensors(spec, copy, {})), "learning/not-finite");
    }
  }
  const decoded = decodeSafetensors(
    spec,
    encodeSafetensors(spec, new Float32Array(6).fill(-0), {}),
  );
  assert.ok(decoded.ok && decoded.value.weights.every((value) => Object.is(value, 0)));
});

test("A model spec has a limit, and no overflow hides behind it.", () => {
  assert.equal(modelSpec([{ name: "w", shape: [PARAMETERS_MAX] }]).parameters, PARAMETERS_MAX);
  for (const shape of [
    [PARAMETERS_MAX + 1],
    [2 ** 31, 2 ** 31, 4],
    [0],
    [-1],
    [1.5],
    [2, Number.NaN],
  ]) {
    assert.throws(() => modelSpec([{ name: "w", shape }]), { code: "learning/bad-data" });
  }
  assert.throws(
    () =>
      modelSpec([
        { name: "w", shape: [1] },
        { name: "w", shape: [1] },
      ]),
    { code: "learning/bad-data" },
  );
});
