// Executables for tests, made by packaging/ into folders that are gone afterwards.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const repository = fileURLToPath(new URL("../../", import.meta.url));

const run = promisify(execFile);

/** `npm run build:sea` for `arch` into `folder`. Gives the path of the executable. */
export async function buildMeshd(arch: string, folder: string): Promise<string> {
  const args = ["packaging/build-sea.mjs", "--arch", arch, "--out", folder];
  await run(process.execPath, args, { cwd: repository });
  return join(folder, "meshd");
}

/** Makes an executable for this machine of any program. */
export async function buildProgram(entry: string, file: string): Promise<void> {
  const sea = (await import(new URL("../../packaging/sea.mjs", import.meta.url).href)) as {
    buildExecutable(program: object): Promise<unknown>;
  };
  await sea.buildExecutable({ entry, arch: process.arch, file });
}

export interface Ended {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command to its end. */
export function ended(
  command: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Ended> {
  const [file = "", ...args] = command;
  return new Promise((resolve, reject) => {
    const limits = { timeout: 120_000, maxBuffer: 1 << 24 };
    execFile(file, args, { ...limits, ...options }, (error, out, err) => {
      const exit = error === null ? 0 : error.code;
      if (typeof exit === "number") resolve({ exit, out, err });
      else reject(new Error(`${file} did not end by itself:\n${out}\n${err}`, { cause: error }));
    });
  });
}
