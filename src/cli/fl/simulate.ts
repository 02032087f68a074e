// meshctl fl simulate: a task's whole run in virtual time on this host, from the file that a mesh would run.

import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { MeshError, toHex } from "../../foundation/index.ts";
import {
  attackKinds,
  type ColludingAttack,
  colludingAttacks,
  completeDraft,
  type CsvFacts,
  parseCsv,
  parseDraft,
  type LearningErrorCode,
  type ScheduleKind,
  scheduleKinds,
  simulatedParticipants,
  simulatedTaskLimits,
  simulateTask,
  splitTrainTest,
  type TaskManifest,
} from "../../learning/index.ts";
import { exitStatus } from "../../control/index.ts";
import type { Cli } from "../cli.ts";
import { roundLine } from "../commands/fl/run.ts";
import { lossText } from "../commands/fl/rounds.ts";
import { percentText, spanText } from "../format.ts";
import { readTaskFile, type TaskFile } from "../task-file.ts";
import { paint } from "../table.ts";
import { type EpidemicReport, simulateEpidemicTask } from "./epidemic.ts";

/** What a command line says of a simulation; what it leaves out is the file's, or a default. */
export interface SimulateWish {
  readonly file: string | undefined;
  readonly nodes?: number;
  /** A share of the nodes below 1, or how many. */
  readonly byzantine?: number;
  readonly liars?: number;
  readonly attack?: string;
  readonly orchestrator?: string;
  readonly aggregator?: string;
  readonly rounds?: number;
  readonly seed?: number;
  readonly schedule?: string;
  readonly csv?: string;
  readonly label?: string;
}

type Report = ReturnType<typeof simulateTask> | EpidemicReport;

const DEFAULT_NODES = 20;
const DEFAULT_SEED = 1;
/** Samples that a simulated node has at least, unless the file says how many there are. */
const SAMPLES_PER_NODE = 10;
const TRAIN_SAMPLES = 4_000;

/** Runs, shows rounds as they finish, and the report. @throws MeshError `learning/*` */
export function flSimulate(cli: Cli, wish: SimulateWish, json: boolean): void {
  const file = wish.file === undefined ? undefined : readTaskFile(wish.file);
  const csv = csvOf(wish);
  const lies = liesOf(wish);
  const { attack: _, ...rest } = wish;
  const alone = lies.attack === undefined ? rest : { ...rest, attack: lies.attack };
  const task = manifestOf(alone, file, csv);
  if (!json) cli.out(headLine(task, wish, cli));
  const report = run(cli, task, { ...wish, ...lies }, csv, json);
  cli.out(json ? `${JSON.stringify(report)}\n` : endLine(report, cli));
  if (report.certified === 0) cli.exit = exitStatus.failure;
}

function run(
  cli: Cli,
  task: TaskManifest,
  { liars, schedule, colluding }: SimulateWish & Lies,
  csv: Csv | undefined,
  json: boolean,
): Report {
  const show = (round: Report["rounds"][number]): void => {
    if (json) return;
    const { result, updates } = round;
    const held = result !== "certified" && result !== "aggregated";
    const line = { ...round, contributors: updates, held, rejected: [], silent: [] };
    cli.out(roundLine(line, task.rounds, cli.screen, weighedText(round)));
  };
  const options = {
    onRound: show,
    ...(liars === undefined ? {} : { liars }),
    ...(csv === undefined
      ? {}
      : { data: splitTrainTest(csv.data, testSamplesOf(task), task.seed) }),
  };
  if (task.orchestrator.kind === "epidemic") {
    if (colluding === undefined) return simulateEpidemicTask(task, options);
    throw new MeshError<LearningErrorCode>(
      "learning/feature-unavailable",
      `Cannot simulate '${colluding}' in an epidemic task: liars collude over certified rounds. Choose another orchestrator.`,
    );
  }
  return simulateTask(task, {
    ...options,
    ...(colluding === undefined ? {} : { colluding }),
    schedule: scheduleOf(schedule),
    hash: (bytes) => hash("sha256", bytes, "buffer"),
  });
}

/** Whether the rule found the liars, which only a simulation can say. */
function weighedText(round: Report["rounds"][number]): string {
  if (!("downWeighted" in round)) return "";
  const { downWeighted, liars, updates } = round;
  return `weighed down ${downWeighted.liars} of ${liars} liars, ${downWeighted.honest} of ${updates - liars} honest`;
}

function testSamplesOf({ data }: TaskManifest): number {
  return "testSamples" in data ? data.testSamples : 1;
}

/** What liars do: to their own updates as in a task file, together to all of theirs, or to the protocol, which is a schedule. */
interface Lies {
  /** Of the task. */
  readonly attack?: string;
  readonly colluding?: ColludingAttack;
  readonly schedule?: string;
}

/** Attacks of the reference that are schedules here. */
const attacksOnProtocol: Readonly<Record<string, ScheduleKind>> = {
  equivocation: "equivocation",
  flooding: "flooding",
  "slow-loris": "slow-loris",
  withholding: "slow-loris",
  silent: "silent",
};

/** Every name that `--attack` takes. */
export const attackNames: readonly string[] = [
  ...attackKinds,
  ...colludingAttacks,
  ...Object.keys(attacksOnProtocol),
];

/** @throws MeshError `learning/bad-task` */
function liesOf({ attack, schedule }: SimulateWish): Lies {
  const given = schedule === undefined ? {} : { schedule };
  if (attack === undefined) return given;
  const colluding = colludingAttacks.find((name) => name === attack);
  if (colluding !== undefined) return { ...given, colluding };
  if (attackKinds.some((name) => name === attack)) return { ...given, attack };
  const onProtocol = attacksOnProtocol[attack];
  const isClear = onProtocol !== undefined && (schedule ?? onProtocol) === onProtocol;
  if (isClear) return { schedule: onProtocol };
  throw new MeshError<LearningErrorCode>(
    "learning/bad-task",
    onProtocol === undefined
      ? `There is no attack '${attack}'. Choose one of ${attackNames.join(", ")}.`
      : `The attack '${attack}' is a schedule of its own, and '${schedule ?? ""}' is another. Choose one of them.`,
  );
}

function scheduleOf(name: string | undefined): ScheduleKind {
  const found = scheduleKinds.find((kind) => kind === (name ?? "prompt"));
  if (found !== undefined) return found;
  throw new MeshError(
    "learning/bad-task",
    `There is no schedule '${name ?? ""}'. Choose one of ${scheduleKinds.join(", ")}.`,
  );
}

/** The manifest of the file with the command line over it. */
function manifestOf(
  wish: SimulateWish,
  file: TaskFile | undefined,
  csv: Csv | undefined,
): TaskManifest {
  try {
    const draft = parseDraft({ ...file?.task, ...overrides(wish, file?.task ?? {}) });
    const seed = draft.seed ?? DEFAULT_SEED;
    const nodes = wish.nodes ?? draft.participants?.length ?? DEFAULT_NODES;
    const participants = simulatedParticipants(nodes, seed);
    const isGlyphs = (draft.data?.kind ?? "glyphs") === "glyphs";
    const data = isGlyphs
      ? { kind: "glyphs", trainSamples: Math.max(TRAIN_SAMPLES, SAMPLES_PER_NODE * nodes) }
      : undefined;
    return completeDraft(
      { ...draft, ...(data === undefined ? {} : { data: { ...data, ...draft.data } }) },
      {
        ...{ taskId: "simulated", trustDomain: "simulated", createdAtMs: 0, seed, participants },
        createdBy: participants[0] ?? "",
        limits: simulatedTaskLimits,
        ...(csv === undefined ? {} : { csv: csv.facts }),
      },
    );
  } catch (error) {
    throw file?.locate(error) ?? error;
  }
}

/** The command line in the file's own words; an orchestrator of the same kind keeps what the file says of it. */
function overrides(wish: SimulateWish, written: Readonly<Record<string, unknown>>): object {
  const { nodes, byzantine, attack, orchestrator, aggregator, rounds, seed } = wish;
  const names = written["participants"];
  const population = nodes ?? (Array.isArray(names) ? names.length : DEFAULT_NODES);
  // Without a file and without a word of it, rounds are certified: that is what can be simulated at any size.
  const kind =
    orchestrator ??
    (written["orchestrator"] === undefined && wish.file === undefined ? "batch-async" : undefined);
  const isSame = isKind(written["orchestrator"], kind);
  const given = {
    ...(byzantine === undefined
      ? {}
      : { byzantine: byzantine < 1 ? Math.floor(byzantine * population) : byzantine }),
    ...(kind === undefined || isSame ? {} : { orchestrator: { kind } }),
    ...{ attack, aggregator, rounds, seed },
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function isKind(part: unknown, kind: string | undefined): boolean {
  return typeof part === "object" && part !== null && "kind" in part && part.kind === kind;
}

interface Csv {
  readonly data: ReturnType<typeof parseCsv>["data"];
  readonly facts: CsvFacts;
}

function csvOf({ csv, label }: SimulateWish): Csv | undefined {
  if (csv === undefined) return undefined;
  if (label === undefined)
    throw new MeshError("learning/bad-task", "Name the column to learn: --label COLUMN.");
  const bytes = readFileSync(csv);
  const { data } = parseCsv(new TextDecoder().decode(bytes), label);
  const { dimensions: features, classes, count: samples } = data;
  const digest = toHex(hash("sha256", bytes, "buffer"));
  return { data, facts: { digest, labelColumn: label, features, classes, samples } };
}

function headLine(task: TaskManifest, wish: SimulateWish, { screen }: Cli): string {
  const { participants, byzantine, aggregator, attack, orchestrator, seed } = task;
  const lie = wish.attack ?? wish.schedule ?? attack;
  const lying = lie === "none" ? "none lying" : `${wish.liars ?? byzantine} lying by ${lie}`;
  const who = `${participants.length} nodes, ${lying}`;
  return `${paint(`${orchestrator.kind}, ${aggregator}`, "bold", screen.colours)}: ${who}; seed ${seed}\n`;
}

const agreementText: Readonly<Record<Report["agreement"], string>> = {
  machines: "every node ran the protocol's own machine",
  modelled: "agreement was modelled: what all honest nodes would agree on was computed once",
  none: "no agreement: every node aggregated for itself; loss and accuracy are the honest median",
};

function endLine(report: Report, { screen }: Cli): string {
  const { rounds, certified, loss, accuracy, durationMs, agreement } = report;
  const closed =
    certified === rounds.length
      ? "every round made a new model"
      : `${certified} of ${rounds.length} rounds made a new model, the others kept the old one`;
  const result = `loss ${lossText(loss)}, accuracy ${percentText(accuracy)} after ${spanText(durationMs)} of virtual time`;
  return `${paint(result, "bold", screen.colours)}; ${closed}.\n  ${agreementText[agreement]}.\n`;
}
