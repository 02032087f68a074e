// What a command sees of the world: where to write, how wide it is, what time it is. Tests give
// their own; `processCli` is the real one.

import type { Command } from "commander";
import type { ExitStatus } from "../control/index.ts";

/** The surroundings of one run of meshctl. */
export interface Cli {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly screen: Screen;
  /** The exit status of the run so far; the last one set counts. */
  exit: ExitStatus;
}

/** How to draw. */
export interface Screen {
  readonly colours: boolean;
  /** Characters a line holds. */
  readonly columns: number;
  /** Wall time in milliseconds. */
  readonly nowMs: () => number;
}

/** Adds one verb to its parent command. */
export type RegisterCommand = (parent: Command, cli: Cli) => void;

const columnsWithoutTerminal = 120;

/** The surroundings of this process. Colours: on a terminal, unless NO_COLOR is set (no-color.org). */
export function processCli(): Cli {
  const { stdout, stderr, env } = process;
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    env,
    screen: {
      colours: stdout.isTTY && !env["NO_COLOR"],
      columns: stdout.isTTY ? stdout.columns : columnsWithoutTerminal,
      nowMs: Date.now,
    },
    exit: 0,
  };
}
