// meshctl: the command line of meshd. What it shows comes from the control API alone.

import { processCli } from "./cli.ts";
import { meshctlProgram } from "./program.ts";
import { runProgram } from "./run-program.ts";

// A reader that closes the pipe early, such as `head`, is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

process.exitCode = await runProgram(meshctlProgram, process.argv.slice(2), processCli());
