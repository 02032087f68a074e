// meshctl incidents list | show | explain | similar | export: what went wrong on this node, why, and what was done about it.

import {
  type IncidentExplained,
  incidentLimits,
  type Incidents,
  type SimilarIncidents,
} from "../../control/index.ts";
import { answer, clientOf } from "../answer.ts";
import { integer } from "../arguments.ts";
import type { RegisterCommand, Screen } from "../cli.ts";
import { relativeText, spanText, timeText } from "../format.ts";
import { cell, paint, plainText, renderTable, type Tone } from "../table.ts";

type Incident = Incidents["incidents"][number];

const SHOWN = 20;
const TEXT_MAX = 240;

const tones: Readonly<Record<Incident["outcome"], Tone>> = {
  open: "warn",
  mended: "good",
  "self-mended": "good",
  unmended: "bad",
};

/** Adds `incidents` with its verbs. */
export const incidentsCommand: RegisterCommand = (parent, cli) => {
  const command = parent
    .command("incidents")
    .description("what went wrong on this node, why, and what was done about it");
  const limit = integer(1, incidentLimits.listMax);
  const list = command
    .command("list")
    .description("list incidents, the newest first")
    .option("--limit <n>", "at most so many", limit, SHOWN);
  list.action((wanted: { readonly limit: number }) =>
    answer(cli, list, { call: (client) => client.incidents(wanted), draw: drawList }),
  );
  const show = command
    .command("show")
    .description("show an incident with its symptoms, evidence and actions")
    .argument("[id]", "its id, or last", "last");
  show.action((id: string) =>
    answer(cli, show, { call: (client) => client.incident({ id }), draw: drawDetails }),
  );
  const explain = command
    .command("explain")
    .description("say in order what was seen, what it was, what was done and whether it helped")
    .argument("[id]", "its id, or last", "last");
  explain.action((id: string) =>
    answer(cli, explain, { call: (client) => client.incident({ id }), draw: drawExplanation }),
  );
  const similar = command
    .command("similar")
    .description("past incidents like this one, of this node and of others, and what helped")
    .argument("[id]", "its id, or last", "last");
  similar.action((id: string) =>
    answer(cli, similar, { call: (client) => client.similarIncidents({ id }), draw: drawSimilar }),
  );
  const exported = command
    .command("export")
    .description("print all incidents of this node, the oldest first, one line of JSON each");
  exported.action(async () => {
    const lines = new TextDecoder();
    for await (const chunk of clientOf(cli, exported).exportIncidents())
      cli.out(lines.decode(chunk, { stream: true }));
  });
};

function drawList({ incidents }: Incidents, screen: Screen): string {
  if (incidents.length === 0) return "Nothing has gone wrong on this node that it remembers.\n";
  return renderTable(
    [
      { head: "ID" },
      { head: "OPENED" },
      { head: "LASTED" },
      { head: "CAUSE", widthMax: 44 },
      { head: "ACTIONS", widthMax: 32 },
      { head: "OUTCOME" },
    ],
    incidents.map((one) => [
      cell(one.id),
      cell(relativeText(one.openedAt, screen.nowMs())),
      cell(lastedText(one, screen.nowMs())),
      cell(causeText(one)),
      cell([...new Set(one.actions.map(({ action }) => action))].join(" ") || "none", "dim"),
      cell(one.outcome, tones[one.outcome]),
    ]),
    screen,
  );
}

function drawSimilar({ id, similar }: SimilarIncidents, screen: Screen): string {
  if (similar.length === 0) return `This node remembers nothing like ${plainText(id)}.\n`;
  return renderTable(
    [
      { head: "ALIKE" },
      { head: "NODE" },
      { head: "OUTCOME" },
      { head: "TRIED", widthMax: 40 },
      { head: "CAUSE", widthMax: 36 },
      { head: "ID" },
    ],
    similar.map(({ similarity, node, outcome, actions, cause, ...one }) => [
      cell(`${Math.round(100 * similarity)} %`),
      cell(node ?? "this one"),
      cell(outcome, tones[outcome]),
      cell(actions.map(({ action, outcome: end }) => `${action}: ${end}`).join(", ") || "nothing"),
      cell(cause.title),
      cell(one.id),
    ]),
    screen,
  );
}

function causeText({ cause }: Incident): string {
  return cause.subject === null ? cause.title : `${cause.title}: ${cause.subject}`;
}

function lastedText({ openedAt, closedAt }: Incident, nowMs: number): string {
  const endMs = closedAt === null ? nowMs : Date.parse(closedAt);
  return spanText(endMs - Date.parse(openedAt));
}

function drawExplanation({ incident, explanation }: IncidentExplained, screen: Screen): string {
  const head = `${incident.id}: ${plainText(causeText(incident), 120)}`;
  let last = "";
  const lines = explanation.map(({ step, at, text }) => {
    const name = step === last ? "" : step;
    last = step;
    const time = at === null ? "        " : at.slice(11, 19);
    return `${time}  ${paint(name.padEnd(8), "bold", screen.colours)} ${plainText(text, TEXT_MAX)}`;
  });
  return `${paint(head, "bold", screen.colours)}\n${lines.join("\n")}\n`;
}

function drawDetails({ incident }: IncidentExplained): string {
  const { id, openedAt, closedAt, outcome, cause } = incident;
  const lines = [
    `incident ${id}, ${outcome}`,
    `  opened    ${timeText(openedAt)}`,
    ...(closedAt === null ? [] : [`  closed    ${timeText(closedAt)}`]),
    `  cause     ${plainText(causeText(incident), 120)} [${cause.code}]`,
    `  because   ${plainText(cause.why, TEXT_MAX)}`,
    ...incident.symptoms.flatMap(symptomLines),
    ...incident.actions.flatMap(actionLines),
    ...incident.similar.map(
      (one) => `  similar   ${plainText(one.id)}, ${Math.round(one.similarity * 100)} % alike`,
    ),
  ];
  return `${lines.join("\n")}\n`;
}

function symptomLines(one: Incident["symptoms"][number]): string[] {
  const subject = one.subject === null ? "" : ` ${plainText(one.subject)}`;
  const until = one.clearedAt === null ? "stands" : `until ${timeText(one.clearedAt)}`;
  return [
    `  symptom   ${one.code}${subject}, ${one.severity}, since ${timeText(one.firstSeenAt)}, ${until}`,
    ...(one.message === null ? [] : [`              ${plainText(one.message, TEXT_MAX)}`]),
    ...one.evidence.map(
      ({ observation, value, finding }) =>
        `              ${observation} = ${Number(value.toPrecision(3))} (${plainText(finding)})`,
    ),
  ];
}

function actionLines(one: Incident["actions"][number]): string[] {
  const target = one.target === null ? "" : ` ${plainText(one.target)}`;
  return [
    `  action    ${one.action}${target}: ${one.outcome}, ${timeText(one.startedAt)}, playbook ${plainText(one.playbook)}`,
    `              ${plainText(one.reason, TEXT_MAX)}`,
    ...(one.check === null ? [] : [`              check: ${plainText(one.check, TEXT_MAX)}`]),
  ];
}
