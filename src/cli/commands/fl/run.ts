// meshctl fl run: checks a task.yaml, shows what it will do, starts it and, with --watch, stays until its end.

import type { Command } from "commander";
import {
  type ExitStatus,
  exitStatus,
  type FlRun,
  type LearningStatus,
} from "../../../control/index.ts";
import { clientOf, isJson, jsonText } from "../../answer.ts";
import type { Cli, RegisterCommand, Screen } from "../../cli.ts";
import { percentText } from "../../format.ts";
import { readTaskFile } from "../../task-file.ts";
import { type Cell, cell, paint, plainText, renderBar, renderFields } from "../../table.ts";
import { lossText } from "./rounds.ts";

interface RunFlags {
  readonly dryRun?: true;
  readonly watch?: true;
}

const WATCH_INTERVAL_MS = 500;
const BAR_CHARACTERS = 24;

export const registerRun: RegisterCommand = (fl, cli) => {
  const command = fl
    .command("run")
    .description("start the task of a file, with this node as its coordinator")
    .argument("<file>", "a task.yaml; docs/examples/task.yaml shows all that may stand in it")
    .option("--dry-run", "check the file and show the task, and start nothing")
    .option("--watch", "stay until the task ends and show its rounds; exit 1 if it fails");
  command.action(async (file: string, flags: RunFlags) => {
    const { task, locate } = readTaskFile(file);
    const client = clientOf(cli, command);
    const dryRun = flags.dryRun === true;
    const run = await client
      .flRun({ task, ...(dryRun ? { dryRun } : {}) })
      .catch((error: unknown) => {
        throw locate(error);
      });
    const watches = flags.watch === true && run.started;
    if (!isJson(command)) cli.out(drawRun(run, cli.screen, watches));
    else if (!watches) cli.out(jsonText(run));
    if (watches) await watch(cli, command, run.taskId);
  });
};

/** What the task will do, before it does it. */
export function drawRun(
  { task, taskId, participants, absent, started }: FlRun,
  screen: Screen,
  watches: boolean,
): string {
  const text = (value: unknown): string =>
    typeof value === "string" ? value : JSON.stringify(value);
  const attack =
    task["attack"] === "none"
      ? []
      : [["attack", cell(`LABORATORY: adversaries do ${text(task["attack"])}`, "warn")] as const];
  const fields: (readonly [string, Cell])[] = [
    ["trains", cell(`${partText(task["model"])} on ${partText(task["data"])}`)],
    ["trainer", cell(partText(task["trainer"]))],
    ["rounds", cell(`at most ${text(task["rounds"])}, ${partText(task["orchestrator"])}`)],
    [
      "rule",
      cell(
        `${text(task["aggregator"])}, up to ${text(task["byzantine"])} of ${participants.length} may lie`,
      ),
    ],
    [
      "sends",
      cell(`compression ${partText(task["compression"])}; schedule ${partText(task["schedule"])}`),
    ],
    [
      "stops",
      cell(
        task["convergence"] === null
          ? "after the last round"
          : `early by ${partText(task["convergence"])}`,
      ),
    ],
    ...attack,
    ["participants", cell(namesText(participants))],
    ...(absent.length === 0
      ? []
      : [
          [
            "left out",
            cell(`${namesText(absent)}: not alive now (meshctl peers)`, "warn"),
          ] as const,
        ]),
  ];
  const title = started ? `Started task ${plainText(taskId)}` : "This task is fit to be started";
  const next = watches || !started ? "" : "Watch it with: meshctl fl status\n";
  return `${paint(title, "bold", screen.colours)}: ${plainText(text(task["name"]))}\n${renderFields(fields, screen.colours)}${next}`;
}

function namesText(names: readonly string[]): string {
  return names
    .toSorted()
    .map((name) => plainText(name))
    .join(", ");
}

/** `mlp (features 144, classes 10)`. */
function partText(part: unknown): string {
  if (typeof part !== "object" || part === null || !("kind" in part)) return JSON.stringify(part);
  const { kind, ...rest } = part;
  const fields = Object.entries(rest).map(([key, value]) => `${key} ${shortText(value)}`);
  return fields.length === 0 ? String(kind) : `${String(kind)} (${fields.join(", ")})`;
}

function shortText(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > 24 ? `${text.slice(0, 12)}…` : text;
}

/** Shows rounds as they finish, until the task is over. Its end decides the exit status. */
async function watch(cli: Cli, command: Command, taskId: string): Promise<void> {
  const client = clientOf(cli, command);
  let shown = 0;
  for (;;) {
    const answer = await client.flStatus();
    const { learning } = answer;
    if (learning?.taskId !== taskId) break;
    if (!isJson(command)) {
      for (const round of learning.history.filter((entry) => entry.round > shown)) {
        cli.out(roundLine(round, learning.rounds, cli.screen));
        shown = round.round;
      }
    }
    if (learning.state !== "running") {
      cli.out(isJson(command) ? jsonText(answer) : endLine(learning, cli.screen));
      cli.exit = endStatus(learning.state);
      return;
    }
    await new Promise((resume) => setTimeout(resume, WATCH_INTERVAL_MS));
  }
  cli.err("Another task has taken its place: meshctl fl status\n");
  cli.exit = exitStatus.failure;
}

export function endStatus(state: LearningStatus["state"]): ExitStatus {
  return state === "finished" ? exitStatus.ok : exitStatus.failure;
}

export function roundLine(
  {
    round,
    loss,
    accuracy,
    held,
    rejected,
    silent,
  }: Pick<
    LearningStatus["history"][number],
    "round" | "loss" | "accuracy" | "held" | "rejected" | "silent"
  >,
  rounds: number,
  { colours }: Screen,
  note = "",
): string {
  const count = `${round}/${rounds}`.padStart(2 * String(rounds).length + 1);
  const bar = paint(renderBar(round / rounds, BAR_CHARACTERS), "good", colours);
  const notes = [
    held ? paint("held", "warn", colours) : "",
    rejected.length === 0
      ? ""
      : `rejected ${paint(plainText(rejected.join(", ")), "bad", colours)}`,
    silent.length === 0 ? "" : `silent ${paint(plainText(silent.join(", ")), "warn", colours)}`,
    note,
  ].filter((text) => text !== "");
  return `  round ${count} ${bar}  loss ${lossText(loss)}  accuracy ${percentText(accuracy)}${notes.map((text) => `  ${text}`).join("")}\n`;
}

function endLine({ state, round, loss, accuracy }: LearningStatus, { colours }: Screen): string {
  const tone = state === "finished" ? "good" : "bad";
  return `${paint(`Task ${state}`, tone, colours)} after round ${round}: loss ${lossText(loss)}, accuracy ${percentText(accuracy)}.\n`;
}
