// The completion scripts, one for each shell that we know.

import type { CommandNode } from "../command-tree.ts";
import { bashCompletion } from "./bash.ts";
import { fishCompletion } from "./fish.ts";
import { zshCompletion } from "./zsh.ts";

/** The shells that there is a script for. */
export const shells = ["bash", "zsh", "fish"] as const;

type Shell = (typeof shells)[number];

/** Whether a name is that of a shell that there is a script for. */
export function isShell(name: string): name is Shell {
  return shells.some((shell) => shell === name);
}

/** From a program's commands to the text of the script. */
export const completionScripts: Readonly<Record<Shell, (program: CommandNode) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};
