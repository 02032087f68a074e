// meshctl status: the node on one screen; exit status 4 when something is wrong.

import { type ExitStatus, exitStatus, type Status } from "../../control/index.ts";
import { answer } from "../answer.ts";
import type { RegisterCommand } from "../cli.ts";
import { drawStatus } from "../status-screen.ts";

/** Adds `status`. */
export const statusCommand: RegisterCommand = (parent, cli) => {
  const command = parent
    .command("status")
    .description("show this node, its peers, its training task and its health on one screen");
  command.action(() =>
    answer(cli, command, {
      call: (client) => client.status(),
      draw: drawStatus,
      exit: statusExit,
    }),
  );
};

/** Degraded: the state says so, the node is not enrolled, or a health code is a warning or an error. */
function statusExit({ node, health }: Status): ExitStatus {
  const sick =
    node.state === "degraded" ||
    node.state === "unenrolled" ||
    health.some(({ severity }) => severity !== "info");
  return sick ? exitStatus.degraded : exitStatus.ok;
}
