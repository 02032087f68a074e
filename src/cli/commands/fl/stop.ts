// meshctl fl stop: ends the running task.

import { answer } from "../../answer.ts";
import type { RegisterCommand } from "../../cli.ts";
import { plainText } from "../../table.ts";

export const registerStop: RegisterCommand = (fl, cli) => {
  const command = fl.command("stop").description("stop the running task; the model so far is kept");
  command.action(() =>
    answer(cli, command, {
      call: (client) => client.flStop(),
      draw: ({ taskId }) =>
        taskId === null ? "No task was running.\n" : `Stopped task ${plainText(taskId)}.\n`,
    }),
  );
};
