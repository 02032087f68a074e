// meshctl fl: training together. Each verb has a file of its own.

import type { RegisterCommand } from "../../cli.ts";
import { registerExplain } from "./explain.ts";
import { registerPlot } from "./plot.ts";
import { registerPull } from "./pull.ts";
import { registerPush } from "./push.ts";
import { registerRounds } from "./rounds.ts";
import { registerRun } from "./run.ts";
import { registerSimulate } from "./simulate.ts";
import { registerStart } from "./start.ts";
import { registerStatus } from "./status.ts";
import { registerResume, registerStop } from "./stop.ts";

/** Adds `fl` with its verbs. */
export const flCommand: RegisterCommand = (parent, cli) => {
  const fl = parent
    .command("fl")
    .description("training together: start a task, watch it, and see who counted for what");
  registerRun(fl, cli);
  registerStart(fl, cli);
  registerStatus(fl, cli);
  registerRounds(fl, cli);
  registerExplain(fl, cli);
  registerStop(fl, cli);
  registerResume(fl, cli);
  registerPull(fl, cli);
  registerPush(fl, cli);
  registerSimulate(fl, cli);
  registerPlot(fl, cli);
};
