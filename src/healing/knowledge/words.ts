// An incident as words, for the full-text half of recall: what it looked like, never what was done about it. A code is a word of
// its own beside the words of its title, and so is a peer: the same neighbour that fails again is what a person would think of, too.

import type { Evidence, Incident, SeenSymptom } from "../incident.ts";
import { type SymptomCode, symptoms } from "../symptoms.ts";

/** Distinct words of one incident; those that come first tell most. */
export const WORDS_MAX = 96;
const MESSAGE_WORDS_MAX = 16;
const WORD_CHARS_MAX = 40;

/** Distinct words of a-z, 0-9 and "_". */
export function wordsOf({ cause, symptoms: seen }: Pick<Incident, "cause" | "symptoms">): string[] {
  const words = [
    `cause_${asWord(cause.code)}`,
    ...seen.map(({ code }) => asWord(code)),
    ...[cause, ...seen].flatMap(({ subject }) => (subject === undefined ? [] : [asWord(subject)])),
    ...seen.flatMap(({ evidence }) => evidence.map(directionOf)),
    ...seen.flatMap(({ code }) => titleWords(code)),
    ...seen.flatMap(messageWords),
  ];
  return [...new Set(words)].filter((word) => word !== "").slice(0, WORDS_MAX);
}

/** Which number was off, and which way. */
function directionOf({ observation, value, threshold }: Evidence): string {
  return asWord(`${observation}_${value < threshold ? "low" : "high"}`);
}

function titleWords(code: SymptomCode): string[] {
  return wordsIn(symptoms[code].title);
}

function messageWords({ message }: SeenSymptom): string[] {
  return message === undefined ? [] : wordsIn(message).slice(0, MESSAGE_WORDS_MAX);
}

function wordsIn(text: string): string[] {
  return text.toLowerCase().match(/[a-z0-9]{3,40}/g) ?? [];
}

/** A code or a name as one word. */
function asWord(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "_")
    .slice(0, WORD_CHARS_MAX);
}
