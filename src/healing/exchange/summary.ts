// What a node tells others of an incident that is over: what it looked like, what was tried, and what came of it. It names no node and
// no free text: whoever tells lies in it can accuse nobody, and nothing of it is shown to people as anything but codes. Its author
// and the signature are the envelope's (whoever sends it).
// version (1) | id | opened at (8) | closed at (8) | outcome (1) | cause | count (1), symptoms | features (FEATURES) |
// count (1), actions: playbook, action, outcome (1)
// Texts are a length (1) and ASCII. A feature is a byte, 0 to 255 for 0 to 1.

import {
  ByteReader,
  concatBytes,
  isMeshError,
  MeshError,
  ok,
  refuse,
  type Result,
  uint64be,
  utf8Bytes,
} from "../../foundation/index.ts";
import type { WallMs } from "../../ports/index.ts";
import {
  actionKinds,
  actionOutcomes,
  type Incident,
  INCIDENT_ACTIONS_MAX,
  INCIDENT_SYMPTOMS_MAX,
  incidentOutcomes,
  type TakenAction,
} from "../incident.ts";
import { FEATURES } from "../observation.ts";
import { symptomCodes, symptoms } from "../symptoms.ts";

const VERSION = 1;
const TEXT_CHARS_MAX = 64;
const ID = /^[0-9a-z-]{1,40}$/;
const PLAYBOOK = /^[a-z][a-z0-9-]{0,47}$/;
/** The longest: every list full, every text at its longest. */
export const SUMMARY_BYTES_MAX =
  1 +
  41 +
  16 +
  1 +
  (TEXT_CHARS_MAX + 1) * (1 + INCIDENT_SYMPTOMS_MAX) +
  FEATURES +
  2 +
  INCIDENT_ACTIONS_MAX * (2 * (TEXT_CHARS_MAX + 1) + 1);
const FEATURE_STEPS = 255;

/** `unknown`: told by a newer version with words that this one does not have. */
export type SummaryCode = "healing/malformed-summary" | "healing/unknown-summary";

/** The summary of an incident that is over. */
export function encodeSummary(incident: Incident): Uint8Array {
  const { id, openedAtMs, closedAtMs = openedAtMs, outcome, cause, features, actions } = incident;
  const codes = [...new Set(incident.symptoms.map(({ code }) => code))];
  return concatBytes(
    Uint8Array.of(VERSION),
    text(id),
    uint64be(openedAtMs),
    uint64be(closedAtMs),
    Uint8Array.of(incidentOutcomes.indexOf(outcome)),
    text(cause.code),
    Uint8Array.of(codes.length),
    ...codes.map(text),
    Uint8Array.from(features, (value) => Math.round(value * FEATURE_STEPS)),
    Uint8Array.of(actions.length),
    ...actions.flatMap(({ playbook, action, outcome: end }) => [
      ...[text(playbook), text(action), Uint8Array.of(actionOutcomes.indexOf(end))],
    ]),
  );
}

/** The end of the year 9999: what is later is no time that could be shown, and would break whatever shows it. */
const CLOSED_AT_MS_MAX = 253_402_300_799_999;

/** Reads a summary. Codes: {@link SummaryCode}. */
export function decodeSummary(bytes: Uint8Array): Result<Incident, SummaryCode> {
  if (bytes.length > SUMMARY_BYTES_MAX) return refuse("healing/malformed-summary", "too long");
  try {
    return readSummary(new ByteReader(bytes));
  } catch (error) {
    if (isMeshError(error)) return refuse("healing/malformed-summary", error.message);
    throw error;
  }
}

function readSummary(reader: ByteReader): Result<Incident, SummaryCode> {
  if (reader.uint8() !== VERSION) return refuse("healing/unknown-summary", "another version");
  const id = readText(reader);
  const openedAtMs = reader.uint64be() as WallMs;
  const closedAtMs = reader.uint64be() as WallMs;
  const outcome = oneOf(incidentOutcomes.slice(1), incidentOutcomes[reader.uint8()]);
  const cause = oneOf(symptomCodes, readText(reader));
  const codes = readList(reader, INCIDENT_SYMPTOMS_MAX, () => readText(reader));
  const features = Float32Array.from(reader.take(FEATURES), (step) => step / FEATURE_STEPS);
  const actions = readList(reader, INCIDENT_ACTIONS_MAX, () => readAction(reader, openedAtMs));
  const isInOrder = openedAtMs <= closedAtMs && closedAtMs <= CLOSED_AT_MS_MAX;
  if (reader.remaining > 0 || !ID.test(id) || !isInOrder || hasTwice(codes))
    return refuse("healing/malformed-summary", "not a summary");
  const known = codes.flatMap((code) => oneOf(symptomCodes, code) ?? []);
  const whole = actions.filter((action) => action !== undefined);
  if (
    outcome === undefined ||
    cause === undefined ||
    known.length + whole.length < codes.length + actions.length
  )
    return refuse("healing/unknown-summary", "words of another version");
  return ok({
    ...{ id, openedAtMs, closedAtMs, outcome, features, actions: whole },
    cause: { code: cause, why: "" },
    symptoms: known.map((code) => ({
      ...{ code, severity: symptoms[code].severity },
      ...{ firstSeenMs: openedAtMs, clearedMs: closedAtMs, evidence: [] },
    })),
    similar: [],
  });
}

function readAction(reader: ByteReader, startedMs: WallMs): TakenAction | undefined {
  const playbook = readText(reader);
  const action = oneOf(actionKinds, readText(reader));
  const outcome = oneOf(actionOutcomes, actionOutcomes[reader.uint8()]);
  if (action === undefined || outcome === undefined || !PLAYBOOK.test(playbook)) return undefined;
  return { playbook, action, outcome, level: "act", startedMs, reason: "" };
}

/** @throws MeshError `healing/malformed-summary` for a longer one, and what the reader throws */
function readList<Item>(reader: ByteReader, max: number, read: () => Item): Item[] {
  const count = reader.uint8();
  if (count > max) throw tooMuch(`${count} items`);
  return Array.from({ length: count }, read);
}

/** @throws MeshError `healing/malformed-summary` for a longer one, and what the reader throws */
function readText(reader: ByteReader): string {
  const length = reader.uint8();
  if (length > TEXT_CHARS_MAX) throw tooMuch(`a text of ${length} characters`);
  return String.fromCharCode(...reader.take(length));
}

function tooMuch(what: string): MeshError<SummaryCode> {
  return new MeshError("healing/malformed-summary", `Cannot read a summary with ${what}.`);
}

function text(value: string): Uint8Array {
  const bytes = utf8Bytes(value);
  return concatBytes(Uint8Array.of(bytes.length), bytes);
}

function oneOf<Word extends string>(
  words: readonly Word[],
  word: string | undefined,
): Word | undefined {
  return words.find((known) => known === word);
}

function hasTwice(words: readonly string[]): boolean {
  return new Set(words).size < words.length;
}
