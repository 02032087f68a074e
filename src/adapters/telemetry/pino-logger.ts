// The Logger port over pino: JSON lines, or one readable line each for a terminal. Every line passes
// through telemetry's field filter, so a secret under a telling name cannot be logged by mistake.

import { type DestinationStream, pino } from "pino";
import type { LogFields, Logger } from "../../ports/index.ts";
import { safeLogFields } from "../../telemetry/index.ts";
import { prettyLine } from "./pretty-line.ts";
import type { RecentLines } from "./recent-lines.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

/** Options of {@link createPinoLogger}. */
export interface PinoLoggerOptions {
  readonly level: LogLevel;
  readonly format: "json" | "pretty";
  /** Fields of every line, such as the node's name. */
  readonly fields?: LogFields;
  /** Is given every line as JSON, whatever the format. */
  readonly recent?: Pick<RecentLines, "push">;
  /** Where lines go. @default standard output */
  readonly destination?: DestinationStream;
  /** Colours in the pretty format. @default true when standard output is a terminal and NO_COLOR is unset */
  readonly colours?: boolean;
}

/** A logger whose level can change while it runs. */
export interface PinoLogger extends Logger {
  /** Takes effect from the next line on, for children too. */
  setLevel(level: LogLevel): void;
  /** A logger that adds `fields` to every line, such as `{ room: "mesh" }`. */
  child(fields: LogFields): Logger;
}

/** A logger that writes synchronously: the lines before a crash are the ones that matter. */
export function createPinoLogger(options: PinoLoggerOptions): PinoLogger {
  const output = options.destination ?? pino.destination({ fd: 1, sync: true });
  const colours = options.colours ?? (process.stdout.isTTY && !process.env["NO_COLOR"]);
  const stream: DestinationStream =
    options.format === "json"
      ? output
      : { write: (line) => output.write(prettyLine(line, colours)) };
  const { recent } = options;
  const log = pino(
    {
      level: "debug",
      base: null,
      messageKey: "message",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    recent === undefined
      ? stream
      : {
          write: (line) => {
            recent.push(line);
            stream.write(line);
          },
        },
  );
  const level = { minimum: rank[options.level] };
  return {
    ...leveled(log, level, safeLogFields(options.fields ?? {})),
    setLevel: (name) => {
      level.minimum = rank[name];
    },
    child: (fields) => leveled(log, level, safeLogFields({ ...options.fields, ...fields })),
  };
}

const rank: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** The four methods over one pino logger; the level is shared by reference, so that children follow it. */
function leveled(
  log: Record<LogLevel, (fields: object, message: string) => void>,
  level: { readonly minimum: number },
  fixed: Readonly<Record<string, unknown>>,
): Logger {
  const at = (name: LogLevel) => (fields: LogFields, message: string) => {
    if (rank[name] >= level.minimum) log[name]({ ...fixed, ...safeLogFields(fields) }, message);
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
