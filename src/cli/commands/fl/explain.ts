// meshctl fl explain: what a round made of everybody, and why, in words.

import { controlLimits, type FlExplained, type Verdict } from "../../../control/index.ts";
import { answer } from "../../answer.ts";
import { integer } from "../../arguments.ts";
import type { RegisterCommand, Screen } from "../../cli.ts";
import { msText, percentText } from "../../format.ts";
import { cell, type Column, paint, plainText, renderTable, type Tone } from "../../table.ts";
import { lossText } from "./rounds.ts";

type Participant = FlExplained["participants"][number];

const columns: readonly Column[] = [
  { head: "PARTICIPANT", widthMax: 24 },
  { head: "VERDICT" },
  { head: "VOTES", align: "right" },
  { head: "CLIPPED TO", align: "right" },
  { head: "NEIGHBOUR OF", align: "right" },
  { head: "DISTANCE", align: "right" },
  { head: "COSINE", align: "right" },
  { head: "SUSPICION", align: "right" },
];

const tones: Readonly<Record<Verdict, Tone>> = {
  counted: "good",
  clipped: "warn",
  "down-weighted": "warn",
  "no-weight": "warn",
  outlier: "bad",
  unused: "dim",
  refused: "bad",
  silent: "warn",
};

export const registerExplain: RegisterCommand = (fl, cli) => {
  const command = fl
    .command("explain")
    .description("say what a round made of every participant, and why")
    .argument("[round]", "its number (default: the last one)", integer(1, controlLimits.roundsMax));
  command.action((round?: number) =>
    answer(cli, command, {
      call: (client) => client.flExplain(round === undefined ? {} : { round }),
      draw: drawExplanation,
    }),
  );
};

export function drawExplanation(explained: FlExplained, screen: Screen): string {
  const { round, result, aggregator, byzantine } = explained;
  const participants = explained.participants.toSorted((a, b) =>
    a.name.localeCompare(b.name, "en"),
  );
  const title = paint(
    `Round ${round} of task ${plainText(explained.taskId)}`,
    "bold",
    screen.colours,
  );
  const outcome =
    result === "held"
      ? "the model was held: too few updates to be safe"
      : `${result}, loss ${lossText(explained.loss)}, accuracy ${percentText(explained.accuracy)}`;
  const rows = participants.map((it) => [
    cell(it.self ? `${it.name} (this node)` : it.name),
    cell(it.verdict, tones[it.verdict]),
    cell(numberText(it.votes, 2)),
    cell(it.clip === null || it.clip === 1 ? "–" : percentText(it.clip)),
    cell(it.inDegree === null ? "–" : `${it.inDegree} of ${participants.length - 1}`),
    cell(numberText(it.distance, 3)),
    cell(numberText(it.cosine, 2)),
    cell(numberText(it.suspicion, 2), it.suspect ? "warn" : "plain"),
  ]);
  const reasons = participants
    .filter(
      ({ verdict, suspect, evictedInRound }) =>
        verdict !== "counted" || suspect || evictedInRound !== null,
    )
    .map(
      (it) =>
        `  ${paint(plainText(it.name), tones[it.verdict], screen.colours)}: ${whyOf(it, explained)}.\n`,
    );
  return (
    `${title}: ${outcome}\n` +
    `  ${aggregator}, at most ${byzantine} of ${participants.length} lying; ${msText(explained.durationMs)}\n\n` +
    renderTable(columns, rows, screen) +
    (reasons.length === 0 ? "" : `\n${reasons.join("")}`) +
    "\n  One vote is an equal say. Verdicts of statistics (clipped, down-weighted, no-weight, outlier) are no proof of a lie:\n" +
    "  unlike data looks the same. Nobody is put out of the mesh for them.\n"
  );
}

/** What a code of the gate means to somebody who has not written it. */
const refusalWords: Readonly<Record<string, string>> = {
  "learning/bad-tensors": "its update is no well-formed safetensors",
  "learning/wrong-shape": "its update has the shape of another model",
  "learning/not-finite": "its update holds infinite values or none at all",
  "learning/wrong-task": "its update is of another task",
  "learning/wrong-round": "its update is of another round",
  "learning/wrong-node": "its update carries another node's name",
  "learning/too-large": "its update is longer than the model can be",
};

/** One sentence, with what is held against it over many rounds. */
export function whyOf(it: Participant, explained: FlExplained): string {
  const { evictedInRound: round, suspect } = it;
  if (round !== null)
    return `out of the task since round ${round}: it signed two things where it may sign one, which is proven`;
  const suspicion = suspect ? "; it looked odd in nearly all rounds of late" : "";
  return verdictText(it, explained) + suspicion;
}

function verdictText(it: Participant, explained: FlExplained): string {
  const { byzantine, participants, aggregator } = explained;
  const votes = numberText(it.votes, 2);
  const far = farther(it, participants);
  const why = aggregator.endsWith("caf")
    ? "it stands out where updates differ most"
    : "the rule prefers others";
  switch (it.verdict) {
    case "counted":
      return "its update counts";
    case "clipped":
      return `its update was shortened to ${percentText(it.clip)}: it is longer than most${far}`;
    case "down-weighted":
      return `it has ${votes} votes${far === "" ? `: ${why}` : far}`;
    case "no-weight":
      return `the rule left its update out${far === "" ? `: ${why}` : far}`;
    case "outlier":
      return `far from the others${far}, and ${byzantine > 1 ? `fewer than ${byzantine} of them have` : "none of them has"} it among ${byzantine > 1 ? "their" : "its"} nearest`;
    case "unused":
      return "no update of it was used in this round";
    case "refused":
      return `${(it.code !== null ? refusalWords[it.code] : undefined) ?? "its update was refused"} (${it.code ?? "no code"})`;
    case "silent":
      return "no update came in time";
  }
}

/** How much farther from the result it lies than the middle participant, when that is worth a word. */
function farther({ distance }: Participant, all: readonly Participant[]): string {
  const distances = all.flatMap((it) => it.distance ?? []).sort((a, b) => a - b);
  const middle = distances[Math.floor((distances.length - 1) / 2)] ?? 0;
  if (distance === null || middle <= 0 || distance < 1.5 * middle) return "";
  return `, ${(distance / middle).toFixed(1)} times the usual distance`;
}

function numberText(value: number | null, digits: number): string {
  return value === null ? "–" : value.toFixed(digits);
}
