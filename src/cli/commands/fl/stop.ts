// meshctl fl stop | resume: for all participants by a signed order, or with --here for this node alone.

import type { Command } from "commander";
import type { FlScopeRequest } from "../../../control/index.ts";
import { answer } from "../../answer.ts";
import type { RegisterCommand } from "../../cli.ts";
import { plainText } from "../../table.ts";

interface ScopeFlags {
  readonly here?: true;
}

export const registerStop: RegisterCommand = (fl, cli) => {
  const command = withScope(
    fl.command("stop").description("stop the running task on all nodes; the model so far is kept"),
  );
  command.action((flags: ScopeFlags) =>
    answer(cli, command, {
      call: (client) => client.flStop(scopeOf(flags)),
      draw: ({ taskId }) =>
        taskId === null
          ? "No task was running.\n"
          : `Stopped task ${plainText(taskId)}. Go on with: meshctl fl resume\n`,
    }),
  );
};

export const registerResume: RegisterCommand = (fl, cli) => {
  const command = withScope(
    fl.command("resume").description("go on with the task that was stopped, on all nodes"),
  );
  command.action((flags: ScopeFlags) =>
    answer(cli, command, {
      call: (client) => client.flResume(scopeOf(flags)),
      draw: ({ taskId }) => `Going on with task ${plainText(taskId ?? "")}.\n`,
    }),
  );
};

function withScope(command: Command): Command {
  return command.option("--here", "only this node's part, which needs no right over the task");
}

function scopeOf({ here }: ScopeFlags): FlScopeRequest {
  return { scope: here === true ? "node" : "mesh" };
}
