// What is said and certified beside the model of a round, in a few bytes: a participant's note in its header (how good it
// found the model that it trained from) and the round's summary in its certificate. Binary, so that there is one encoding.

import { ok, refuse, type Result } from "../../foundation/index.ts";
import type { LearningErrorCode } from "../codes.ts";

/** A participant's word on the model it trained from; `null` where it cannot say. */
export interface UpdateNote {
  readonly loss: number | null;
  readonly accuracy: number | null;
}

/** What a certified round says of itself. All of it is computed alike on every node. */
export interface RoundSummary {
  /** Whether the updates made no new model: their rule refused, and the model is kept. */
  readonly held: boolean;
  /** Lower medians over the identities in the round, of the model that they trained from: f liars cannot move them far. */
  readonly loss: number | null;
  readonly accuracy: number | null;
  /** Euclidean length of the step that the model took. */
  readonly norm: number;
  /** The next round's step of quantisation. */
  readonly stepSize: number;
}

const VERSION = 1;
const NOTE_BYTES = 18;
const SUMMARY_BYTES = 34;
/** Bits of the second byte. */
const FLAGS = { loss: 1, accuracy: 2, held: 4 };

/** 18 bytes. */
export function encodeNote({ loss, accuracy }: UpdateNote): Uint8Array {
  const view = new DataView(new ArrayBuffer(NOTE_BYTES));
  view.setUint8(0, VERSION);
  view.setUint8(1, flag(loss, FLAGS.loss) | flag(accuracy, FLAGS.accuracy));
  view.setFloat64(2, loss ?? 0);
  view.setFloat64(10, accuracy ?? 0);
  return new Uint8Array(view.buffer);
}

/** A note of any other form says nothing: it is a participant's own business. */
export function decodeNote(bytes: Uint8Array): UpdateNote {
  const nothing = { loss: null, accuracy: null };
  if (bytes.length !== NOTE_BYTES || bytes[0] !== VERSION) return nothing;
  const view = viewOf(bytes);
  const flags = view.getUint8(1);
  const read = (bit: number, at: number): number | null => {
    const value = view.getFloat64(at);
    return (flags & bit) > 0 && Number.isFinite(value) ? value : null;
  };
  return { loss: read(FLAGS.loss, 2), accuracy: read(FLAGS.accuracy, 10) };
}

/** 34 bytes. */
export function encodeSummary(summary: RoundSummary): Uint8Array {
  const { held, loss, accuracy, norm, stepSize } = summary;
  const view = new DataView(new ArrayBuffer(SUMMARY_BYTES));
  view.setUint8(0, VERSION);
  const said = flag(loss, FLAGS.loss) | flag(accuracy, FLAGS.accuracy);
  view.setUint8(1, said | (held ? FLAGS.held : 0));
  view.setFloat64(2, loss ?? 0);
  view.setFloat64(10, accuracy ?? 0);
  view.setFloat64(18, norm);
  view.setFloat64(26, stepSize);
  return new Uint8Array(view.buffer);
}

/** Code: `learning/bad-summary` */
export function decodeSummary(bytes: Uint8Array): Result<RoundSummary, LearningErrorCode> {
  if (bytes.length !== SUMMARY_BYTES || bytes[0] !== VERSION) return refuse("learning/bad-summary");
  const view = viewOf(bytes);
  const flags = view.getUint8(1);
  return ok({
    held: (flags & FLAGS.held) > 0,
    loss: (flags & FLAGS.loss) > 0 ? view.getFloat64(2) : null,
    accuracy: (flags & FLAGS.accuracy) > 0 ? view.getFloat64(10) : null,
    norm: view.getFloat64(18),
    stepSize: view.getFloat64(26),
  });
}

/** The value of rank (n - 1) / 2, rounded down; `null` of none. */
export function lowerMedian(values: readonly (number | null)[]): number | null {
  const said = values.filter((value) => value !== null).sort((a, b) => a - b);
  return said[Math.floor((said.length - 1) / 2)] ?? null;
}

function flag(value: number | null, bit: number): number {
  return value === null ? 0 : bit;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
