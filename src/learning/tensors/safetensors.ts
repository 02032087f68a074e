// Model weights on the wire and on disk: the safetensors format, written canonically and read strictly.
//
// u64 little-endian header length, that many bytes of JSON (padded with spaces to 8), then the data. Each tensor names
// its dtype, shape and [begin, end) in the data; together they must tile it: no hole, no overlap, no rest. We take
// float32 alone, and only the tensors that the model has. What a peer can lie about, is checked before it is used.

import { type Result, ok, refuse, utf8Bytes, utf8Text } from "../../foundation/index.ts";
import type { UpdateRefusalCode } from "../codes.ts";
import {
  allFinite,
  type ModelSpec,
  modelSpec,
  PARAMETERS_MAX,
  shapeElements,
  type TensorSlot,
  type TensorSpec,
} from "./model-spec.ts";

/** Longest header we read: our models have a handful of tensors and three metadata strings. */
export const HEADER_BYTES_MAX = 64 * 1024;

/** The `__metadata__` string map. Its order carries no meaning. */
export type TensorMetadata = Readonly<Record<string, string>>;

/** What a file held. */
export interface DecodedModel {
  /** Flat weights in the order of the spec; a copy. */
  readonly weights: Float32Array;
  readonly metadata: TensorMetadata;
}

/** An upper bound of the bytes of any acceptable file for this model. */
export function modelBytesMax(spec: ModelSpec): number {
  return 8 + HEADER_BYTES_MAX + 4 * spec.parameters;
}

/** An upper bound of the bytes of any acceptable file. */
export const modelFileBytesMax = 8 + HEADER_BYTES_MAX + 4 * PARAMETERS_MAX;

/** Encodes flat weights; equal input gives equal bytes. `weights.length` is `spec.parameters`. */
export function encodeSafetensors(
  spec: ModelSpec,
  weights: Float32Array,
  metadata: TensorMetadata,
): Uint8Array {
  if (weights.length !== spec.parameters)
    throw new RangeError("The weights are not of this model.");
  const header: [string, unknown][] = [
    ["__metadata__", Object.fromEntries(Object.entries(metadata).sort())],
  ];
  for (const { name, shape, begin, end } of spec.tensors) {
    header.push([name, { dtype: "F32", shape, data_offsets: [4 * begin, 4 * end] }]);
  }
  const json = utf8Bytes(JSON.stringify(Object.fromEntries(header)));
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const file = new Uint8Array(8 + headerBytes + 4 * weights.length).fill(0x20, 8, 8 + headerBytes);
  const view = new DataView(file.buffer);
  view.setUint32(0, headerBytes, true);
  file.set(json, 8);
  for (let i = 0; i < weights.length; i++) {
    view.setFloat32(8 + headerBytes + 4 * i, weights[i] as number, true);
  }
  return file;
}

/**
 * Reads a file of exactly this model's tensors, in any order, all finite.
 * Codes: `learning/too-large`, `learning/bad-tensors` (the file lies about itself), `learning/wrong-shape` (a sound
 * file of another model or dtype), `learning/not-finite`.
 */
export function decodeSafetensors(
  spec: ModelSpec,
  file: Uint8Array,
): Result<DecodedModel, UpdateRefusalCode> {
  if (file.length > modelBytesMax(spec))
    return refuse("learning/too-large", `${file.length} bytes`);
  const header = readHeader(file);
  if (!header.ok) return header;
  const { entries, metadata, dataBegin } = header.value;
  const dataBytes = file.length - dataBegin;
  if (entries.size !== spec.tensors.length) return refuse("learning/wrong-shape", "other tensors");
  const spans: { begin: number; end: number; slot: TensorSlot }[] = [];
  for (const slot of spec.tensors) {
    const span = readSpan(entries.get(slot.name), slot, dataBytes);
    if (!span.ok) return span;
    spans.push({ ...span.value, slot });
  }
  if (!tiles(spans, dataBytes))
    return refuse("learning/bad-tensors", "the tensors do not tile the data");
  const weights = new Float32Array(spec.parameters);
  const view = new DataView(file.buffer, file.byteOffset + dataBegin, dataBytes);
  for (const { begin, slot } of spans) {
    for (let i = slot.begin; i < slot.end; i++) {
      // Adding zero turns -0 into +0, so that equal models are equal bytes.
      weights[i] = view.getFloat32(begin + 4 * (i - slot.begin), true) + 0;
    }
  }
  if (!allFinite(weights)) return refuse("learning/not-finite");
  return ok({ weights, metadata });
}

/**
 * Reads a file of any float32 tensors, all finite, with the model that they make. Codes: as of {@link decodeSafetensors}.
 */
export function readSafetensors(
  file: Uint8Array,
): Result<DecodedModel & { readonly spec: ModelSpec }, UpdateRefusalCode> {
  if (file.length > modelFileBytesMax) return refuse("learning/too-large", `${file.length} bytes`);
  const header = readHeader(file);
  if (!header.ok) return header;
  const tensors: TensorSpec[] = [];
  for (const [name, entry] of header.value.entries) {
    const shape: unknown = isObject(entry) ? entry["shape"] : undefined;
    // The product is within the bytes that are there; the rest is checked against this shape below.
    if (!Array.isArray(shape) || shapeElements(shape, file.length / 4) === undefined)
      return refuse("learning/bad-tensors", `the shape of '${name}'`);
    tensors.push({ name, shape: shape as number[] });
  }
  if (tensors.length === 0) return refuse("learning/bad-tensors", "no tensors");
  const total = tensors.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  if (total > PARAMETERS_MAX) return refuse("learning/too-large", `${total} parameters`);
  const spec = modelSpec(tensors);
  const decoded = decodeSafetensors(spec, file);
  return decoded.ok ? ok({ ...decoded.value, spec }) : decoded;
}

interface Header {
  readonly entries: ReadonlyMap<string, unknown>;
  readonly metadata: TensorMetadata;
  readonly dataBegin: number;
}

function readHeader(file: Uint8Array): Result<Header, UpdateRefusalCode> {
  if (file.length < 10) return refuse("learning/bad-tensors", "shorter than any header");
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const headerBytes = view.getUint32(0, true);
  if (view.getUint32(4, true) !== 0 || headerBytes > HEADER_BYTES_MAX) {
    return refuse("learning/too-large", "header");
  }
  if (headerBytes > file.length - 8) return refuse("learning/bad-tensors", "header past the end");
  if (file[8] !== 0x7b) return refuse("learning/bad-tensors", "header is no JSON object");
  let text: string;
  let parsed: unknown;
  try {
    text = utf8Text(file.subarray(8, 8 + headerBytes));
    parsed = JSON.parse(text);
  } catch {
    return refuse("learning/bad-tensors", "header is no JSON");
  }
  if (!isObject(parsed) || countKeys(parsed) !== countColons(text)) {
    return refuse("learning/bad-tensors", "a key stands twice, or too deep");
  }
  const entries = new Map(Object.entries(parsed));
  const metadata = entries.get("__metadata__") ?? {};
  entries.delete("__metadata__");
  if (!isStringMap(metadata)) return refuse("learning/bad-tensors", "metadata is no string map");
  return ok({ entries, metadata, dataBegin: 8 + headerBytes });
}

function readSpan(
  entry: unknown,
  slot: TensorSlot,
  dataBytes: number,
): Result<{ begin: number; end: number }, UpdateRefusalCode> {
  if (!isObject(entry)) return refuse("learning/wrong-shape", `no tensor '${slot.name}'`);
  const {
    dtype,
    shape,
    data_offsets: offsets,
    ...rest
  } = entry as {
    dtype?: unknown;
    shape?: unknown;
    data_offsets?: unknown;
  };
  if (Object.keys(rest).length > 0) return refuse("learning/bad-tensors", "a foreign key");
  if (!Array.isArray(shape) || !Array.isArray(offsets) || offsets.length !== 2) {
    return refuse("learning/bad-tensors", "shape or offsets are missing");
  }
  const [begin, end] = offsets as unknown[];
  if (!isOffset(begin) || !isOffset(end) || begin > end || end > dataBytes) {
    return refuse("learning/bad-tensors", "offsets out of the data");
  }
  const same = shape.length === slot.shape.length && slot.shape.every((n, i) => shape[i] === n);
  if (dtype !== "F32" || !same) return refuse("learning/wrong-shape", `tensor '${slot.name}'`);
  // The shape equals the model's, whose product is bounded: this cannot overflow.
  if (end - begin !== 4 * (slot.end - slot.begin)) {
    return refuse("learning/bad-tensors", "offsets do not fit the shape");
  }
  return ok({ begin, end });
}

/** True when the spans cover [0, dataBytes) without hole or overlap. */
function tiles(spans: readonly { begin: number; end: number }[], dataBytes: number): boolean {
  let covered = 0;
  for (const { begin, end } of spans.toSorted((a, b) => a.begin - b.begin)) {
    if (begin !== covered) return false;
    covered = end;
  }
  return covered === dataBytes;
}

function isOffset(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isStringMap(value: unknown): value is Record<string, string> {
  return isObject(value) && Object.values(value).every((item) => typeof item === "string");
}

/** The header, its entries, their lists: what lies deeper is no safetensors, and would overflow the stack if it were followed. */
const NESTING_MAX = 3;

/**
 * Keys of an object and of the objects in it. JSON.parse keeps the last of equal keys, so doubles are missing here.
 * NaN, equal to no number of keys, when they are nested too deep.
 */
function countKeys(value: unknown, depth = 1): number {
  if (typeof value !== "object" || value === null) return 0;
  if (depth > NESTING_MAX) return Number.NaN;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce<number>((sum, item) => sum + countKeys(item, depth + 1), own);
}

/** Colons outside of strings in valid JSON: one for every key that was written. */
function countColons(json: string): number {
  let colons = 0;
  let inString = false;
  for (let i = 0; i < json.length; i++) {
    const character = json[i];
    if (inString && character === "\\") i++;
    else if (character === '"') inString = !inString;
    else if (!inString && character === ":") colons++;
  }
  return colons;
}
