// meshctl: the command line of meshd. What it shows comes from the control API alone.

import packageFile from "../../package.json" with { type: "json" };
import { processCli } from "./cli.ts";
import { beaconsCommand } from "./commands/beacons.ts";
import { backupCommand } from "./commands/backup.ts";
import { bugreportCommand } from "./commands/bugreport.ts";
import { configCommand } from "./commands/config.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { devCommand } from "./commands/dev.ts";
import { flCommand } from "./commands/fl.ts";
import { identityCommand } from "./commands/identity.ts";
import { initCommand } from "./commands/init.ts";
import { joinCommand } from "./commands/join.ts";
import { peersCommand } from "./commands/peers.ts";
import { statusCommand } from "./commands/status.ts";
import { waitCommand } from "./commands/wait.ts";
import { tokenCommand } from "./commands/token.ts";
import { runProgram } from "./run-program.ts";

// A reader that closes the pipe early, such as `head`, is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

process.exitCode = await runProgram(
  {
    name: "meshctl",
    description: "Looks into a running meshd and tells it what to do.",
    version: packageFile.version,
    commands: [
      statusCommand,
      peersCommand,
      beaconsCommand,
      identityCommand,
      flCommand,
      initCommand,
      tokenCommand,
      joinCommand,
      waitCommand,
      doctorCommand,
      bugreportCommand,
      backupCommand,
      configCommand,
      devCommand,
    ],
  },
  process.argv.slice(2),
  processCli(),
);
