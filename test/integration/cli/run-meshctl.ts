// Runs the real meshctl as a process of its own.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export const repositoryRoot = fileURLToPath(new URL("../../../", import.meta.url));

/** What a finished process left. */
export interface Finished {
  readonly exit: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs `meshctl` from source with `args`; `input` goes to its standard input. */
export function meshctl(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input = "",
): Promise<Finished> {
  return finished(["src/cli/meshctl.ts", ...args], env, input);
}

/** Runs Node.js with `args` in the repository. */
function finished(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input = "",
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const { PATH, HOME } = process.env;
    const child = spawn(process.execPath, [...args], {
      cwd: repositoryRoot,
      env: { PATH, HOME, ...env },
    });
    let out = "";
    let err = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
    child.on("error", reject);
    child.on("close", (exit) => resolve({ exit, out, err }));
    child.stdin.end(input);
  });
}
